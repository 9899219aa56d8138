/* How fast a mysqld that keeps dying is started again. Pure; the caller owns the clock. */
#ifndef VTAGENT_SUPERVISOR_RESTART_LIMIT_H
#define VTAGENT_SUPERVISOR_RESTART_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RESTART_LIMIT_COUNT 5
#define RESTART_LIMIT_YOUNG_MS 60000
#define RESTART_LIMIT_SLOW_MS 60000

struct restart_limit {
    unsigned young_deaths; /* in a row, of servers that lived less than RESTART_LIMIT_YOUNG_MS */
};

/* Notes the death of a server that lived lived_ms; returns how long to wait before the next start:
 * nothing at first, then 1 s doubled with each young death, and RESTART_LIMIT_SLOW_MS from the
 * fifth in a row on. */
int64_t restart_limit_next_ms(struct restart_limit *limit, int64_t lived_ms);
bool restart_limit_is_slow(const struct restart_limit *limit);
void restart_limit_reset(struct restart_limit *limit);

#endif
