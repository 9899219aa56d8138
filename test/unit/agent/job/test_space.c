#include <criterion/criterion.h>

#include "agent/base/memory.h"
#include "agent/job/space.h"

Test(space, a_small_disk_needs_a_gigabyte)
{
    cr_assert(space_is_low((1ull << 30) - 1, 10ull << 30));
    cr_assert(!space_is_low(1ull << 30, 10ull << 30));
}

Test(space, a_large_disk_needs_a_twentieth)
{
    cr_assert(space_is_low(49ull << 30, 1000ull << 30));
    cr_assert(!space_is_low(50ull << 30, 1000ull << 30));
    cr_assert(space_is_low(0, 0));
}

Test(space, what_cannot_be_told_is_no_problem)
{
    cr_assert_null(space_problem("/no/such/folder"));
}
