#include "agent/health/lag_history.h"

#define UNKNOWN (-1)

static int64_t
step_of(int64_t now_ms)
{
    return now_ms / LAG_HISTORY_STEP_MS + 1;
}

/* Steps that nobody noted (the process was stopped, the machine asleep) are not known. */
static void
advance(struct lag_history *history, int64_t step)
{
    int64_t from = history->newest + 1;
    if (history->newest == 0 || step - from >= LAG_HISTORY_STEPS)
        from = step - LAG_HISTORY_STEPS + 1;
    for (int64_t at = from > 0 ? from : 0; at <= step; at++)
        history->lag_ms[at % LAG_HISTORY_STEPS] = UNKNOWN;
    history->newest = step;
}

void
lag_history_note(struct lag_history *history, int64_t now_ms, int64_t lag_ms)
{
    int64_t step = step_of(now_ms);
    if (step > history->newest)
        advance(history, step);
    int64_t *worst = &history->lag_ms[step % LAG_HISTORY_STEPS];
    if (lag_ms > *worst)
        *worst = lag_ms;
}

int64_t
lag_history_at(const struct lag_history *history, int64_t now_ms, size_t age)
{
    int64_t step = step_of(now_ms) - (int64_t)age;
    if (step <= 0 || step > history->newest || history->newest - step >= LAG_HISTORY_STEPS)
        return UNKNOWN;
    return history->lag_ms[step % LAG_HISTORY_STEPS];
}
