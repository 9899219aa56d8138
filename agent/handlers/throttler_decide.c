#include <stdlib.h>
#include <string.h>

#include "agent/handlers/message.h"
#include "agent/handlers/throttler.h"

#define ALL_APPS "all"
#define VITESS_APP "vitess"

const char *
throttler_default_metric(const Topodata__ThrottlerConfig *config)
{
    return str_is_empty(config->custom_query) ? "lag" : "custom";
}

double
throttler_threshold(const Topodata__ThrottlerConfig *config, const struct throttler_metric *metric)
{
    for (size_t i = 0; i < config->n_metric_thresholds; i++)
        if (str_equal(config->metric_thresholds[i]->key, metric->name) &&
            config->metric_thresholds[i]->value > 0)
            return config->metric_thresholds[i]->value;
    bool is_default = str_equal(metric->name, throttler_default_metric(config));
    return is_default && config->threshold > 0 ? config->threshold : metric->threshold;
}

/* One piece of "a:b:c". */
static bool
is_piece_of(const char *app, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = app; length > 0; at = strchr(at, ':') + 1) {
        if (strncmp(at, name, length) == 0 && (at[length] == ':' || at[length] == '\0'))
            return true;
        if (strchr(at, ':') == NULL)
            return false;
    }
    return false;
}

static bool
applies_to(const char *app, const char *name)
{
    return str_equal(app, name) || is_piece_of(app, name);
}

/* Apps that run all the time and weigh nothing. */
static bool
is_always_exempt(const char *app)
{
    return str_equal(app, "binlog-watcher") || str_equal(app, "messager") ||
           str_equal(app, "schema-tracker");
}

enum throttler_app
throttler_app_of(const Topodata__ThrottlerConfig *config, const char *app, int64_t now_ns,
                 double random, const char **ret_matched)
{
    const Topodata__ThrottledAppRule *all = NULL;
    bool is_named = false;
    *ret_matched = app;
    if (is_always_exempt(app))
        return THROTTLER_APP_EXEMPT;
    for (size_t i = 0; i < config->n_throttled_apps; i++) {
        const Topodata__ThrottledAppRule *rule = config->throttled_apps[i]->value;
        const char *name = config->throttled_apps[i]->key;
        if (rule == NULL || message_time_ns(rule->expires_at) <= now_ns)
            continue;
        if (str_equal(name, ALL_APPS))
            all = rule;
        if (!applies_to(app, name))
            continue;
        is_named = true;
        *ret_matched = name;
        if (rule->exempt)
            return THROTTLER_APP_EXEMPT;
        if (random < rule->ratio)
            return THROTTLER_APP_DENIED;
    }
    if (is_named || all == NULL || all->exempt || random >= all->ratio)
        return THROTTLER_APP_CHECKED;
    *ret_matched = ALL_APPS;
    return THROTTLER_APP_DENIED;
}

static void
add_mapped_names(const Topodata__ThrottlerConfig *config, const char *app, struct strv *names,
                 const char **ret_matched)
{
    for (size_t i = 0; i < config->n_app_checked_metrics; i++) {
        const Topodata__ThrottlerConfig__AppCheckedMetricsEntry *entry =
            config->app_checked_metrics[i];
        if (entry->value == NULL || !applies_to(app, entry->key))
            continue;
        *ret_matched = entry->key;
        for (size_t k = 0; k < entry->value->n_names; k++)
            if (!strv_contains(names, entry->value->names[k]))
                strv_add(names, entry->value->names[k]);
    }
}

void
throttler_metric_names(const Topodata__ThrottlerConfig *config, const char *app,
                       struct strv *ret_names, const char **ret_matched)
{
    *ret_matched = app;
    if (str_equal(app, VITESS_APP)) {
        size_t count = 0;
        const struct throttler_metric *metrics = throttler_metrics(&count);
        for (size_t i = 0; i < count; i++)
            strv_add(ret_names, metrics[i].name);
        return;
    }
    add_mapped_names(config, app, ret_names, ret_matched);
    if (ret_names->count == 0)
        add_mapped_names(config, ALL_APPS, ret_names, ret_matched);
    if (ret_names->count == 0)
        strv_add(ret_names, throttler_default_metric(config));
}

bool
throttler_split_name(const char *text, bool *ret_is_of_shard, const char **ret_name)
{
    *ret_name = text;
    bool is_self = str_starts_with(text, "self/");
    bool is_shard = str_starts_with(text, "shard/");
    if (!is_self && !is_shard)
        return false;
    *ret_is_of_shard = is_shard;
    *ret_name = strchr(text, '/') + 1;
    return true;
}

Tabletmanagerdata__CheckThrottlerResponseCode
throttler_decide(bool is_known, const struct error *error, double value, double threshold)
{
    if (!is_known)
        return TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__UNKNOWN_METRIC;
    if (error != NULL)
        return TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__INTERNAL_ERROR;
    if (value > threshold)
        return TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__THRESHOLD_EXCEEDED;
    return TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__OK;
}
