/* Runs a worker process to its end, whatever it takes: a worker whose storage hangs in the kernel
 * cannot be killed, so it is abandoned. */
#ifndef VTAGENT_JOB_PROCESS_H
#define VTAGENT_JOB_PROCESS_H

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "agent/base/memory.h"
#include "agent/job/worker_output.h"

/* Time to clean up after SIGTERM, and to disappear after SIGKILL. */
struct process_patience {
    int64_t term_ms, kill_ms;
};
extern const struct process_patience process_patience_default;

/* Blocking. argv[0] is a path. Events come on the calling thread. The error is the cancel's, or the
 * one that the worker reported, or INTERNAL "… was killed by signal 9 (Killed)". One that says that
 * it is stuck is killed at once, and left behind when it does not go. */
struct error *process_run(const struct strv *argv, const struct worker_events *events,
                          const struct process_patience *patience,
                          struct cancel *cancel) ERROR_MUST_CHECK;

/* When a process started, in clock ticks since boot: tells it from a later one with its pid. 0 when
 * there is none. */
uint64_t process_start_ticks(int pid);
/* Kills a process left behind by another agent, and its group, if it is still that one; waits until
 * it is gone. DEADLINE_EXCEEDED when it does not go within wait_ms. */
struct error *process_end_stray(int pid, uint64_t start_ticks, int64_t wait_ms,
                                struct cancel *cancel) ERROR_MUST_CHECK;

#endif
