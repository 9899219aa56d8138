#include "agent/supervisor/restart_limit.h"

int64_t
restart_limit_next_ms(struct restart_limit *limit, int64_t lived_ms)
{
    if (lived_ms >= RESTART_LIMIT_YOUNG_MS)
        limit->young_deaths = 0;
    if (limit->young_deaths < RESTART_LIMIT_COUNT)
        limit->young_deaths++;
    if (restart_limit_is_slow(limit))
        return RESTART_LIMIT_SLOW_MS;
    return limit->young_deaths == 1 ? 0 : (int64_t)1000 << (limit->young_deaths - 2);
}

bool
restart_limit_is_slow(const struct restart_limit *limit)
{
    return limit->young_deaths >= RESTART_LIMIT_COUNT;
}

void
restart_limit_reset(struct restart_limit *limit)
{
    limit->young_deaths = 0;
}
