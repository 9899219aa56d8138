/* Tells a server that was started anew from one whose replication somebody stopped: servers of
 * tablets do not start their replication themselves. Pure. */
#ifndef VTAGENT_HEALTH_RESTART_WATCH_H
#define VTAGENT_HEALTH_RESTART_WATCH_H

#include "agent/health/facts.h"

/* All zero at first; given every look at the server in turn. */
struct restart_watch {
    bool was_replicating, was_gone;
};
/* True when the server was gone, is back, and does not replicate as it did before. */
bool restart_watch_look(struct restart_watch *watch, const struct health_facts *facts);

#endif
