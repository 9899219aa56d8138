/* Time. Monotonic milliseconds for waits and ages, wall nanoseconds for records. Any thread. */
#ifndef VTAGENT_BASE_CLOCK_H
#define VTAGENT_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/error.h"

int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
int64_t clock_wall_ns(void); /* since 1970, UTC */

/* "2026-11-23T05:55:42Z" (20 characters and NUL). */
void clock_format_rfc3339(int64_t wall_ns, char text[32]);
/* Reads RFC 3339 with optional fraction and zone. INVALID_ARGUMENT otherwise. */
struct error *clock_parse_rfc3339(const char *text, int64_t *ret_wall_ns);

/* Go's durations ("1h10m", "15s", "500ms", "0"), and a bare number as seconds. INVALID_ARGUMENT
 * otherwise; negative is refused. */
struct error *clock_parse_duration_ms(const char *text, int64_t *ret_ms);

#endif
