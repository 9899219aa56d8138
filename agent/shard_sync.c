#include "agent/shard_sync.h"

#include <stdatomic.h>

#include "agent/actions/actions.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"

#define COMPONENT "shard-sync"
#define END_TERM_TIMEOUT_MS 60000

struct shard_sync {
    struct tablet_context *context;
    int64_t retry_ms;
    struct worker *worker;       /* one looks at the record */
    struct worker *watch_worker; /* one watches it, while we are primary */
    /* loop thread */
    bool is_started, is_running, is_wanted_again, is_ending;
    struct loop_timer *timer;
    struct cancel *watch; /* the running watch's token; NULL: none */
};

enum shard_sync_step
shard_sync_decide(const struct tablet_alias *ours, int64_t our_term_ns,
                  const struct tablet_alias *primary, int64_t shard_term_ns)
{
    if (our_term_ns > shard_term_ns)
        return SHARD_SYNC_WRITE;
    if (our_term_ns == shard_term_ns)
        return SHARD_SYNC_NOTHING;
    return tablet_alias_equal(ours, primary) ? SHARD_SYNC_ADOPT : SHARD_SYNC_END;
}

/* ---- Looking at the record, on the worker ---- */

struct look {
    struct shard_sync *sync;
    int64_t our_term_ns;
    enum shard_sync_step step;
    struct tablet_alias primary;
    int64_t shard_term_ns;
    bool has_failed;
};

static void
set_primary(Topodata__Shard *shard, const struct tablet_alias *alias, int64_t term_ns)
{
    if (shard->primary_alias == NULL) {
        shard->primary_alias = xmalloc(sizeof(*shard->primary_alias));
        topodata__tablet_alias__init(shard->primary_alias);
    } else if (shard->primary_alias->cell != protobuf_c_empty_string) {
        freep(&shard->primary_alias->cell);
    }
    shard->primary_alias->cell = xstrdup(alias->cell);
    shard->primary_alias->uid = alias->uid;
    if (shard->primary_term_start_time == NULL) {
        shard->primary_term_start_time = xmalloc(sizeof(*shard->primary_term_start_time));
        vttime__time__init(shard->primary_term_start_time);
    }
    shard->primary_term_start_time->seconds = term_ns / 1000000000;
    shard->primary_term_start_time->nanoseconds = (int32_t)(term_ns % 1000000000);
}

/* topo_change_shard: decided anew for each version that was read. */
static bool
change_shard(Topodata__Shard *shard, void *data)
{
    struct look *look = data;
    const struct tablet_alias *ours = &look->sync->context->identity->alias;
    look->primary = tablet_alias_of(shard->primary_alias);
    look->shard_term_ns = tablet_time_ns(shard->primary_term_start_time);
    look->step = shard_sync_decide(ours, look->our_term_ns, &look->primary, look->shard_term_ns);
    if (look->step != SHARD_SYNC_WRITE)
        return false;
    set_primary(shard, ours, look->our_term_ns);
    return true;
}

static struct error *
look_at_record(struct look *look)
{
    struct tablet_context *context = look->sync->context;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel =
        cancel_new_child(context->stop, context->identity->remote_operation_timeout_ms);
    return topo_update_shard(context->topo, cancel, context->identity->keyspace,
                             context->identity->shard, change_shard, look);
}

/* ---- The end of our term, on the action thread ---- */

static void
ended_on_loop(void *data)
{
    struct shard_sync *sync = data;
    sync->is_ending = false;
    shard_sync_wake(sync);
}

static struct error *
end_term(struct tablet_context *context, struct cancel *cancel, const struct look *look)
{
    struct tablet_snapshot now;
    tablet_get_snapshot(context->tablet, &now);
    if (now.type != TOPODATA__TABLET_TYPE__PRIMARY || now.term_start_ns != look->our_term_ns)
        return NULL; /* something else ended it, or a newer one began */
    if (!context->identity->has_active_reparents)
        return tablet_change_type(context, cancel, context->identity->init_type,
                                  TABLET_LEAVE_READ_ONLY, SEMI_SYNC_NONE);
    return action_end_term(context, cancel, &look->primary);
}

static void
end_term_on_action_thread(void *data)
{
    struct look *look = data;
    struct shard_sync *sync = look->sync;
    struct tablet_context *context = sync->context;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(context->stop, END_TERM_TIMEOUT_MS);
    char primary[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(&look->primary, primary);
    LOG_WARN(COMPONENT, "our primary term is over: '%s' has a newer one; stepping down", primary);
    struct error *error = end_term(context, cancel, look);
    bool has_failed = error != NULL;
    log_error_take(LOG_LEVEL_ERROR, COMPONENT, error, "stepping down is tried again");
    /* On failure a pause, on success a look that finds nothing to do. */
    if (has_failed)
        error_free(cancel_sleep_ms(context->stop, 1000));
    loop_call(context->loop, COMPONENT, ended_on_loop, sync);
    freep(&look);
}

static void
adopt_term(struct tablet_context *context, int64_t term_ns)
{
    log_error_take(
        LOG_LEVEL_WARN, COMPONENT,
        tablet_walk(context, EVENT_RESUME_PRIMARY, TOPODATA__TABLET_TYPE__PRIMARY, term_ns),
        "the shard's newer term of ours is not taken");
    tablet_publish_later(context);
}

/* ---- The loop's side ---- */

static void look_on_worker(void *data);

static void
looked_on_loop(void *data)
{
    struct look *look = data;
    struct shard_sync *sync = look->sync;
    sync->is_running = false;
    if (!sync->is_started)
        return;
    if (look->has_failed)
        loop_timer_start(sync->timer, sync->retry_ms);
    if (look->step == SHARD_SYNC_END && !sync->is_ending) {
        sync->is_ending = true;
        worker_submit(sync->context->action_worker, end_term_on_action_thread,
                      xmemdup(look, sizeof(*look)));
    }
    if (sync->is_wanted_again)
        shard_sync_wake(sync);
}

static void
look_on_worker(void *data)
{
    struct shard_sync *sync = data;
    struct tablet_context *context = sync->context;
    struct look look = {.sync = sync, .step = SHARD_SYNC_NOTHING};
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    if (snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY &&
        tablet_get_state(context->tablet) != STATE_STOPPED) {
        look.our_term_ns = snapshot.term_start_ns;
        struct error *error = look_at_record(&look);
        look.has_failed = error != NULL;
        if (error == NULL && look.step == SHARD_SYNC_WRITE)
            LOG_INFO(COMPONENT, "the shard record shows us as primary");
        log_error_take(LOG_LEVEL_WARN, COMPONENT, error, "the shard record is compared later");
        if (look.step == SHARD_SYNC_ADOPT)
            adopt_term(context, look.shard_term_ns);
    }
    loop_call(context->loop, COMPONENT, looked_on_loop, &look);
}

/* ---- The watch ---- */

struct watch_call {
    struct shard_sync *sync;
    struct cancel *cancel;
};

static void
wake_on_loop(void *data)
{
    shard_sync_wake(data);
}

static void
on_shard_changed(const struct topo_value *value, void *data)
{
    (void)value;
    struct shard_sync *sync = data;
    loop_post(sync->context->loop, COMPONENT, wake_on_loop, sync);
}

static void
watch_on_worker(void *data)
{
    struct watch_call *call = data;
    const struct tablet_identity *identity = call->sync->context->identity;
    CLEANUP(freep)
    char *path = xasprintf("keyspaces/%s/shards/%s/Shard", identity->keyspace, identity->shard);
    struct error *error = topo_watch(topo_global(call->sync->context->topo), call->cancel, path,
                                     on_shard_changed, call->sync);
    if (!cancel_is_requested(call->cancel))
        log_error_take(LOG_LEVEL_WARN, COMPONENT, error, "the shard record is not watched");
    else
        error_free(error);
    cancel_unref(call->cancel);
    freep(&call);
}

static void
start_watch(struct shard_sync *sync)
{
    sync->watch = cancel_new_child(sync->context->stop, INT64_MAX);
    struct watch_call *call = xcalloc(1, sizeof(*call));
    call->sync = sync;
    call->cancel = cancel_ref(sync->watch);
    worker_submit(sync->watch_worker, watch_on_worker, call);
}

static void
end_watch(struct shard_sync *sync)
{
    cancel_request(sync->watch);
    cancel_unrefp(&sync->watch);
}

static void
fit_watch(struct shard_sync *sync)
{
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(sync->context->tablet, &snapshot);
    bool wants_watch = snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY;
    if (wants_watch && sync->watch == NULL)
        start_watch(sync);
    else if (!wants_watch && sync->watch != NULL)
        end_watch(sync);
}

void
shard_sync_wake(struct shard_sync *sync)
{
    if (!sync->is_started)
        return;
    fit_watch(sync);
    sync->is_wanted_again = sync->is_running;
    if (sync->is_running)
        return;
    sync->is_running = true;
    loop_timer_stop(sync->timer);
    worker_submit(sync->worker, look_on_worker, sync);
}

struct error *
shard_sync_new(struct tablet_context *context, int64_t retry_ms, struct shard_sync **ret_sync)
{
    struct shard_sync *sync = xcalloc(1, sizeof(*sync));
    sync->context = context;
    sync->retry_ms = retry_ms;
    struct error *error = worker_new("shard-sync", 1, &sync->worker);
    if (error == NULL)
        error = worker_new("shard-watch", 1, &sync->watch_worker);
    if (error != NULL) {
        worker_free(sync->worker);
        freep(&sync);
        return error;
    }
    *ret_sync = sync;
    return NULL;
}

void
shard_sync_start(struct shard_sync *sync)
{
    sync->is_started = true;
    sync->timer = loop_timer_new(sync->context->loop, COMPONENT, wake_on_loop, sync);
    shard_sync_wake(sync);
}

void
shard_sync_stop(struct shard_sync *sync)
{
    sync->is_started = false;
    loop_timer_free(sync->timer);
    sync->timer = NULL;
    end_watch(sync);
}

void
shard_sync_free(struct shard_sync *sync)
{
    if (sync == NULL)
        return;
    worker_free(sync->worker);
    worker_free(sync->watch_worker);
    freep(&sync);
}
