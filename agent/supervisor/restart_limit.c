#include "agent/supervisor/restart_limit.h"

#include <string.h>

static void
forget_old(struct restart_limit *limit, int64_t now_ms)
{
    size_t old = 0;
    while (old < limit->count && now_ms - limit->deaths_ms[old] >= RESTART_LIMIT_WINDOW_MS)
        old++;
    limit->count -= old;
    memmove(limit->deaths_ms, limit->deaths_ms + old, limit->count * sizeof(limit->deaths_ms[0]));
}

int64_t
restart_limit_next_ms(struct restart_limit *limit, int64_t now_ms, bool *ret_is_slow)
{
    forget_old(limit, now_ms);
    if (limit->count == RESTART_LIMIT_COUNT) {
        limit->count--;
        memmove(limit->deaths_ms, limit->deaths_ms + 1, limit->count * sizeof(limit->deaths_ms[0]));
    }
    limit->deaths_ms[limit->count++] = now_ms;
    *ret_is_slow = limit->count == RESTART_LIMIT_COUNT;
    if (*ret_is_slow)
        return RESTART_LIMIT_SLOW_MS;
    return limit->count == 1 ? 0 : (int64_t)1000 << (limit->count - 2);
}

void
restart_limit_reset(struct restart_limit *limit)
{
    *limit = (struct restart_limit){.count = 0};
}
