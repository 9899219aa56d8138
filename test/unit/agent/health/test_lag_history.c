#include <criterion/criterion.h>

#include "agent/health/lag_history.h"

static struct lag_history history;

static void
set_up(void)
{
    history = (struct lag_history){.newest = 0};
}

static void
note(int64_t second, int64_t lag_ms)
{
    lag_history_note(&history, second * 1000, lag_ms);
}

static int64_t
at(int64_t second, size_t age)
{
    return lag_history_at(&history, second * 1000, age);
}

Test(lag_history, nothing_is_known_before_the_first_note, .init = set_up)
{
    cr_assert_eq(at(5000, 0), -1);
    cr_assert_eq(at(5000, LAG_HISTORY_STEPS - 1), -1);
    cr_assert_eq(at(0, 0), -1);
}

Test(lag_history, the_worst_of_a_step_is_kept, .init = set_up)
{
    note(5000, 300);
    note(5003, 1200);
    note(5006, 100);
    note(5009, -1);
    cr_assert_eq(at(5009, 0), 1200);
    note(5010, 200);
    cr_assert_eq(at(5010, 0), 200);
    cr_assert_eq(at(5010, 1), 1200);
    cr_assert_eq(at(5010, 2), -1);
}

Test(lag_history, what_was_not_known_is_a_gap_and_not_a_zero, .init = set_up)
{
    note(5000, 300);
    note(5010, -1);
    note(5050, 0);
    cr_assert_eq(at(5050, 0), 0);
    for (size_t age = 1; age <= 4; age++)
        cr_assert_eq(at(5050, age), -1, "step %zu", age);
    cr_assert_eq(at(5050, 5), 300);
}

Test(lag_history, it_holds_an_hour_and_not_more, .init = set_up)
{
    for (int64_t second = 0; second < 3 * 3600; second++)
        note(second, second);
    int64_t now = 3 * 3600 - 1;
    cr_assert_eq(at(now, 0), now);
    cr_assert_eq(at(now, LAG_HISTORY_STEPS - 1), now - 3590);
    cr_assert_eq(at(now, LAG_HISTORY_STEPS), -1);
}

Test(lag_history, after_a_long_sleep_nothing_old_is_taken_for_new, .init = set_up)
{
    for (int64_t second = 0; second < 3600; second++)
        note(second, 7000);
    note(100000, 100);
    cr_assert_eq(at(100000, 0), 100);
    for (size_t age = 1; age < LAG_HISTORY_STEPS; age++)
        cr_assert_eq(at(100000, age), -1, "step %zu", age);
}

Test(lag_history, a_reader_ahead_of_the_last_note_sees_a_gap, .init = set_up)
{
    note(5000, 300);
    cr_assert_eq(at(5030, 0), -1);
    cr_assert_eq(at(5030, 3), 300);
    cr_assert_eq(at(5030 + 3600, 3), -1);
}
