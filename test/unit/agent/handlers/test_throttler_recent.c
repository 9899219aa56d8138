#include "agent/handlers/throttler_recent.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define CODE(name) TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__##name
#define SECOND INT64_C(1000000000)

static Tabletmanagerdata__GetThrottlerStatusResponse *
filled(struct throttler_recent *recent, int64_t now_ns)
{
    Tabletmanagerdata__GetThrottlerStatusResponse *out = calloc(1, sizeof(*out));
    tabletmanagerdata__get_throttler_status_response__init(out);
    throttler_recent_fill(recent, now_ns, out);
    return out;
}

static void
drop(Tabletmanagerdata__GetThrottlerStatusResponse *out)
{
    tabletmanagerdata__get_throttler_status_response__free_unpacked(out, NULL);
}

Test(throttler_recent, an_app_is_told_once_with_its_last_answer_for_an_hour)
{
    struct throttler_recent *recent = throttler_recent_new();
    throttler_recent_note_app(recent, "online-ddl", 1000 * SECOND, CODE(OK));
    throttler_recent_note_app(recent, "online-ddl", 1007 * SECOND, CODE(THRESHOLD_EXCEEDED));
    Tabletmanagerdata__GetThrottlerStatusResponse *out = filled(recent, 1010 * SECOND);
    cr_assert_eq(out->n_recent_apps, 1);
    cr_assert_str_eq(out->recent_apps[0]->key, "online-ddl");
    cr_assert_eq(out->recent_apps[0]->value->checked_at->seconds, 1007);
    cr_assert_eq(out->recent_apps[0]->value->response_code, CODE(THRESHOLD_EXCEEDED));
    drop(out);
    out = filled(recent, 1007 * SECOND + THROTTLER_RECENT_APP_NS);
    cr_assert_eq(out->n_recent_apps, 0);
    drop(out);
    throttler_recent_free(recent);
}

Test(throttler_recent, a_metric_tells_how_long_ago_it_was_healthy)
{
    struct throttler_recent *recent = throttler_recent_new();
    throttler_recent_note_healthy(recent, "self/lag", 2000 * SECOND);
    Tabletmanagerdata__GetThrottlerStatusResponse *out = filled(recent, 2042 * SECOND);
    cr_assert_eq(out->n_metrics_health, 1);
    cr_assert_str_eq(out->metrics_health[0]->key, "self/lag");
    cr_assert_eq(out->metrics_health[0]->value->seconds_since_last_healthy, 42);
    drop(out);
    throttler_recent_free(recent);
}

Test(throttler_recent, the_oldest_app_makes_room)
{
    struct throttler_recent *recent = throttler_recent_new();
    char name[400];
    for (int i = 0; i < 3 * THROTTLER_RECENT_MOST; i++) {
        snprintf(name, sizeof(name), "%d-%0300d", i, i);
        throttler_recent_note_app(recent, name, (i + 1) * SECOND, CODE(OK));
    }
    Tabletmanagerdata__GetThrottlerStatusResponse *out = filled(recent, 300 * SECOND);
    cr_assert_eq(out->n_recent_apps, THROTTLER_RECENT_MOST);
    for (size_t i = 0; i < out->n_recent_apps; i++)
        cr_assert_gt(out->recent_apps[i]->value->checked_at->seconds, 2 * THROTTLER_RECENT_MOST);
    drop(out);
    throttler_recent_free(recent);
}
