#include <criterion/criterion.h>

#include <stdlib.h>

#include "agent/handlers/message.h"
#include "agent/handlers/throttler.h"

#define CODE(name) TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__##name
#define NOW_NS 1000000000000

static Topodata__ThrottlerConfig *
config_new(void)
{
    return message_new(&topodata__throttler_config__descriptor);
}

static void
add_rule(Topodata__ThrottlerConfig *config, const char *app, double ratio, int64_t expires_ns,
         bool is_exempt)
{
    Topodata__ThrottlerConfig__ThrottledAppsEntry *entry =
        message_new(&topodata__throttler_config__throttled_apps_entry__descriptor);
    entry->key = message_text(app);
    entry->value = message_new(&topodata__throttled_app_rule__descriptor);
    entry->value->ratio = ratio;
    entry->value->exempt = is_exempt;
    entry->value->expires_at = message_time(expires_ns);
    message_append(&config->n_throttled_apps, &config->throttled_apps, entry);
}

static void
map_metrics(Topodata__ThrottlerConfig *config, const char *app, const char *name)
{
    Topodata__ThrottlerConfig__AppCheckedMetricsEntry *entry =
        message_new(&topodata__throttler_config__app_checked_metrics_entry__descriptor);
    entry->key = message_text(app);
    entry->value = message_new(&topodata__throttler_config__metric_names__descriptor);
    message_append(&entry->value->n_names, &entry->value->names, message_text(name));
    message_append(&config->n_app_checked_metrics, &config->app_checked_metrics, entry);
}

static enum throttler_app
app_of(const Topodata__ThrottlerConfig *config, const char *app, double random)
{
    const char *matched = NULL;
    return throttler_app_of(config, app, NOW_NS, random, &matched);
}

Test(throttler, decision_compares_value_and_threshold)
{
    cr_assert_eq(throttler_decide(true, NULL, 4.9, 5), CODE(OK));
    cr_assert_eq(throttler_decide(true, NULL, 5, 5), CODE(OK));
    cr_assert_eq(throttler_decide(true, NULL, 5.1, 5), CODE(THRESHOLD_EXCEEDED));
    cr_assert_eq(throttler_decide(false, NULL, 0, 5), CODE(UNKNOWN_METRIC));
    struct error error = {.code = ERROR_UNKNOWN};
    cr_assert_eq(throttler_decide(true, &error, 0, 5), CODE(INTERNAL_ERROR));
}

Test(throttler, rules_deny_by_ratio_until_they_expire)
{
    Topodata__ThrottlerConfig *config = config_new();
    add_rule(config, "online-ddl", 0.5, NOW_NS + 1, false);
    add_rule(config, "old", 1, NOW_NS, false);
    cr_assert_eq(app_of(config, "online-ddl", 0.4), THROTTLER_APP_DENIED);
    cr_assert_eq(app_of(config, "online-ddl", 0.6), THROTTLER_APP_CHECKED);
    cr_assert_eq(app_of(config, "old", 0), THROTTLER_APP_CHECKED);
    cr_assert_eq(app_of(config, "vreplication:online-ddl", 0.4), THROTTLER_APP_DENIED);
    cr_assert_eq(app_of(config, "online-ddl:x", 0.4), THROTTLER_APP_DENIED);
    cr_assert_eq(app_of(config, "my-online-ddl", 0.4), THROTTLER_APP_CHECKED);
    topodata__throttler_config__free_unpacked(config, NULL);
}

Test(throttler, all_denies_who_is_not_named)
{
    Topodata__ThrottlerConfig *config = config_new();
    add_rule(config, "all", 1, NOW_NS + 1, false);
    add_rule(config, "spared", 1, NOW_NS + 1, true);
    cr_assert_eq(app_of(config, "any", 0.9), THROTTLER_APP_DENIED);
    cr_assert_eq(app_of(config, "spared", 0.9), THROTTLER_APP_EXEMPT);
    cr_assert_eq(app_of(config, "messager", 0.9), THROTTLER_APP_EXEMPT);
    topodata__throttler_config__free_unpacked(config, NULL);
}

Test(throttler, metrics_are_those_of_the_app_or_of_all_or_the_default)
{
    Topodata__ThrottlerConfig *config = config_new();
    struct strv names = {0};
    const char *matched = NULL;
    throttler_metric_names(config, "app", &names, &matched);
    cr_assert_eq(names.count, 1u);
    cr_assert_str_eq(names.items[0], "lag");
    strv_done(&names);

    map_metrics(config, "all", "loadavg");
    map_metrics(config, "app", "shard/threads_running");
    names = (struct strv){0};
    throttler_metric_names(config, "app", &names, &matched);
    cr_assert_str_eq(names.items[0], "shard/threads_running");
    cr_assert_str_eq(matched, "app");
    strv_done(&names);
    names = (struct strv){0};
    throttler_metric_names(config, "other", &names, &matched);
    cr_assert_str_eq(names.items[0], "loadavg");
    cr_assert_str_eq(matched, "all");
    strv_done(&names);
    names = (struct strv){0};
    throttler_metric_names(config, "vitess", &names, &matched);
    cr_assert_gt(names.count, 5u);
    strv_done(&names);
    topodata__throttler_config__free_unpacked(config, NULL);
}

Test(throttler, thresholds_are_configured_or_default)
{
    Topodata__ThrottlerConfig *config = config_new();
    const struct throttler_metric *lag = throttler_metric_find("lag");
    cr_assert_float_eq(throttler_threshold(config, lag), 5, 0.001);
    config->threshold = 9;
    cr_assert_float_eq(throttler_threshold(config, lag), 9, 0.001);
    cr_assert_float_eq(throttler_threshold(config, throttler_metric_find("loadavg")), 1, 0.001);
    Topodata__ThrottlerConfig__MetricThresholdsEntry *entry =
        message_new(&topodata__throttler_config__metric_thresholds_entry__descriptor);
    entry->key = message_text("lag");
    entry->value = 2.5;
    message_append(&config->n_metric_thresholds, &config->metric_thresholds, entry);
    cr_assert_float_eq(throttler_threshold(config, lag), 2.5, 0.001);
    config->custom_query = message_text("select 1");
    cr_assert_str_eq(throttler_default_metric(config), "custom");
    cr_assert_float_eq(throttler_threshold(config, throttler_metric_find("custom")), 9, 0.001);
    topodata__throttler_config__free_unpacked(config, NULL);
}

Test(throttler, names_may_carry_a_scope)
{
    bool is_of_shard = false;
    const char *name = NULL;
    cr_assert(throttler_split_name("shard/loadavg", &is_of_shard, &name));
    cr_assert(is_of_shard);
    cr_assert_str_eq(name, "loadavg");
    cr_assert(throttler_split_name("self/lag", &is_of_shard, &name));
    cr_assert(!is_of_shard);
    cr_assert(!throttler_split_name("lag", &is_of_shard, &name));
    cr_assert_str_eq(name, "lag");
    cr_assert_null(throttler_metric_find("nonsense"));
}
