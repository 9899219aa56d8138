/* Becoming a primary, and a replica that starts from nothing. */
#include "agent/actions/steps.h"
#include "agent/base/log.h"
#include "agent/mysql/dialect.h"

/* CREATE DATABASE forces one event into the binary log, which every replica then has to have. */
static struct error *
write_first_event(struct tablet_context *context, struct db *db, struct cancel *cancel,
                  char **ret_position)
{
    if (db_dialect(db)->has_super_read_only)
        TRY(db_execute(db, cancel, "SET GLOBAL super_read_only = OFF"));
    TRY(sidecar_create_database(db, cancel, context->identity->sidecar));
    return step_executed_text(db, cancel, ret_position);
}

/* Puts read-only back when a promotion did not get as far as the type. */
static void
undo_read_write(struct tablet_context *context, bool was_read_only)
{
    if (!was_read_only || step_type(context) == TOPODATA__TABLET_TYPE__PRIMARY)
        return;
    CLEANUP(cancel_unrefp) struct cancel *own = dba_own_cancel(context);
    CLEANUP(dba_done) struct dba dba = {0};
    struct error *error = dba_take(context, own, &dba);
    if (error == NULL)
        error = server_set_read_only(dba.db, own);
    log_error_take(LOG_LEVEL_WARN, "actions", error,
                   "the promotion failed and read-only could not be restored");
}

/* Before anything is taken apart: half restored data must not become the shard's truth. */
static struct error *
refuse_incomplete(struct tablet_context *context)
{
    if (step_type(context) != TOPODATA__TABLET_TYPE__RESTORE)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "the tablet's data is being restored: wait for the end of the restore");
}

static struct error *
become_first_primary(struct tablet_context *context, struct db *db, struct cancel *cancel,
                     enum semi_sync_action action, char **ret_position)
{
    CLEANUP(position_freep) struct position *before = NULL;
    TRY(executed_position_read(db, cancel, &before));
    CLEANUP(freep) char *position = NULL;
    TRY(write_first_event(context, db, cancel, &position));
    /* Tables of an earlier history, which the log does not create any more: a replica may lack
     * them, and their rows tell of reparents that nobody's history holds. */
    if (position_is_empty(before))
        TRY(sidecar_drop_tables(db, cancel, context->identity->sidecar));
    TRY(step_change_type(context, cancel, TOPODATA__TABLET_TYPE__PRIMARY, TABLET_SET_READ_WRITE,
                         action));
    /* Last: with semi-sync on, creating the databases would wait for acknowledgements of replicas
     * that are not attached yet. */
    TRY(semi_sync_fix(db, cancel, action, true));
    step_end_demotion(context);
    *ret_position = position;
    position = NULL;
    return NULL;
}

struct error *
action_init_primary(struct tablet_context *context, struct cancel *cancel, bool semi_sync,
                    char **ret_position)
{
    TRY(refuse_incomplete(context));
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    enum semi_sync_action action;
    TRY(semi_sync_action_of(dba.db, cancel, semi_sync, &action));
    bool was_read_only = false;
    TRY(server_is_read_only(dba.db, cancel, &was_read_only));
    struct error *error = become_first_primary(context, dba.db, cancel, action, ret_position);
    if (error != NULL)
        undo_read_write(context, was_read_only);
    return error;
}

/* The parent has no journal row yet; its address is all that is needed. */
static struct error *
read_parent(struct tablet_context *context, struct cancel *cancel,
            const struct tablet_alias *parent, Topodata__Tablet **ret_tablet)
{
    Topodata__Tablet *tablet = NULL;
    TRY(topo_get_tablet(context->topo, cancel, parent, &tablet, NULL));
    if (!str_is_empty(tablet->mysql_hostname)) {
        *ret_tablet = tablet;
        return NULL;
    }
    topodata__tablet__free_unpacked(tablet, NULL);
    return error_new(ERROR_FAILED_PRECONDITION, "shard primary has empty mysql hostname");
}

struct error *
action_init_replica(struct tablet_context *context, struct cancel *cancel,
                    const struct tablet_alias *parent, const char *position,
                    int64_t time_created_ns, bool semi_sync)
{
    CLEANUP(position_freep) struct position *start = NULL;
    TRY(position_parse(position, &start));
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    enum semi_sync_action action;
    TRY(semi_sync_action_of(dba.db, cancel, semi_sync, &action));
    TRY(step_leave_primary(context, cancel));

    Topodata__Tablet *tablet = NULL;
    TRY(read_parent(context, cancel, parent, &tablet));
    struct error *error = semi_sync_fix(dba.db, cancel, action, false);
    if (error == NULL)
        error = replication_set_position(dba.db, cancel, start);
    if (error == NULL)
        error = step_change_source(context, dba.db, cancel, tablet, 0);
    topodata__tablet__free_unpacked(tablet, NULL);
    TRY(error);
    TRY(step_start(context, dba.db, cancel));
    return reparent_journal_wait(dba.db, cancel, context->identity->sidecar, time_created_ns);
}

/* As it was before the stop: a replica whose promotion did not begin is a replica. */
static void
resume_replication(struct tablet_context *context, const struct replication_status *before)
{
    CLEANUP(cancel_unrefp) struct cancel *own = dba_own_cancel(context);
    CLEANUP(dba_done) struct dba dba = {0};
    struct error *error = dba_take(context, own, &dba);
    if (error == NULL && replication_status_io_is_healthy(before))
        error = step_start(context, dba.db, own);
    else if (error == NULL && before->sql_state == REPLICATION_RUNNING)
        error = db_execute(dba.db, own, db_dialect(dba.db)->start_sql_thread);
    log_error_take(LOG_LEVEL_WARN, "actions", error,
                   "the promotion did not begin and replication could not be started again");
}

static struct error *
stop_for_promotion(struct tablet_context *context, struct db *db, struct cancel *cancel)
{
    struct replication_status before = {0};
    struct error *error = replication_status_read(db, cancel, &before);
    bool is_replica = error == NULL;
    if (error_is_not_a_replica(error)) {
        error_free(error);
        error = NULL;
    }
    if (error == NULL)
        error = step_stop(context, db, cancel);
    if (error == NULL)
        error = cancel_check(cancel);
    if (error != NULL && is_replica)
        resume_replication(context, &before);
    replication_status_done(&before);
    return error;
}

/* A fresh binary log begins with the new term; LOCAL keeps the statement itself out of it. */
static struct error *
leave_source(struct db *db, struct cancel *cancel)
{
    TRY(replication_reset_parameters(db, cancel));
    return db_execute(db, cancel, "FLUSH LOCAL BINARY LOGS");
}

struct error *
action_promote_replica(struct tablet_context *context, struct cancel *cancel, bool semi_sync,
                       char **ret_position)
{
    TRY(refuse_incomplete(context));
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    enum semi_sync_action action;
    TRY(semi_sync_action_of(dba.db, cancel, semi_sync, &action));
    TRY(stop_for_promotion(context, dba.db, cancel));
    /* It runs through from here: when the caller goes away between the source's removal and the
     * new type, nobody would ever make a replica of this tablet again. */
    CLEANUP(cancel_unrefp) struct cancel *own = dba_own_cancel(context);
    TRY(leave_source(dba.db, own));
    CLEANUP(freep) char *position = NULL;
    TRY(step_executed_text(dba.db, own, &position));
    /* Before the first write: no transaction of this term may be acknowledged by nobody. */
    TRY(semi_sync_fix(dba.db, own, action, true));
    TRY(step_change_type(context, own, TOPODATA__TABLET_TYPE__PRIMARY, TABLET_SET_READ_WRITE,
                         SEMI_SYNC_NONE));
    step_end_demotion(context);
    *ret_position = position;
    position = NULL;
    return NULL;
}
