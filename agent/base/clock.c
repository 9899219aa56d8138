#include "agent/base/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/memory.h"

#define NS_PER_SECOND 1000000000LL

static int64_t
read_clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t
clock_monotonic_ms(void)
{
    return read_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t
clock_monotonic_us(void)
{
    return read_clock_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_wall_ns(void)
{
    return read_clock_ns(CLOCK_REALTIME);
}

void
clock_format_rfc3339(int64_t wall_ns, char text[32])
{
    time_t seconds = (time_t)(wall_ns / NS_PER_SECOND);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* Reads ".123456789" (any number of digits) at *text as nanoseconds. */
static int64_t
parse_fraction_ns(const char **text)
{
    int64_t value = 0, unit = NS_PER_SECOND / 10;
    for ((*text)++; isdigit((unsigned char)**text); (*text)++) {
        value += (**text - '0') * unit;
        unit /= 10;
    }
    return value;
}

/* "Z", "+01:00", "-0530": seconds east of UTC. */
static bool
parse_zone(const char *text, int64_t *ret_offset_seconds)
{
    if ((text[0] == 'Z' || text[0] == 'z') && text[1] == '\0') {
        *ret_offset_seconds = 0;
        return true;
    }
    unsigned hours, minutes;
    int used = 0;
    if ((text[0] != '+' && text[0] != '-') ||
        (sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &used) != 2 &&
         sscanf(text + 1, "%2u%2u%n", &hours, &minutes, &used) != 2) ||
        text[1 + used] != '\0' || hours > 23 || minutes > 59)
        return false;
    int64_t offset = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *ret_offset_seconds = text[0] == '-' ? -offset : offset;
    return true;
}

struct error *
clock_parse_rfc3339(const char *text, int64_t *ret_wall_ns)
{
    struct tm parts = {.tm_isdst = 0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    int64_t fraction_ns = 0, offset = 0, wall_ns = 0;
    if (rest != NULL && *rest == '.')
        fraction_ns = parse_fraction_ns(&rest);
    /* Nanoseconds in 64 bits reach from 1678 to 2262. */
    if (rest == NULL || !parse_zone(rest, &offset) ||
        __builtin_mul_overflow((int64_t)timegm(&parts) - offset, NS_PER_SECOND, &wall_ns) ||
        __builtin_add_overflow(wall_ns, fraction_ns, &wall_ns))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%s' is not a time: expected one like 2026-11-23T05:55:42Z", text);
    *ret_wall_ns = wall_ns;
    return NULL;
}

static bool
unit_to_ms(const char **text, double *ret_factor)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {{"ms", 1},   {"us", 0.001}, {"\xC2\xB5s", 0.001}, {"ns", 0.000001}, {"h", 3600e3},
                 {"m", 60e3}, {"s", 1e3}};
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (str_starts_with(*text, units[i].name)) {
            *text += strlen(units[i].name);
            *ret_factor = units[i].factor;
            return true;
        }
    }
    return false;
}

struct error *
clock_parse_duration_ms(const char *text, int64_t *ret_ms)
{
    double total = 0;
    const char *at = text;
    bool is_valid = *at != '\0';
    while (is_valid && *at != '\0') {
        char *end = NULL;
        double number = isdigit((unsigned char)*at) || *at == '.' ? strtod(at, &end) : -1;
        if (end == NULL || end == at || number < 0) {
            is_valid = false;
            break;
        }
        double factor = 1e3;
        bool is_bare = *end == '\0' && at == text;
        at = end;
        if (!is_bare && !unit_to_ms(&at, &factor))
            is_valid = false;
        total += number * factor;
    }
    if (!is_valid || total > 9e15)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%s' is not a duration: expected one like 30s, 1m30s or 500ms", text);
    *ret_ms = (int64_t)total;
    return NULL;
}
