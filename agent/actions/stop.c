/* Stopping, starting and resetting replication. */
#include "agent/actions/steps.h"
#include "agent/base/clock.h"

struct error *
action_stop_replication(struct tablet_context *context, struct cancel *cancel)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    return step_stop(context, dba.db, cancel);
}

static struct error *
fix_semi_sync_for_type(struct tablet_context *context, struct db *db, struct cancel *cancel,
                       enum semi_sync_action action)
{
    return semi_sync_fix(db, cancel, action, step_type(context) == TOPODATA__TABLET_TYPE__PRIMARY);
}

struct error *
action_start_replication(struct tablet_context *context, struct cancel *cancel, bool semi_sync)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    enum semi_sync_action action;
    TRY(semi_sync_action_of(dba.db, cancel, semi_sync, &action));
    TRY(fix_semi_sync_for_type(context, dba.db, cancel, action));
    return step_start(context, dba.db, cancel);
}

struct error *
action_restart_replication(struct tablet_context *context, struct cancel *cancel, bool semi_sync)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    enum semi_sync_action action;
    TRY(semi_sync_action_of(dba.db, cancel, semi_sync, &action));
    TRY(step_stop(context, dba.db, cancel));
    TRY(fix_semi_sync_for_type(context, dba.db, cancel, action));
    return step_start(context, dba.db, cancel);
}

static struct cancel *
bounded_cancel(struct cancel *cancel, int64_t wait_ms)
{
    return cancel_new_child(cancel, wait_ms > 0 ? wait_ms : INT64_MAX);
}

struct error *
action_stop_replication_minimum(struct tablet_context *context, struct cancel *cancel,
                                const char *position, int64_t wait_ms, char **ret_position)
{
    CLEANUP(position_freep) struct position *wanted = NULL;
    TRY(position_parse(position, &wanted));
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    CLEANUP(cancel_unrefp) struct cancel *wait = bounded_cancel(cancel, wait_ms);
    TRY(replication_wait_for_position(dba.db, wait, wanted));
    TRY(step_stop(context, dba.db, cancel));
    return step_executed_text(dba.db, cancel, ret_position);
}

struct error *
action_start_replication_until_after(struct tablet_context *context, struct cancel *cancel,
                                     const char *position, int64_t wait_ms)
{
    CLEANUP(position_freep) struct position *until = NULL;
    TRY(position_parse(position, &until));
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    CLEANUP(cancel_unrefp) struct cancel *wait = bounded_cancel(cancel, wait_ms);
    return replication_start_until_after(dba.db, wait, until);
}

struct error *
action_reset_replication(struct tablet_context *context, struct cancel *cancel)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    return replication_reset(dba.db, cancel);
}

struct error *
action_reset_replication_parameters(struct tablet_context *context, struct cancel *cancel)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    TRY(step_stop(context, dba.db, cancel));
    return replication_reset_parameters(dba.db, cancel);
}

/* MariaDB: the emergency reparent ranks replicas by `position` and waits for relay_log_position, so
 * the first must count what was received and the second must name it. */
static void
cover_received(struct replication_status *status)
{
    if (position_flavor_of(status->relay_log_position) != POSITION_MARIADB)
        return;
    struct position *covered = position_union(status->position, status->relay_log_position);
    position_free(status->position);
    status->position = covered;
}

static struct error *
read_status(struct db *db, struct cancel *cancel, const char *what,
            struct replication_status *ret_status)
{
    return error_wrap(replication_status_read(db, cancel, ret_status), "%s status failed", what);
}

struct error *
action_stop_replication_and_get_status(struct tablet_context *context, struct cancel *cancel,
                                       bool io_thread_only, struct full_status *ret_before_flags,
                                       struct replication_status *ret_before,
                                       struct replication_status *ret_after)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    TRY(read_status(dba.db, cancel, "before", ret_before));
    TRY(error_wrap(full_status_read(dba.db, cancel, ret_before_flags), "before status failed"));
    if (io_thread_only && replication_status_io_is_healthy(ret_before))
        TRY(error_wrap(replication_stop_io(dba.db, cancel), "stop IO thread failed"));
    if (!io_thread_only && replication_status_is_healthy(ret_before))
        TRY(error_wrap(step_stop(context, dba.db, cancel), "stop replication failed"));
    TRY(read_status(dba.db, cancel, "after", ret_after));
    cover_received(ret_before);
    cover_received(ret_after);
    return NULL;
}
