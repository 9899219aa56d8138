#include "agent/health/heartbeat.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"

#define COMPONENT "heartbeat"
/* A write that waits for semi-sync is left alone for so long: each is a transaction. */
#define WRITE_TIMEOUT_MS 60000

struct heartbeat {
    struct heartbeat_options options;
    struct worker *worker;
    /* loop thread */
    struct loop_timer *timer;
    bool is_running, was_primary;
    int64_t leased_until_ms;
    /* the writing thread */
    bool has_complained;
};

/* ---- The write, on its thread ---- */

/* Whether the server is read-only is asked in the statement itself: there is no moment in between.
 */
static char *
write_sql(const struct tablet_identity *identity)
{
    CLEANUP(freep) char *database = db_quote_name(identity->sidecar);
    CLEANUP(freep) char *key = xasprintf("%s:%s", identity->keyspace, identity->shard);
    CLEANUP(freep) char *quoted = db_quote(key, strlen(key));
    return xasprintf("INSERT INTO %s.heartbeat (ts, tabletUid, keyspaceShard)"
                     " SELECT %lld, %u, %s FROM DUAL WHERE @@global.read_only = 0"
                     " ON DUPLICATE KEY UPDATE ts = VALUES(ts), tabletUid = VALUES(tabletUid)",
                     database, (long long)clock_wall_ns(), (unsigned)identity->alias.uid, quoted);
}

static struct error *
write_row(const struct tablet_context *context)
{
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(context->stop, WRITE_TIMEOUT_MS);
    struct db *db = NULL;
    TRY(db_pool_take(context->dba_pool, cancel, &db));
    CLEANUP(freep) char *sql = write_sql(context->identity);
    struct error *error = db_execute(db, cancel, sql);
    db_pool_give(context->dba_pool, db);
    return error;
}

static void
written_on_loop(void *data)
{
    ((struct heartbeat *)data)->is_running = false;
}

static void
write_on_thread(void *data)
{
    struct heartbeat *heartbeat = data;
    struct error *error = write_row(heartbeat->options.context);
    bool has_failed = error != NULL;
    bool is_news = has_failed && !heartbeat->has_complained &&
                   !cancel_is_requested(heartbeat->options.context->stop);
    if (is_news)
        LOG_WARN(COMPONENT, "not written: %s; trying again", error->message);
    heartbeat->has_complained = has_failed;
    error_free(error);
    loop_call(heartbeat->options.context->loop, COMPONENT, written_on_loop, heartbeat);
}

/* ---- The loop's side ---- */

static void
on_timer(void *data)
{
    struct heartbeat *heartbeat = data;
    const struct heartbeat_options *options = &heartbeat->options;
    loop_timer_start(heartbeat->timer, options->interval_ms);
    bool is_primary = tablet_get_state(options->context->tablet) == STATE_PRIMARY;
    int64_t now_ms = clock_monotonic_ms();
    if (is_primary && !heartbeat->was_primary)
        heartbeat->leased_until_ms = now_ms + options->lease_ms;
    heartbeat->was_primary = is_primary;
    bool is_wanted = options->is_always_on || now_ms < heartbeat->leased_until_ms;
    if (!is_primary || !is_wanted || heartbeat->is_running)
        return;
    heartbeat->is_running = true;
    worker_submit(heartbeat->worker, write_on_thread, heartbeat);
}

struct error *
heartbeat_new(const struct heartbeat_options *options, struct heartbeat **ret_heartbeat)
{
    *ret_heartbeat = NULL;
    if (!options->is_always_on && options->lease_ms == 0)
        return NULL;
    struct worker *worker = NULL;
    TRY(worker_new(COMPONENT, 1, &worker));
    struct heartbeat *heartbeat = xcalloc(1, sizeof(*heartbeat));
    heartbeat->options = *options;
    heartbeat->worker = worker;
    *ret_heartbeat = heartbeat;
    return NULL;
}

void
heartbeat_start(struct heartbeat *heartbeat)
{
    if (heartbeat == NULL)
        return;
    heartbeat->timer =
        loop_timer_new(heartbeat->options.context->loop, COMPONENT, on_timer, heartbeat);
    on_timer(heartbeat);
}

static void
lease_on_loop(void *data)
{
    struct heartbeat *heartbeat = data;
    heartbeat->leased_until_ms = clock_monotonic_ms() + heartbeat->options.lease_ms;
}

void
heartbeat_request(struct heartbeat *heartbeat)
{
    if (heartbeat != NULL && heartbeat->options.lease_ms > 0)
        loop_post(heartbeat->options.context->loop, COMPONENT, lease_on_loop, heartbeat);
}

void
heartbeat_end(struct heartbeat *heartbeat)
{
    if (heartbeat == NULL)
        return;
    loop_timer_free(heartbeat->timer);
    heartbeat->timer = NULL;
}

void
heartbeat_free(struct heartbeat *heartbeat)
{
    if (heartbeat == NULL)
        return;
    worker_free(heartbeat->worker);
    freep(&heartbeat);
}
