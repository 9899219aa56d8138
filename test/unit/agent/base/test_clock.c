#include <criterion/criterion.h>

#include "agent/base/clock.h"

static void
assert_duration(const char *text, int64_t milliseconds)
{
    int64_t value = -1;
    struct error *error = clock_parse_duration_ms(text, &value);
    cr_assert_null(error);
    cr_assert_eq(value, milliseconds);
}

Test(clock, durations_as_go_writes_them)
{
    assert_duration("0", 0);
    assert_duration("15s", 15000);
    assert_duration("1h10m", 4200000);
    assert_duration("500ms", 500);
    assert_duration("1.5s", 1500);
    assert_duration("30", 30000);
}

Test(clock, bad_durations_are_refused)
{
    const char *const bad[] = {"", "x", "-1s", "1x", "s", "1s2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t value = 7;
        struct error *error = clock_parse_duration_ms(bad[i], &value);
        cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
        cr_assert_eq(value, 7);
        error_free(error);
    }
}

Test(clock, a_year_beyond_64_bits_of_nanoseconds_is_refused)
{
    int64_t ns = 7;
    struct error *error = clock_parse_rfc3339("2999-01-01T00:00:00Z", &ns);
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
    cr_assert_eq(ns, 7);
    error_free(error);
}

Test(clock, rfc3339_round_trip)
{
    int64_t ns = 0;
    cr_assert_null(clock_parse_rfc3339("2026-11-23T05:55:42Z", &ns));
    char text[32];
    clock_format_rfc3339(ns, text);
    cr_assert_str_eq(text, "2026-11-23T05:55:42Z");
    int64_t other = 0;
    cr_assert_null(clock_parse_rfc3339("2026-11-23T06:55:42.25+01:00", &other));
    cr_assert_eq(other, ns + 250000000);
    struct error *error = clock_parse_rfc3339("2026-11-23", &ns);
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
    error_free(error);
}

Test(clock, monotonic_goes_forward)
{
    int64_t first = clock_monotonic_us();
    cr_assert_geq(clock_monotonic_us(), first);
    cr_assert_gt(clock_wall_ns(), 1600000000LL * 1000000000);
}
