#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agent/handlers/stream_health.h"
#include "fake_call.h"

static struct tablet_identity identity;
static struct stream_health *streams;
static struct rpc_method method;
static struct health_view view;
static struct tablet_snapshot snapshot;

static void
set_up(void)
{
    identity = (struct tablet_identity){.keyspace = (char *)"ks", .shard = (char *)"-80"};
    snprintf(identity.alias.cell, sizeof(identity.alias.cell), "zone1");
    identity.alias.uid = 100;
    streams = stream_health_new(&identity);
    method = stream_health_method(streams);
    view =
        (struct health_view){.verdict = {.is_serving = true, .is_lag_known = true, .lag_ms = 3400},
                             .rules = {.unhealthy_ms = 7200000}};
    snapshot = (struct tablet_snapshot){
        .type = TOPODATA__TABLET_TYPE__REPLICA, .is_serving = true, .term_start_ns = 5000000000};
}

static void
tear_down(void)
{
    stream_health_stop(streams);
    stream_health_free(streams);
}

Test(stream_health, the_state_comes_at_once_and_at_each_report, .init = set_up, .fini = tear_down)
{
    struct rpc_call early = {0}, late = {0};
    method.handler(&early, NULL, method.data);
    cr_assert_eq(early.offered, 0); /* nothing is known yet */
    stream_health_tell(streams, &view, &snapshot);
    cr_assert_eq(early.offered, 1);
    method.handler(&late, NULL, method.data);
    cr_assert_eq(late.offered, 1);
    cr_assert_eq(stream_health_count(streams), 2);
    const Query__StreamHealthResponse *last = late.last;
    cr_assert(last->serving);
    cr_assert_str_eq(last->target->keyspace, "ks");
    cr_assert_str_eq(last->target->shard, "-80");
    cr_assert_str_eq(last->target->cell, "");
    cr_assert_eq(last->target->tablet_type, TOPODATA__TABLET_TYPE__REPLICA);
    cr_assert_str_eq(last->tablet_alias->cell, "zone1");
    cr_assert_eq(last->tablet_alias->uid, 100);
    cr_assert_eq(last->realtime_stats->replication_lag_seconds, 3);
    cr_assert_str_eq(last->realtime_stats->health_error, "");
    cr_assert_eq(last->primary_term_start_timestamp, 0);
    stream_health_stop(streams);
    fake_call_done(&early);
    fake_call_done(&late);
}

Test(stream_health, a_primary_has_a_term_and_no_lag, .init = set_up, .fini = tear_down)
{
    struct rpc_call call = {0};
    snapshot.type = TOPODATA__TABLET_TYPE__PRIMARY;
    stream_health_tell(streams, &view, &snapshot);
    method.handler(&call, NULL, method.data);
    cr_assert_eq(call.last->primary_term_start_timestamp, 5);
    cr_assert_eq(call.last->realtime_stats->replication_lag_seconds, 0);
    stream_health_stop(streams);
    fake_call_done(&call);
}

Test(stream_health, an_unknown_lag_is_not_zero_and_a_high_one_no_error, .init = set_up,
     .fini = tear_down)
{
    struct rpc_call call = {0};
    snapshot.is_serving = false;
    view.verdict = (struct health_verdict){.cause = HEALTH_REPLICATION, .reason = "broken"};
    stream_health_tell(streams, &view, &snapshot);
    method.handler(&call, NULL, method.data);
    cr_assert_eq(call.last->realtime_stats->replication_lag_seconds, 7200);
    cr_assert_str_eq(call.last->realtime_stats->health_error, "broken");
    view.verdict = (struct health_verdict){
        .cause = HEALTH_LAG, .reason = "far", .is_lag_known = true, .lag_ms = 9000000};
    stream_health_tell(streams, &view, &snapshot);
    cr_assert_str_eq(call.last->realtime_stats->health_error, "");
    cr_assert(!call.last->serving);
    stream_health_stop(streams);
    fake_call_done(&call);
}

Test(stream_health, who_is_slow_gone_or_late_is_ended, .init = set_up, .fini = tear_down)
{
    struct rpc_call slow = {0}, gone = {0}, staying = {0}, late = {0};
    method.handler(&slow, NULL, method.data);
    method.handler(&gone, NULL, method.data);
    method.handler(&staying, NULL, method.data);
    slow.is_full = true;
    stream_health_tell(streams, &view, &snapshot);
    cr_assert_eq(slow.code, ERROR_RESOURCE_EXHAUSTED);
    slow.on_gone(&slow, slow.gone_data); /* it was ended already */
    gone.on_gone(&gone, gone.gone_data);
    cr_assert_eq(gone.code, ERROR_CANCELED);
    cr_assert_eq(stream_health_count(streams), 1);
    stream_health_stop(streams);
    cr_assert_eq(staying.code, ERROR_UNAVAILABLE);
    cr_assert_str_eq(staying.message, "tabletserver is shutdown");
    method.handler(&late, NULL, method.data);
    cr_assert_eq(late.code, ERROR_UNAVAILABLE);
    fake_call_done(&slow);
    fake_call_done(&gone);
    fake_call_done(&staying);
    fake_call_done(&late);
}
