#include <criterion/criterion.h>

#include "agent/supervisor/restart_limit.h"

Test(restart_limit, young_deaths_back_off_and_end_in_slow_tries)
{
    struct restart_limit limit = {.young_deaths = 0};
    static const int64_t expected[] = {0, 1000, 2000, 4000};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(restart_limit_next_ms(&limit, 100), expected[i]);
        cr_assert(!restart_limit_is_slow(&limit));
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(restart_limit_next_ms(&limit, 100), RESTART_LIMIT_SLOW_MS);
        cr_assert(restart_limit_is_slow(&limit));
    }
}

Test(restart_limit, a_long_life_forgives)
{
    struct restart_limit limit = {.young_deaths = 0};
    for (int i = 0; i < 6; i++)
        restart_limit_next_ms(&limit, 0);
    cr_assert_eq(restart_limit_next_ms(&limit, RESTART_LIMIT_YOUNG_MS), 0);
    cr_assert(!restart_limit_is_slow(&limit));
    cr_assert_eq(restart_limit_next_ms(&limit, RESTART_LIMIT_YOUNG_MS - 1), 1000);
}

Test(restart_limit, a_start_by_hand_forgives)
{
    struct restart_limit limit = {.young_deaths = 0};
    for (int i = 0; i < 6; i++)
        restart_limit_next_ms(&limit, 0);
    restart_limit_reset(&limit);
    cr_assert_eq(restart_limit_next_ms(&limit, 5), 0);
}
