/* How fast a mysqld that keeps dying is started again. Pure; the caller owns the clock. */
#ifndef VTAGENT_SUPERVISOR_RESTART_LIMIT_H
#define VTAGENT_SUPERVISOR_RESTART_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESTART_LIMIT_COUNT 5
#define RESTART_LIMIT_WINDOW_MS 60000
#define RESTART_LIMIT_SLOW_MS 60000

struct restart_limit {
    int64_t deaths_ms[RESTART_LIMIT_COUNT]; /* the latest, oldest first */
    size_t count;
};

/* Notes a death now; returns how long to wait before the next start: nothing at first, then 1 s
 * doubled with each death within the window, and RESTART_LIMIT_SLOW_MS (with *ret_is_slow) from the
 * fifth on. */
int64_t restart_limit_next_ms(struct restart_limit *limit, int64_t now_ms, bool *ret_is_slow);
void restart_limit_reset(struct restart_limit *limit);

#endif
