#include "agent/actions/source_plan.h"

#include <math.h>

#include "agent/base/memory.h"

#define HEARTBEAT_TOLERANCE 0.001

static bool
settings_differ(const struct full_status *now, const struct source_wish *wish)
{
    if (!now->is_replica)
        return true;
    const struct replication_status *status = &now->replication;
    if (!str_equal(status->source_host, wish->host) || status->source_port != wish->port)
        return true;
    if (!status->has_auto_position && !status->is_using_gtid)
        return true;
    return wish->heartbeat_interval > 0 &&
           (!now->has_configuration ||
            fabs(now->heartbeat_interval - wish->heartbeat_interval) > HEARTBEAT_TOLERANCE);
}

/* A replica acknowledges or not from its connect on, so a change needs a new connection. */
static bool
semi_sync_needs_restart(const struct full_status *now, const struct source_wish *wish)
{
    if (wish->semi_sync == SEMI_SYNC_NONE)
        return false;
    return now->semi_sync_replica_status != (wish->semi_sync == SEMI_SYNC_SET);
}

static bool
both_threads_run(const struct full_status *now)
{
    return now->is_replica && now->replication.io_state == REPLICATION_RUNNING &&
           now->replication.sql_state == REPLICATION_RUNNING;
}

static bool
any_thread_runs(const struct full_status *now)
{
    return now->is_replica && (now->replication.io_state != REPLICATION_STOPPED ||
                               now->replication.sql_state != REPLICATION_STOPPED);
}

struct source_plan
source_plan_make(const struct full_status *now, const struct source_wish *wish)
{
    bool was_running = now->is_replica && (replication_status_io_is_healthy(&now->replication) ||
                                           now->replication.sql_state == REPLICATION_RUNNING);
    struct source_plan plan = {
        .should_run = !now->is_replica || was_running || wish->forces_start,
        .needs_change = settings_differ(now, wish),
    };
    bool is_as_asked = both_threads_run(now) && !semi_sync_needs_restart(now, wish);
    plan.needs_start = plan.should_run && (plan.needs_change || !is_as_asked);
    plan.needs_stop = any_thread_runs(now) && (plan.needs_change || plan.needs_start);
    return plan;
}
