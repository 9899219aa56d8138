/* The lag of the last hour, for the status page: the worst of every ten seconds. Bounded. Pure. */
#ifndef VTAGENT_HEALTH_LAG_HISTORY_H
#define VTAGENT_HEALTH_LAG_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define LAG_HISTORY_STEP_MS 10000
#define LAG_HISTORY_STEPS 360

/* Zeroes: nothing was noted yet. */
struct lag_history {
    int64_t newest; /* the newest step, counted on the monotonic clock from 1 */
    int64_t
        lag_ms[LAG_HISTORY_STEPS]; /* by step modulo; each is valid if noted since the last turn */
};
/* `lag_ms` < 0: not known, or not a replica; what is known in the same step counts more. */
void lag_history_note(struct lag_history *history, int64_t now_ms, int64_t lag_ms);
/* The worst lag of the step that lies `age` steps back (0: now); -1: not known. */
int64_t lag_history_at(const struct lag_history *history, int64_t now_ms, size_t age);

#endif
