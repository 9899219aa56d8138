#include <criterion/criterion.h>

#include "agent/actions/own_writes.h"

Test(own_writes, are_those_with_our_server_id)
{
    struct strv ours = {0};
    own_writes_of("0-100-7, 1-101-3,2-100-1", 100, &ours);
    cr_assert_eq(ours.count, 2u);
    cr_assert_str_eq(ours.items[0], "0-100-7");
    cr_assert_str_eq(ours.items[1], "2-100-1");
    strv_done(&ours);
    ours = (struct strv){0};
    own_writes_of("0-1001-7", 100, &ours);
    own_writes_of("", 100, &ours);
    cr_assert_eq(ours.count, 0u);
}

Test(own_writes, are_in_a_state_by_domain_and_server)
{
    cr_assert(own_writes_are_in("0-100-7,0-101-9", "0-100-7"));
    cr_assert(own_writes_are_in("0-100-8,0-101-9", "0-100-7"));
    cr_assert(!own_writes_are_in("0-100-6,0-101-9", "0-100-7"));
    cr_assert(!own_writes_are_in("1-100-8,0-101-9", "0-100-7"));
    cr_assert(!own_writes_are_in("0-101-9", "0-100-7"));
    cr_assert(!own_writes_are_in("", "0-100-7"));
    cr_assert(own_writes_are_in("", "not a gtid"));
}
