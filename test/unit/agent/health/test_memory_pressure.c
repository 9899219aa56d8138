#include <criterion/criterion.h>

#include "agent/health/memory_pressure.h"

Test(memory_pressure, the_full_line_counts)
{
    cr_assert_eq(memory_pressure_parse("some avg10=9.00 avg60=1.00 avg300=0.00 total=5\n"
                                       "full avg10=2.50 avg60=1.00 avg300=0.00 total=3\n"),
                 2.5);
    cr_assert_eq(memory_pressure_parse(""), 0);
}

Test(memory_pressure, no_limit_is_zero)
{
    cr_assert_eq(memory_pressure_parse_limit("max\n"), 0);
    cr_assert_eq(memory_pressure_parse_limit("9223372036854771712\n"), 0);
    cr_assert_eq(memory_pressure_parse_limit("536870912\n"), 536870912);
}
