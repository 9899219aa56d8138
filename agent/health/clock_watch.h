/* Sees when somebody sets the machine's clock: wall time and monotonic time no longer agree. Pure.
 */
#ifndef VTAGENT_HEALTH_CLOCK_WATCH_H
#define VTAGENT_HEALTH_CLOCK_WATCH_H

#include "agent/health/facts.h"

struct clock_watch {
    bool is_known;
    int64_t offset_ms; /* wall minus monotonic */
};
/* Smaller differences are the clock being steered. */
#define CLOCK_WATCH_STEP_MS 2000
void clock_watch_look(struct clock_watch *watch, int64_t monotonic_ms, int64_t wall_ns,
                      struct health_clock *clock);

#endif
