/* What SetReplicationSource has to do to a server, decided without touching it. Pure. */
#ifndef VTAGENT_ACTIONS_SOURCE_PLAN_H
#define VTAGENT_ACTIONS_SOURCE_PLAN_H

#include <stdbool.h>

#include "replication/control.h"
#include "replication/status.h"

struct source_wish {
    const char *host;
    int port;
    double heartbeat_interval; /* 0: leave alone */
    bool forces_start;
    enum semi_sync_action semi_sync;
};
struct source_plan {
    bool needs_stop;   /* a thread runs and must not, before a change or a restart */
    bool needs_change; /* CHANGE … TO */
    bool needs_start;
    bool should_run; /* replication runs in the end: waiting makes sense */
};
/* `now` from before semi-sync was fixed: whether the IO thread has to reconnect for it is seen
 * there. */
struct source_plan source_plan_make(const struct full_status *now, const struct source_wish *wish);

#endif
