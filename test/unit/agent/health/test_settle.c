/* Hysteresis, with a clock that the test moves. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agent/health/clock_watch.h"
#include "agent/health/decide.h"

static const struct health_rules rules = {.interval_ms = 1000};
static struct health_settling settling;
static struct health_judgement judgement;
static Topodata__TabletType type;
static bool is_hurried;

static void
set_up(void)
{
    settling = (struct health_settling){.has_verdict = false};
    judgement = (struct health_judgement){.detail = "fine"};
    type = TOPODATA__TABLET_TYPE__REPLICA;
    is_hurried = false;
}

static void
set_problem(bool is_fatal, bool is_sure)
{
    judgement.problems[0] = (struct health_problem){
        .cause = HEALTH_REPLICATION, .is_fatal = is_fatal, .is_sure = is_sure, .text = "broken"};
    judgement.problem_count = 1;
}

static struct health_verdict
at(int64_t now_ms)
{
    struct health_input input = {
        .rules = &rules, .type = type, .is_hurried = is_hurried, .now_ms = now_ms};
    struct health_verdict verdict;
    health_settle(&judgement, &input, &settling, &verdict);
    return verdict;
}

Test(settle, the_first_look_counts, .init = set_up)
{
    cr_assert(at(1000).is_serving);
    set_up();
    set_problem(true, false);
    cr_assert(!at(1000).is_serving);
}

Test(settle, one_bad_look_is_none_two_are, .init = set_up)
{
    at(1000);
    set_problem(true, false);
    cr_assert(at(2000).is_serving);
    cr_assert(at(2500).is_serving);
    cr_assert(!at(3000).is_serving);
    set_up();
    at(1000);
    set_problem(true, false);
    at(2000);
    judgement.problem_count = 0;
    at(3000);
    set_problem(true, false);
    cr_assert(at(4000).is_serving);
}

Test(settle, what_is_sure_counts_at_once, .init = set_up)
{
    at(1000);
    set_problem(true, true);
    struct health_verdict verdict = at(1010);
    cr_assert(!verdict.is_serving);
    cr_assert_str_eq(verdict.reason, "broken");
}

Test(settle, coming_back_takes_two_good_looks, .init = set_up)
{
    at(1000);
    set_problem(true, true);
    at(2000);
    judgement.problem_count = 0;
    struct health_verdict verdict = at(3000);
    cr_assert(!verdict.is_serving);
    cr_assert_eq(verdict.cause, HEALTH_REPLICATION);
    cr_assert_str_eq(verdict.reason, "well again, serving in 1.0 s; it was: broken");
    cr_assert(at(4000).is_serving);
}

Test(settle, what_an_action_mended_serves_at_once, .init = set_up)
{
    is_hurried = true;
    at(1000);
    set_problem(true, true);
    at(2000);
    judgement.problem_count = 0;
    cr_assert(at(2100).is_serving);
    set_problem(true, true);
    judgement.problems[0].cause = HEALTH_DISK_FULL; /* no action does that */
    at(3000);
    judgement.problem_count = 0;
    cr_assert(!at(3100).is_serving);
}

Test(settle, who_comes_and_goes_waits_longer, .init = set_up)
{
    int64_t now_ms = 1000;
    at(now_ms);
    for (int i = 0; i < HEALTH_LEAVES; i++) {
        set_problem(true, true);
        at(now_ms += 1000);
        judgement.problem_count = 0;
        at(now_ms += 1000);
        bool is_last = i == HEALTH_LEAVES - 1;
        cr_assert_eq(at(now_ms += 1000).is_serving, !is_last);
    }
    is_hurried = true;
    cr_assert(!at(now_ms += 8000).is_serving);
    cr_assert(at(now_ms += 1000).is_serving);
}

Test(settle, a_new_type_starts_afresh, .init = set_up)
{
    at(1000);
    set_problem(true, true);
    at(2000);
    judgement.problem_count = 0;
    type = TOPODATA__TABLET_TYPE__PRIMARY;
    cr_assert(at(2100).is_serving);
}

Test(settle, a_warning_is_told_and_changes_nothing, .init = set_up)
{
    set_problem(false, true);
    struct health_verdict verdict = at(1000);
    cr_assert(verdict.is_serving);
    cr_assert(verdict.is_broken);
    cr_assert_str_eq(verdict.reason, "fine; broken");
}

/* The machine's clock is set while everything else goes on: out of serving, and back by itself. */
Test(settle, a_clock_that_is_set_is_noticed_and_forgotten, .init = set_up)
{
    struct health_facts facts = {.server = {.measured_ms = 1, .answers = true}};
    struct clock_watch watch = {.is_known = false};
    struct health_lag_memory memory = {0};
    int left = 0, came = 0;
    bool was_serving = true;
    for (int64_t now_ms = 1000; now_ms < 30000; now_ms += 1000) {
        int64_t wall_ns = (1800000000000 + now_ms + (now_ms >= 10000 ? 3600000 : 0)) * 1000000;
        facts.server.answered_ms = now_ms;
        clock_watch_look(&watch, now_ms, wall_ns, &facts.clock);
        struct health_input input = {.facts = &facts,
                                     .rules = &rules,
                                     .type = TOPODATA__TABLET_TYPE__PRIMARY,
                                     .now_ms = now_ms,
                                     .now_ns = wall_ns};
        struct health_verdict verdict;
        health_judge(&input, &memory, &judgement);
        health_settle(&judgement, &input, &settling, &verdict);
        if (was_serving && !verdict.is_serving) {
            left++;
            cr_assert_eq(now_ms, 10000);
            cr_assert_str_eq(verdict.reason, "the clock was set forward by 60 min");
        }
        came += !was_serving && verdict.is_serving;
        was_serving = verdict.is_serving;
    }
    cr_assert_eq(left, 1);
    cr_assert_eq(came, 1);
}
