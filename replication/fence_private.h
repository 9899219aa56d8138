/* Who holds up a switch to read-only, and their end. */
#ifndef VTAGENT_REPLICATION_FENCE_PRIVATE_H
#define VTAGENT_REPLICATION_FENCE_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/mysql/db.h"

/* Round 1: those known to hold a lock (MySQL with performance_schema), else those that run a
 * statement under another account than ours. Round 2: idle ones too. Round 3 and on: our account's
 * too. Never the ids in `spared`, replication, the server's own threads and accounts, and semi-sync
 * waiters. */
struct error *fence_kill_blockers(struct db *db, struct cancel *cancel, unsigned round,
                                  const uint64_t *spared, size_t spared_count) ERROR_MUST_CHECK;

/* The rule for one row of the process list. */
struct fence_process {
    uint64_t id;
    const char *user, *command, *state;
    bool holds_lock; /* known to */
};
bool fence_process_is_blocker(const struct fence_process *process, unsigned round,
                              bool are_holders_known, const char *our_user);

#endif
