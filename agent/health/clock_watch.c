#include "agent/health/clock_watch.h"

#include <stdlib.h>

void
clock_watch_look(struct clock_watch *watch, int64_t monotonic_ms, int64_t wall_ns,
                 struct health_clock *clock)
{
    int64_t offset_ms = wall_ns / 1000000 - monotonic_ms;
    int64_t step_ms = watch->is_known ? offset_ms - watch->offset_ms : 0;
    watch->is_known = true;
    watch->offset_ms = offset_ms;
    clock->measured_ms = monotonic_ms;
    if (llabs(step_ms) < CLOCK_WATCH_STEP_MS)
        return;
    clock->stepped_ms = monotonic_ms;
    clock->step_size_ms = step_ms;
}
