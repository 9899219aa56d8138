#include "agent/health/restart_watch.h"

bool
restart_watch_look(struct restart_watch *watch, const struct health_facts *facts)
{
    const struct health_replication *replication = &facts->replication;
    if (!facts->server.answers) {
        watch->was_gone = true;
        return false;
    }
    bool is_stopped = replication->is_replica && replication->io_state == REPLICATION_STOPPED &&
                      replication->sql_state == REPLICATION_STOPPED;
    bool has_restarted = watch->was_gone && watch->was_replicating && is_stopped;
    watch->was_gone = false;
    watch->was_replicating = replication->is_replica &&
                             replication->io_state != REPLICATION_STOPPED &&
                             replication->sql_state == REPLICATION_RUNNING;
    return has_restarted;
}
