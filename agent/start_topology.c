/* The start's steps in the topology. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/daemon_private.h"
#include "agent/primaryship.h"

#define COMPONENT "start"
#define GRAPH_PAUSE_MS 1000
#define GRAPH_LONGEST_PAUSE_MS 30000

static void
shard_freep(Topodata__Shard **shard)
{
    if (*shard != NULL)
        topodata__shard__free_unpacked(*shard, NULL);
}

/* ---- The serving graph, in the background: other shards may have to come first ---- */

static struct error *
ensure_serving_graph_once(struct tablet_context *context)
{
    const struct tablet_identity *identity = context->identity;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel =
        cancel_new_child(context->stop, 2 * identity->remote_operation_timeout_ms);
    return topo_ensure_serving_graph(context->topo, cancel, identity->alias.cell,
                                     identity->keyspace);
}

static void
ensure_serving_graph(void *data)
{
    struct tablet_context *context = &((struct daemon *)data)->context;
    int64_t pause_ms = GRAPH_PAUSE_MS;
    for (;;) {
        struct error *error = ensure_serving_graph_once(context);
        if (error == NULL || cancel_is_requested(context->stop)) {
            error_free(error);
            return;
        }
        /* Waiting for the other shards of a keyspace is ordinary. */
        enum log_level level =
            error_is(error, ERROR_FAILED_PRECONDITION) ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
        log_error_take(level, COMPONENT, error, "the serving graph is built later");
        error_free(cancel_sleep_ms(context->stop, pause_ms));
        pause_ms = pause_ms * 2 < GRAPH_LONGEST_PAUSE_MS ? pause_ms * 2 : GRAPH_LONGEST_PAUSE_MS;
    }
}

/* ---- Shard and keyspace ---- */

/* Query workers may read the name already, so it is exchanged, not freed; it differs only in
 * keyspaces with a sidecar database of another name. */
static void
take_sidecar(struct tablet_identity *identity, char *take_sidecar_name)
{
    if (str_equal(identity->sidecar, take_sidecar_name)) {
        freep(&take_sidecar_name);
        return;
    }
    __atomic_store_n(&identity->sidecar, take_sidecar_name, __ATOMIC_RELEASE);
}

struct error *
start_take_shard(struct daemon *daemon, struct cancel *cancel)
{
    struct tablet_context *context = &daemon->context;
    struct tablet_identity *identity = &daemon->config->identity;
    CLEANUP(shard_freep) Topodata__Shard *shard = NULL;
    char *sidecar = NULL;
    TRY(topo_get_or_create_shard(context->topo, cancel, identity->keyspace, identity->shard, &shard,
                                 &sidecar));
    take_sidecar(identity, sidecar);
    return NULL;
}

/* Before anything is created: the cell may be unknown, the alias may belong to another shard. */
struct error *
start_check_record(struct daemon *daemon, struct cancel *cancel)
{
    const struct tablet_identity *identity = daemon->context.identity;
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = NULL;
    struct topo_conn *cell = NULL;
    TRY(topo_cell(daemon->context.topo, cancel, identity->alias.cell, &cell));
    struct error *error =
        topo_get_tablet(daemon->context.topo, cancel, &identity->alias, &record, NULL);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return NULL;
    }
    TRY(error);
    if (str_equal(record->keyspace, identity->keyspace) &&
        str_equal(record->shard, identity->shard))
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "tablet '%s' is registered in shard '%s/%s', not '%s/%s': delete its record "
                     "first, or use another uid",
                     identity->alias_text, record->keyspace, record->shard, identity->keyspace,
                     identity->shard);
}

/* ---- Primary or not ---- */

static struct error *
read_facts(struct tablet_context *context, struct cancel *cancel, struct primaryship_facts *facts)
{
    const struct tablet_identity *identity = context->identity;
    CLEANUP(shard_freep) Topodata__Shard *shard = NULL;
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = NULL;
    TRY(topo_get_shard(context->topo, cancel, identity->keyspace, identity->shard, &shard, NULL));
    struct error *error = topo_get_tablet(context->topo, cancel, &identity->alias, &record, NULL);
    /* The cell must be there, only the record may be missing. */
    struct topo_conn *cell = NULL;
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        error = topo_cell(context->topo, cancel, identity->alias.cell, &cell);
    }
    TRY(error);
    struct tablet_alias primary = tablet_alias_of(shard->primary_alias);
    *facts = (struct primaryship_facts){
        .is_named = tablet_alias_equal(&primary, &identity->alias),
        .shard_term_ns = tablet_time_ns(shard->primary_term_start_time),
        .now_ns = clock_wall_ns(),
    };
    if (record != NULL) {
        facts->has_record = true;
        facts->record_type = record->type;
        facts->record_term_ns = tablet_time_ns(record->primary_term_start_time);
    }
    return NULL;
}

struct error *
start_take_role(struct daemon *daemon, struct cancel *cancel)
{
    struct tablet_context *context = &daemon->context;
    struct primaryship_facts facts = {0};
    TRY(read_facts(context, cancel, &facts));
    struct primaryship decision = primaryship_decide(&facts);
    daemon->is_primary = decision.is_primary;
    LOG_INFO(COMPONENT, "role: %s (%s)",
             decision.is_primary ? "primary" : tablet_type_name(context->identity->init_type),
             decision.why);
    if (decision.is_primary)
        return tablet_walk(context, EVENT_RESUME_PRIMARY, TOPODATA__TABLET_TYPE__PRIMARY,
                           decision.term_ns);
    return tablet_walk(context, EVENT_FOLLOW, context->identity->init_type, 0);
}

static void
start_shard_sync(void *data)
{
    struct daemon *daemon = data;
    if (!daemon->is_stopping)
        shard_sync_start(daemon->shard_sync);
}

struct error *
start_register(struct daemon *daemon, struct cancel *cancel)
{
    TRY(tablet_start_publishing(&daemon->context, cancel));
    loop_call(daemon->context.loop, COMPONENT, start_shard_sync, daemon);
    worker_submit(daemon->context.wait_worker, ensure_serving_graph, daemon);
    return NULL;
}
