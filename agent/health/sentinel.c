#include "agent/health/sentinel.h"

#include "agent/base/clock.h"
#include "agent/base/loop.h"
#include "agent/base/memory.h"

#define COMPONENT "sentinel"
#define CONNECT_TIMEOUT_MS 5000
#define PAUSE_MS 1000          /* between two connections */
#define PAUSE_REFUSED_MS 10000 /* after one that was not to be had */

struct sentinel {
    struct tablet_context *context;
    void (*on_event)(void *data);
    void *data;
    struct worker *worker;
    /* loop thread */
    struct db *db;
    struct loop_watch *watch;
    bool is_connecting, is_ended, was_refused;
    int64_t tried_ms;
};

static void
close_on_thread(void *data)
{
    db_close(data);
}

static void
drop(struct sentinel *sentinel)
{
    loop_unwatch(sentinel->watch);
    sentinel->watch = NULL;
    if (sentinel->db != NULL)
        worker_submit(sentinel->worker, close_on_thread, sentinel->db);
    sentinel->db = NULL;
}

/* Nothing was asked, so anything that can be read is a farewell. */
static void
on_readable(void *data)
{
    struct sentinel *sentinel = data;
    drop(sentinel);
    sentinel->on_event(sentinel->data);
}

struct connected_call {
    struct sentinel *sentinel;
    struct db *db;
};

static void
connected_on_loop(void *data)
{
    struct connected_call *call = data;
    struct sentinel *sentinel = call->sentinel;
    sentinel->is_connecting = false;
    sentinel->db = call->db;
    sentinel->was_refused = call->db == NULL;
    if (sentinel->is_ended || call->db == NULL)
        return;
    sentinel->watch = loop_watch_readable(sentinel->context->loop, db_descriptor(call->db),
                                          on_readable, sentinel);
}

static void
connect_on_thread(void *data)
{
    struct sentinel *sentinel = data;
    struct connected_call call = {.sentinel = sentinel};
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(sentinel->context->stop, CONNECT_TIMEOUT_MS);
    /* A server that cannot be reached is the probe's to report. */
    error_free(db_open(&sentinel->context->dba_params, cancel, &call.db));
    loop_call(sentinel->context->loop, COMPONENT, connected_on_loop, &call);
}

struct error *
sentinel_new(struct tablet_context *context, void (*on_event)(void *data), void *data,
             struct sentinel **ret_sentinel)
{
    struct worker *worker = NULL;
    TRY(worker_new(COMPONENT, 1, &worker));
    struct sentinel *sentinel = xcalloc(1, sizeof(*sentinel));
    *sentinel =
        (struct sentinel){.context = context, .on_event = on_event, .data = data, .worker = worker};
    *ret_sentinel = sentinel;
    return NULL;
}

void
sentinel_keep(struct sentinel *sentinel)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t pause_ms = sentinel->was_refused ? PAUSE_REFUSED_MS : PAUSE_MS;
    bool is_too_soon = sentinel->tried_ms != 0 && now_ms - sentinel->tried_ms < pause_ms;
    if (sentinel->db != NULL || sentinel->is_connecting || sentinel->is_ended || is_too_soon)
        return;
    sentinel->tried_ms = now_ms;
    sentinel->is_connecting = true;
    worker_submit(sentinel->worker, connect_on_thread, sentinel);
}

void
sentinel_end(struct sentinel *sentinel)
{
    if (sentinel == NULL)
        return;
    sentinel->is_ended = true;
    loop_unwatch(sentinel->watch);
    sentinel->watch = NULL;
}

void
sentinel_free(struct sentinel *sentinel)
{
    if (sentinel == NULL)
        return;
    worker_free(sentinel->worker);
    db_close(sentinel->db);
    freep(&sentinel);
}
