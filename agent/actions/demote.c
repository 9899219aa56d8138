/* Ceasing to be a primary, and taking that back. */
#include "agent/actions/steps.h"
#include "agent/base/log.h"

/* What was before, to go back to. */
struct demotion {
    bool was_primary, was_serving, was_read_only, had_semi_sync;
};

static void
undo_demotion(struct tablet_context *context, const struct demotion *before)
{
    CLEANUP(cancel_unrefp) struct cancel *own = dba_own_cancel(context);
    CLEANUP(dba_done) struct dba dba = {0};
    struct error *error = dba_take(context, own, &dba);
    if (error == NULL && before->had_semi_sync && before->was_primary)
        error = semi_sync_fix(dba.db, own, SEMI_SYNC_SET, true);
    if (error == NULL && !before->was_read_only)
        error = server_set_read_write(dba.db, own);
    log_error_take(LOG_LEVEL_WARN, "actions", error,
                   "DemotePrimary failed and could not be undone: the server may be read-only");
    if (before->was_serving)
        tablet_set_demoting(context, false);
}

static struct error *
read_demotion(struct tablet_context *context, struct db *db, struct cancel *cancel,
              struct demotion *ret_before)
{
    CLEANUP(full_status_done) struct full_status status = {0};
    TRY(full_status_read(db, cancel, &status));
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    *ret_before = (struct demotion){
        .was_primary = snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY,
        .was_serving = snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY && !snapshot.is_demoting,
        .was_read_only = status.read_only,
        .had_semi_sync = status.semi_sync_primary_enabled,
    };
    return NULL;
}

static struct error *
fence(struct tablet_context *context, struct db *db, struct cancel *cancel, bool is_forced,
      struct primary_status *ret_status)
{
    TRY(replication_fence(db, &context->dba_params, is_forced, cancel));
    return primary_status_read(db, cancel, ret_status);
}

static struct error *
demote(struct tablet_context *context, struct cancel *cancel, bool is_forced, bool reverts,
       struct primary_status *ret_status)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    struct demotion before;
    TRY(read_demotion(context, dba.db, cancel, &before));
    if (before.was_primary && !before.was_read_only)
        tablet_set_demoting(context, true);
    struct error *error = fence(context, dba.db, cancel, is_forced, ret_status);
    if (error != NULL && reverts)
        undo_demotion(context, &before);
    return error;
}

struct error *
action_demote_primary(struct tablet_context *context, struct cancel *cancel, bool is_forced,
                      struct primary_status *ret_status)
{
    return demote(context, cancel, is_forced, true, ret_status);
}

static struct error *
switch_off_primary_side(struct tablet_context *context, struct cancel *cancel)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    CLEANUP(full_status_done) struct full_status status = {0};
    TRY(full_status_read(dba.db, cancel, &status));
    if (!status.read_only || !status.semi_sync_primary_enabled)
        return NULL;
    return semi_sync_fix(dba.db, cancel, SEMI_SYNC_SET, false);
}

void
action_demote_primary_finish(struct tablet_context *context)
{
    CLEANUP(cancel_unrefp) struct cancel *own = dba_own_cancel(context);
    log_error_take(LOG_LEVEL_WARN, "actions", switch_off_primary_side(context, own),
                   "semi-sync's primary side is still on after DemotePrimary");
}

/* A primary whose agent restarted may know itself as something else than its record. */
static struct error *
adopt_if_recorded(struct tablet_context *context, struct cancel *cancel)
{
    if (step_type(context) == TOPODATA__TABLET_TYPE__PRIMARY)
        return NULL;
    Topodata__Tablet *record = NULL;
    TRY(topo_get_tablet(context->topo, cancel, &context->identity->alias, &record, NULL));
    struct error *error = NULL;
    if (record->type == TOPODATA__TABLET_TYPE__PRIMARY) {
        const Vttime__Time *term = record->primary_term_start_time;
        int64_t term_ns = term == NULL ? 0 : term->seconds * 1000000000 + term->nanoseconds;
        error = tablet_adopt_primary(context, cancel, term_ns);
    }
    topodata__tablet__free_unpacked(record, NULL);
    return error;
}

struct error *
action_undo_demote_primary(struct tablet_context *context, struct cancel *cancel, bool semi_sync)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    enum semi_sync_action action;
    TRY(semi_sync_action_of(dba.db, cancel, semi_sync, &action));
    TRY(semi_sync_fix(dba.db, cancel, action, true));
    TRY(server_set_read_write(dba.db, cancel));
    TRY(adopt_if_recorded(context, cancel));
    step_end_demotion(context);
    return NULL;
}

struct error *
action_end_term(struct tablet_context *context, struct cancel *cancel,
                const struct tablet_alias *new_primary)
{
    if (!context->identity->has_active_reparents)
        return step_leave_primary(context, cancel);
    struct primary_status status = {0};
    struct error *error = demote(context, cancel, true, false, &status);
    primary_status_done(&status);
    TRY(error_wrap(error, "demoting ourselves"));
    action_demote_primary_finish(context);
    if (tablet_alias_is_zero(new_primary))
        return step_leave_primary(context, cancel);
    struct set_source_request request = {
        .parent = *new_primary, .forces_start = true, .leaves_semi_sync = true};
    return action_set_replication_source(context, cancel, &request);
}
