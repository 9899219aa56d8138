/* Whether a primary is blocked by semi-sync: somebody waits and nothing is acknowledged. */
#ifndef VTAGENT_HANDLERS_SEMI_SYNC_WATCH_H
#define VTAGENT_HANDLERS_SEMI_SYNC_WATCH_H

#include "agent/handlers/service.h"
#include "replication/status.h"

/* Looks at the wait now and at what earlier looks saw; reads one more status only while somebody
 * waits. An unreadable status is "not blocked". Any thread. */
bool semi_sync_is_blocked(struct semi_sync_watch *watch, const struct full_status *status,
                          struct db *db, struct cancel *cancel);

/* The decision. Pure but for the watch. */
bool semi_sync_watch_step(struct semi_sync_watch *watch, uint32_t waiting, int64_t acknowledged,
                          int64_t now_ms);

#endif
