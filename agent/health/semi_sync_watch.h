/* Whether a primary is blocked by semi-sync: somebody waits and nothing is acknowledged. */
#ifndef VTAGENT_HEALTH_SEMI_SYNC_WATCH_H
#define VTAGENT_HEALTH_SEMI_SYNC_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/mysql/db.h"

/* Semi-sync's progress between two looks, to tell "waiting" from "blocked". */
struct semi_sync_watch {
    _Atomic int64_t waiting_since_ms; /* 0: nobody waited at the last look */
    _Atomic int64_t acknowledged;     /* transactions acknowledged at that time */
};

/* Looks at the wait now (`waiting` sessions) and at what earlier looks saw; reads one more status
 * only while somebody waits. An unreadable status is "not blocked". Any thread. */
bool semi_sync_is_blocked(struct semi_sync_watch *watch, uint32_t waiting, struct db *db,
                          struct cancel *cancel);
/* The same, asking first how many wait. */
bool semi_sync_ask_blocked(struct semi_sync_watch *watch, struct db *db, struct cancel *cancel);

/* The decision. Pure but for the watch. */
bool semi_sync_watch_step(struct semi_sync_watch *watch, uint32_t waiting, int64_t acknowledged,
                          int64_t now_ms);

#endif
