/* Following another tablet. */
#include "agent/actions/own_writes.h"
#include "agent/actions/source_plan.h"
#include "agent/actions/steps.h"
#include "agent/base/log.h"
#include "replication/durability.h"

static void
tablet_free(Topodata__Tablet **tablet)
{
    if (*tablet != NULL)
        topodata__tablet__free_unpacked(*tablet, NULL);
}

static void
message_free(ProtobufCMessage **message)
{
    if (*message != NULL)
        protobuf_c_message_free_unpacked(*message, NULL);
}

static struct error *
ask_parent(struct tablet_context *context, struct cancel *cancel, const Topodata__Tablet *parent,
           struct position **ret_position, char **ret_uuid)
{
    Tabletmanagerdata__PrimaryStatusRequest request =
        TABLETMANAGERDATA__PRIMARY_STATUS_REQUEST__INIT;
    CLEANUP(message_free) ProtobufCMessage *response = NULL;
    TRY(tm_call(context->tm_client, parent, "PrimaryStatus", &request.base,
                &tabletmanagerdata__primary_status_response__descriptor, cancel, &response));
    const Replicationdata__PrimaryStatus *status =
        ((const Tabletmanagerdata__PrimaryStatusResponse *)response)->status;
    if (status == NULL)
        return error_new(ERROR_INTERNAL, "the primary answered PrimaryStatus without a status");
    TRY(error_wrap(position_parse(status->position, ret_position), "position of the primary"));
    *ret_uuid = xstrdup(status->server_uuid);
    return NULL;
}

static struct error *
refuse_errant(struct tablet_context *context, struct db *db, struct cancel *cancel,
              const struct full_status *now, const Topodata__Tablet *parent)
{
    /* Ours is read first: what the parent executes in between only adds to its side. */
    CLEANUP(position_freep)
    struct position *executed = NULL, *ours = NULL, *theirs = NULL, *errant = NULL;
    CLEANUP(freep) char *uuid = NULL;
    TRY(executed_position_read(db, cancel, &executed));
    ours = now->is_replica ? position_union(executed, now->replication.relay_log_position)
                           : position_copy(executed);
    TRY(ask_parent(context, cancel, parent, &theirs, &uuid));
    TRY(errant_transactions_find(ours, theirs, uuid, &errant));
    if (!position_is_empty(errant))
        return errant_transactions_refuse(errant, ours);
    return own_writes_refuse(context, cancel, now, executed, parent);
}

/* With a token of its own: a caller who goes away must not leave replication stopped in between. */
static struct error *
carry_out(struct tablet_context *context, struct db *db, const struct source_plan *plan,
          const Topodata__Tablet *parent, double heartbeat_interval)
{
    CLEANUP(cancel_unrefp) struct cancel *own = dba_own_cancel(context);
    if (plan->needs_stop)
        TRY(step_stop(context, db, own));
    if (plan->needs_change)
        TRY(step_change_source(context, db, own, parent, heartbeat_interval));
    if (plan->needs_start)
        TRY(step_start(context, db, own));
    return NULL;
}

struct follow {
    const Topodata__Tablet *parent;
    double heartbeat_interval;
    bool forces_start;
    enum semi_sync_action semi_sync;
};

static struct error *
follow(struct tablet_context *context, struct db *db, struct cancel *cancel,
       const struct full_status *now, const struct follow *wanted, bool *ret_should_run)
{
    TRY(semi_sync_fix(db, cancel, wanted->semi_sync, false));
    if (str_is_empty(wanted->parent->mysql_hostname))
        return error_new(ERROR_FAILED_PRECONDITION, "shard primary has empty mysql hostname");
    TRY(refuse_errant(context, db, cancel, now, wanted->parent));
    struct source_wish wish = {
        .host = wanted->parent->mysql_hostname,
        .port = wanted->parent->mysql_port,
        .heartbeat_interval = wanted->heartbeat_interval,
        .forces_start = wanted->forces_start,
        .semi_sync = wanted->semi_sync,
    };
    struct source_plan plan = source_plan_make(now, &wish);
    TRY(cancel_check(cancel));
    TRY(carry_out(context, db, &plan, wanted->parent, wanted->heartbeat_interval));
    *ret_should_run = plan.should_run;
    return NULL;
}

/* Being told of another primary is reason enough to cease being one, even if the rest fails. */
static struct error *
cease_to_be_primary(struct tablet_context *context, struct db *db, struct cancel *cancel)
{
    if (step_type(context) != TOPODATA__TABLET_TYPE__PRIMARY)
        return NULL;
    TRY(step_leave_primary(context, cancel));
    bool is_read_only = false;
    TRY(server_is_read_only(db, cancel, &is_read_only));
    if (is_read_only)
        return NULL;
    LOG_WARN("actions", "a writable primary was told to follow another: setting it read-only");
    return replication_fence(db, &context->dba_params, true, cancel);
}

static struct error *
wait_until_caught_up(struct tablet_context *context, struct db *db, struct cancel *cancel,
                     const struct set_source_request *request)
{
    if (!str_is_empty(request->wait_position)) {
        CLEANUP(position_freep) struct position *wanted = NULL;
        TRY(position_parse(request->wait_position, &wanted));
        TRY(replication_wait_for_position(db, cancel, wanted));
    }
    if (request->time_created_ns != 0)
        TRY(reparent_journal_wait(db, cancel, context->identity->sidecar,
                                  request->time_created_ns));
    return NULL;
}

struct error *
action_set_replication_source(struct tablet_context *context, struct cancel *cancel,
                              const struct set_source_request *request)
{
    if (tablet_alias_equal(&request->parent, &context->identity->alias))
        return error_new(ERROR_FAILED_PRECONDITION, "a tablet cannot follow itself");
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    struct follow wanted = {.heartbeat_interval = request->heartbeat_interval,
                            .forces_start = request->forces_start,
                            .semi_sync = SEMI_SYNC_NONE};
    if (!request->leaves_semi_sync)
        TRY(semi_sync_action_of(dba.db, cancel, request->semi_sync, &wanted.semi_sync));
    TRY(cease_to_be_primary(context, dba.db, cancel));
    if (tablet_alias_is_zero(&request->parent))
        return error_new(ERROR_FAILED_PRECONDITION, "Shard primaryAlias is nil");

    CLEANUP(full_status_done) struct full_status now = {0};
    TRY(full_status_read(dba.db, cancel, &now));
    CLEANUP(tablet_free) Topodata__Tablet *parent = NULL;
    TRY(topo_get_tablet(context->topo, cancel, &request->parent, &parent, NULL));
    wanted.parent = parent;
    bool should_run = false;
    TRY(follow(context, dba.db, cancel, &now, &wanted, &should_run));
    tablet_poke_health(context);
    return should_run ? wait_until_caught_up(context, dba.db, cancel, request) : NULL;
}

/* The shard's primary if that is somebody else, NULL otherwise. */
static struct error *
find_primary(struct tablet_context *context, struct cancel *cancel, Topodata__Tablet **ret_tablet)
{
    const struct tablet_identity *identity = context->identity;
    Topodata__Shard *shard = NULL;
    TRY(topo_get_shard(context->topo, cancel, identity->keyspace, identity->shard, &shard, NULL));
    struct tablet_alias primary = tablet_alias_of(shard->primary_alias);
    topodata__shard__free_unpacked(shard, NULL);
    if (tablet_alias_is_zero(&primary) || tablet_alias_equal(&primary, &identity->alias))
        return NULL;
    return error_wrap(topo_get_tablet(context->topo, cancel, &primary, ret_tablet, NULL),
                      "cannot read the primary's tablet record");
}

static struct error *
semi_sync_by_policy(struct tablet_context *context, struct db *db, struct cancel *cancel,
                    const Topodata__Tablet *primary, enum semi_sync_action *ret_action)
{
    CLEANUP(freep) char *name = NULL;
    TRY(topo_get_durability(context->topo, cancel, context->identity->keyspace, &name));
    const struct durability_policy *policy = NULL;
    TRY(durability_policy_find(name, &policy));
    struct tablet_alias alias = tablet_alias_of(primary->alias);
    bool acks = durability_replica_acks(policy, (int)step_type(context),
                                        context->identity->alias.cell, alias.cell);
    return semi_sync_action_of(db, cancel, acks, ret_action);
}

struct error *
action_initialize_replication(struct tablet_context *context, struct cancel *cancel,
                              bool *ret_follows)
{
    CLEANUP(tablet_free) Topodata__Tablet *primary = NULL;
    if (context->identity->has_active_reparents &&
        step_type(context) != TOPODATA__TABLET_TYPE__PRIMARY)
        TRY(find_primary(context, cancel, &primary));
    if (primary == NULL || str_is_empty(primary->mysql_hostname)) {
        *ret_follows = false;
        return NULL;
    }
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    struct follow wanted = {.parent = primary, .forces_start = true};
    TRY(semi_sync_by_policy(context, dba.db, cancel, primary, &wanted.semi_sync));
    CLEANUP(full_status_done) struct full_status now = {0};
    TRY(full_status_read(dba.db, cancel, &now));
    bool should_run = false;
    TRY(follow(context, dba.db, cancel, &now, &wanted, &should_run));
    *ret_follows = true;
    return NULL;
}
