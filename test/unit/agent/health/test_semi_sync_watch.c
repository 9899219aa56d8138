#include <criterion/criterion.h>

#include "agent/health/semi_sync_watch.h"

Test(semi_sync_watch, blocked_is_waiting_without_progress_for_a_while)
{
    struct semi_sync_watch watch = {0};
    cr_assert(!semi_sync_watch_step(&watch, 0, 5, 1000));
    cr_assert(!semi_sync_watch_step(&watch, 2, 5, 2000));
    cr_assert(!semi_sync_watch_step(&watch, 2, 5, 2500));
    cr_assert(semi_sync_watch_step(&watch, 2, 5, 3000));
    cr_assert(semi_sync_watch_step(&watch, 1, 5, 9000));
}

Test(semi_sync_watch, an_acknowledgement_or_nobody_waiting_begins_anew)
{
    struct semi_sync_watch watch = {0};
    cr_assert(!semi_sync_watch_step(&watch, 2, 5, 2000));
    cr_assert(!semi_sync_watch_step(&watch, 2, 6, 9000));
    cr_assert(semi_sync_watch_step(&watch, 2, 6, 10000));
    cr_assert(!semi_sync_watch_step(&watch, 0, 6, 11000));
    cr_assert(!semi_sync_watch_step(&watch, 1, 6, 19000));
}
