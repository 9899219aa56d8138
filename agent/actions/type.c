/* Type and read-only. */
#include "agent/actions/steps.h"

struct error *
action_set_read_only(struct tablet_context *context, struct cancel *cancel, bool is_read_only)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    if (is_read_only)
        return server_set_read_only(dba.db, cancel);
    TRY(server_set_read_write(dba.db, cancel));
    if (step_type(context) == TOPODATA__TABLET_TYPE__PRIMARY)
        step_end_demotion(context);
    return NULL;
}

struct error *
action_change_type(struct tablet_context *context, struct cancel *cancel, Topodata__TabletType type,
                   bool semi_sync)
{
    enum semi_sync_action action;
    {
        CLEANUP(dba_done) struct dba dba = {0};
        TRY(dba_take(context, cancel, &dba));
        TRY(semi_sync_action_of(dba.db, cancel, semi_sync, &action));
    }
    return step_change_type(context, cancel, type, TABLET_LEAVE_READ_ONLY, action);
}

struct error *
action_replica_was_promoted(struct tablet_context *context, struct cancel *cancel)
{
    return step_change_type(context, cancel, TOPODATA__TABLET_TYPE__PRIMARY, TABLET_LEAVE_READ_ONLY,
                            SEMI_SYNC_NONE);
}

struct error *
action_replica_was_restarted(struct tablet_context *context, struct cancel *cancel)
{
    return step_leave_primary(context, cancel);
}
