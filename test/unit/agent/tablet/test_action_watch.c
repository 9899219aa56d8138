/* Which action should have ended by now; before the loop runs its thread is ours. */
#include <criterion/criterion.h>

#include "agent/base/clock.h"
#include "agent/tablet/action_watch.h"

static struct loop *loop;
static struct action_watch *watch;
static struct action_view view;

static void
set_up(void)
{
    struct error *error = loop_new(&loop);
    cr_assert_null(error);
    watch = action_watch_new(loop);
}

static void
tear_down(void)
{
    action_watch_free(watch);
    loop_free(loop);
}

Test(action_watch, an_action_without_a_deadline_may_go_on, .init = set_up, .fini = tear_down)
{
    int64_t now_ms = clock_monotonic_ms();
    action_watch_read(watch, now_ms, &view);
    cr_assert_null(view.name);
    action_watch_begin(watch, "Sleep", NULL);
    action_watch_read(watch, now_ms + 10000000, &view);
    cr_assert_str_eq(view.name, "Sleep");
    cr_assert_geq(view.since_ms, now_ms);
    cr_assert_eq(view.overdue_since_ms, 0);
    action_watch_end(watch);
    action_watch_read(watch, now_ms, &view);
    cr_assert_null(view.name);
}

Test(action_watch, it_is_overdue_from_its_deadline_on, .init = set_up, .fini = tear_down)
{
    int64_t now_ms = clock_monotonic_ms();
    struct cancel *cancel = cancel_new(now_ms - 5000);
    action_watch_begin(watch, "SetReadOnly", cancel);
    action_watch_read(watch, now_ms, &view);
    cr_assert_eq(view.overdue_since_ms, now_ms - 5000);
    cancel_unref(cancel); /* the watch has its own reference */
    action_watch_read(watch, now_ms + 1000, &view);
    cr_assert_eq(view.overdue_since_ms, now_ms - 5000);
    action_watch_end(watch);
    action_watch_begin(watch, "Sleep", NULL); /* the next one starts afresh */
    action_watch_read(watch, now_ms + 1000, &view);
    cr_assert_eq(view.overdue_since_ms, 0);
}

Test(action_watch, it_is_overdue_from_when_its_caller_is_seen_gone, .init = set_up,
     .fini = tear_down)
{
    int64_t now_ms = clock_monotonic_ms();
    struct cancel *cancel = cancel_new(INT64_MAX);
    action_watch_begin(watch, "SetReadOnly", cancel);
    action_watch_read(watch, now_ms + 1000, &view);
    cr_assert_eq(view.overdue_since_ms, 0);
    cancel_request(cancel);
    action_watch_read(watch, now_ms + 2000, &view);
    action_watch_read(watch, now_ms + 9000, &view);
    cr_assert_eq(view.overdue_since_ms, now_ms + 2000);
    cancel_unref(cancel);
}
