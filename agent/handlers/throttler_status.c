/* GetThrottlerStatus: the configuration and every metric as it is now. */
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/handlers/message.h"
#include "agent/handlers/throttler.h"
#include "agent/handlers/throttler_recent.h"

#define APP_CHECKED_METRICS_ENTRY                                                                  \
    &tabletmanagerdata__get_throttler_status_response__app_checked_metrics_entry__descriptor

static void
add_aggregated(struct handler_call *call, const Topodata__ThrottlerConfig *config,
               const struct throttler_metric *metric, bool is_of_shard,
               Tabletmanagerdata__GetThrottlerStatusResponse *out)
{
    Tabletmanagerdata__GetThrottlerStatusResponse__AggregatedMetricsEntry *entry = message_new(
        &tabletmanagerdata__get_throttler_status_response__aggregated_metrics_entry__descriptor);
    entry->key = xasprintf("%s/%s", is_of_shard ? "shard" : "self", metric->name);
    entry->value =
        message_new(&tabletmanagerdata__get_throttler_status_response__metric_result__descriptor);
    struct error *error =
        throttler_metric_read(call, config, metric, is_of_shard, &entry->value->value);
    if (error != NULL)
        entry->value->error = message_text(error->message);
    error_free(error);
    message_append(&out->n_aggregated_metrics, &out->aggregated_metrics, entry);
}

static void
add_threshold(const Topodata__ThrottlerConfig *config, const struct throttler_metric *metric,
              Tabletmanagerdata__GetThrottlerStatusResponse *out)
{
    Tabletmanagerdata__GetThrottlerStatusResponse__MetricThresholdsEntry *entry = message_new(
        &tabletmanagerdata__get_throttler_status_response__metric_thresholds_entry__descriptor);
    entry->key = message_text(metric->name);
    entry->value = throttler_threshold(config, metric);
    message_append(&out->n_metric_thresholds, &out->metric_thresholds, entry);
}

static void
add_metrics(struct handler_call *call, const Topodata__ThrottlerConfig *config,
            Tabletmanagerdata__GetThrottlerStatusResponse *out)
{
    size_t count = 0;
    const struct throttler_metric *metrics = throttler_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        add_threshold(config, &metrics[i], out);
        if (!config->enabled)
            continue;
        add_aggregated(call, config, &metrics[i], false, out);
        if (out->is_leader && metrics[i].is_of_shard)
            add_aggregated(call, config, &metrics[i], true, out);
    }
}

static void
add_rules(const Topodata__ThrottlerConfig *config,
          Tabletmanagerdata__GetThrottlerStatusResponse *out)
{
    for (size_t i = 0; i < config->n_throttled_apps; i++) {
        const Topodata__ThrottledAppRule *rule = config->throttled_apps[i]->value;
        if (rule == NULL)
            continue;
        Tabletmanagerdata__GetThrottlerStatusResponse__ThrottledAppsEntry *entry = message_new(
            &tabletmanagerdata__get_throttler_status_response__throttled_apps_entry__descriptor);
        entry->key = message_text(config->throttled_apps[i]->key);
        entry->value = message_new(&topodata__throttled_app_rule__descriptor);
        entry->value->name = message_text(rule->name);
        entry->value->ratio = rule->ratio;
        entry->value->exempt = rule->exempt;
        entry->value->expires_at = message_time(message_time_ns(rule->expires_at));
        message_append(&out->n_throttled_apps, &out->throttled_apps, entry);
    }
    for (size_t i = 0; i < config->n_app_checked_metrics; i++) {
        const Topodata__ThrottlerConfig__AppCheckedMetricsEntry *entry =
            config->app_checked_metrics[i];
        CLEANUP(strv_done) struct strv names = {0};
        for (size_t k = 0; entry->value != NULL && k < entry->value->n_names; k++)
            strv_add(&names, entry->value->names[k]);
        CLEANUP(freep) char *joined = strv_join(&names, ",");
        message_map_add(APP_CHECKED_METRICS_ENTRY, &out->n_app_checked_metrics,
                        &out->app_checked_metrics, entry->key, joined);
    }
}

HANDLER(handle_get_throttler_status)
{
    (void)request;
    Tabletmanagerdata__GetThrottlerStatusResponse *out = response;
    const struct tablet_identity *identity = call->context->identity;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(call->context->tablet, &snapshot);
    Topodata__ThrottlerConfig *config = NULL;
    TRY(throttler_config_get(call, &config));
    Topodata__ThrottlerConfig none = TOPODATA__THROTTLER_CONFIG__INIT;
    const Topodata__ThrottlerConfig *shown = config == NULL ? &none : config;

    out->tablet_alias = message_text(identity->alias_text);
    out->keyspace = message_text(identity->keyspace);
    out->shard = message_text(identity->shard);
    out->is_leader = snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY;
    out->is_open = shown->enabled;
    out->is_enabled = shown->enabled;
    out->is_dormant = !throttler_was_checked_within(call->service, THROTTLER_DORMANT_AFTER_MS);
    out->recently_checked = throttler_was_checked_within(call->service, THROTTLER_RECENT_MS);
    out->custom_metric_query = message_text(shown->custom_query);
    out->default_threshold =
        throttler_threshold(shown, throttler_metric_find(throttler_default_metric(shown)));
    out->metric_name_used_as_default = message_text(throttler_default_metric(shown));
    add_metrics(call, shown, out);
    add_rules(shown, out);
    throttler_recent_fill(call->service->throttler_recent, clock_wall_ns(), out);
    if (config != NULL)
        topodata__throttler_config__free_unpacked(config, NULL);
    return NULL;
}
