#include "agent/tablet/action_watch.h"

#include "agent/base/clock.h"
#include "agent/base/memory.h"

#define COMPONENT "action-watch"

struct action_watch {
    struct loop *loop;
    /* loop thread */
    struct action_view view;
    struct cancel *cancel;
};

struct action_watch *
action_watch_new(struct loop *loop)
{
    struct action_watch *watch = xcalloc(1, sizeof(*watch));
    watch->loop = loop;
    return watch;
}

static void
end_on_loop(void *data)
{
    struct action_watch *watch = data;
    cancel_unrefp(&watch->cancel);
    watch->view = (struct action_view){.name = NULL};
}

void
action_watch_free(struct action_watch *watch)
{
    if (watch == NULL)
        return;
    end_on_loop(watch);
    freep(&watch);
}

struct begin_call {
    struct action_watch *watch;
    const char *name;
    struct cancel *cancel;
};

static void
begin_on_loop(void *data)
{
    const struct begin_call *call = data;
    struct action_watch *watch = call->watch;
    watch->cancel = cancel_ref(call->cancel);
    watch->view = (struct action_view){.name = call->name, .since_ms = clock_monotonic_ms()};
}

void
action_watch_begin(struct action_watch *watch, const char *name, struct cancel *cancel)
{
    struct begin_call call = {watch, name, cancel};
    loop_call(watch->loop, COMPONENT, begin_on_loop, &call);
}

void
action_watch_end(struct action_watch *watch)
{
    loop_call(watch->loop, COMPONENT, end_on_loop, watch);
}

static int64_t
overdue_since(const struct cancel *cancel, int64_t now_ms)
{
    int64_t deadline_ms = cancel_deadline_ms(cancel);
    return deadline_ms < now_ms ? deadline_ms : now_ms;
}

void
action_watch_read(struct action_watch *watch, int64_t now_ms, struct action_view *ret_view)
{
    struct action_view *view = &watch->view;
    if (view->overdue_since_ms == 0 && cancel_is_requested(watch->cancel))
        view->overdue_since_ms = overdue_since(watch->cancel, now_ms);
    *ret_view = *view;
}
