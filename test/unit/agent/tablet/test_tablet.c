#include <criterion/criterion.h>

#include "agent/base/memory.h"
#include "agent/tablet/tablet_internal.h"

static struct loop *loop;
static struct tablet_identity identity;
static struct tablet_context context;

static void
set_up(void)
{
    cr_assert_null(loop_new(&loop));
    identity = (struct tablet_identity){.shard = (char *)"0"};
    struct tablet_options options = {.loop = loop, .identity = &identity, .mysql_port = 0};
    context = (struct tablet_context){.identity = &identity, .loop = loop};
    tablet_bind(tablet_new(&options), &context);
}

static void
tear_down(void)
{
    tablet_stop_publishing(context.tablet);
    tablet_free(context.tablet);
    loop_free(loop);
}

static struct tablet_snapshot
snapshot(void)
{
    struct tablet_snapshot result;
    tablet_get_snapshot(context.tablet, &result);
    return result;
}

static void
walk(enum tablet_event event, Topodata__TabletType type)
{
    cr_assert_null(tablet_walk(&context, event, type, event == EVENT_PROMOTE ? 3 : 0));
}

Test(tablet, serves_only_when_state_and_health_agree, .init = set_up, .fini = tear_down)
{
    tablet_set_health(&context, true, "mysqld answers", false);
    cr_assert(!snapshot().is_serving); /* starting */
    walk(EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA);
    cr_assert(snapshot().is_serving);
    walk(EVENT_FOLLOW, TOPODATA__TABLET_TYPE__SPARE);
    cr_assert(!snapshot().is_serving);
    cr_assert_str_eq(snapshot().reason, "type SPARE does not serve");
    walk(EVENT_PROMOTE, TOPODATA__TABLET_TYPE__PRIMARY);
    cr_assert(snapshot().is_serving);
    tablet_set_demoting(&context, true);
    cr_assert(snapshot().is_demoting);
    cr_assert(!snapshot().is_serving);
    tablet_set_demoting(&context, false);
    cr_assert(snapshot().is_serving);
    tablet_set_health(&context, false, "mysqld does not answer", false);
    cr_assert(!snapshot().is_serving);
    cr_assert_str_eq(snapshot().reason, "mysqld does not answer");
}

Test(tablet, a_restored_replica_waits_until_it_caught_up, .init = set_up, .fini = tear_down)
{
    tablet_set_health(&context, true, "replicating", false);
    walk(EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA);
    tablet_must_catch_up(&context);
    struct tablet_view view;
    tablet_get_view(context.tablet, &view);
    cr_assert(view.must_catch_up);
    cr_assert(!snapshot().is_serving);
    tablet_set_caught_up(&context);
    cr_assert(snapshot().is_serving);
}

Test(tablet, the_history_keeps_the_newest, .init = set_up, .fini = tear_down)
{
    for (int i = 0; i < TABLET_HISTORY; i++) {
        walk(EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA);
        walk(EVENT_DRAIN, TOPODATA__TABLET_TYPE__UNKNOWN);
    }
    struct tablet_view view;
    tablet_get_view(context.tablet, &view);
    cr_assert_eq(view.history_count, TABLET_HISTORY);
    cr_assert_str_eq(view.history[0].text, "drain: following -> drained, type drained");
    cr_assert_str_eq(view.history[1].text, "follow: drained -> following, type replica");
}

Test(tablet, a_refused_event_leaves_the_type, .init = set_up, .fini = tear_down)
{
    walk(EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA);
    walk(EVENT_RESTORE, TOPODATA__TABLET_TYPE__UNKNOWN);
    struct error *error = tablet_change_type(&context, NULL, TOPODATA__TABLET_TYPE__PRIMARY,
                                             TABLET_SET_READ_WRITE, SEMI_SYNC_NONE);
    cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
    error_free(error);
    cr_assert_eq(snapshot().type, TOPODATA__TABLET_TYPE__RESTORE);
}
