#include "agent/actions/steps.h"

#include "agent/actions/hook.h"

struct error *
step_stop(struct tablet_context *context, struct db *db, struct cancel *cancel)
{
    TRY(hook_run_optional(context, "preflight_stop_slave", cancel));
    return replication_stop(db, cancel);
}

struct error *
step_start(struct tablet_context *context, struct db *db, struct cancel *cancel)
{
    TRY(replication_start(db, cancel));
    return hook_run_optional(context, "postflight_start_slave", cancel);
}

struct error *
step_executed_text(struct db *db, struct cancel *cancel, char **ret_text)
{
    CLEANUP(position_freep) struct position *position = NULL;
    TRY(executed_position_read(db, cancel, &position));
    *ret_text = position_text(position);
    return NULL;
}

Topodata__TabletType
step_type(struct tablet_context *context)
{
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    return snapshot.type;
}

void
step_end_demotion(struct tablet_context *context)
{
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    if (snapshot.is_demoting)
        tablet_set_demoting(context, false);
}

struct error *
step_change_type(struct tablet_context *context, struct cancel *cancel, Topodata__TabletType type,
                 enum tablet_write write, enum semi_sync_action action)
{
    TRY(cancel_check(cancel));
    CLEANUP(cancel_unrefp) struct cancel *own = dba_own_cancel(context);
    return tablet_change_type(context, own, type, write, action);
}

struct error *
step_leave_primary(struct tablet_context *context, struct cancel *cancel)
{
    if (step_type(context) == TOPODATA__TABLET_TYPE__PRIMARY)
        TRY(step_change_type(context, cancel, TOPODATA__TABLET_TYPE__REPLICA,
                             TABLET_LEAVE_READ_ONLY, SEMI_SYNC_NONE));
    step_end_demotion(context);
    return NULL;
}

struct error *
step_change_source(struct tablet_context *context, struct db *db, struct cancel *cancel,
                   const Topodata__Tablet *parent, double heartbeat_interval)
{
    struct replication_source source = {
        .host = parent->mysql_hostname,
        .port = parent->mysql_port,
        .user = context->repl_params.user,
        .password = context->repl_params.password,
        .heartbeat_interval = heartbeat_interval,
    };
    return replication_change_source(db, cancel, &source);
}
