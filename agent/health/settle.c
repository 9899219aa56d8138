/* Hysteresis: what lasts counts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/health/decide.h"

/* That often within that time is flapping: then it must be well for longer. */
#define FLAPPING_WITHIN_MS 120000
#define FLAPPING_PAUSE_MS 10000

static void
note_since(struct health_settling *settling, const struct health_judgement *judgement,
           int64_t now_ms)
{
    bool is_now[HEALTH_CAUSE_COUNT] = {false};
    bool is_good = true;
    for (int i = 0; i < judgement->problem_count; i++) {
        if (!judgement->problems[i].is_fatal)
            continue;
        is_now[judgement->problems[i].cause] = true;
        is_good = false;
    }
    for (int cause = 0; cause < HEALTH_CAUSE_COUNT; cause++) {
        if (!is_now[cause])
            settling->bad_since_ms[cause] = 0;
        else if (settling->bad_since_ms[cause] == 0)
            settling->bad_since_ms[cause] = now_ms;
    }
    if (!is_good)
        settling->good_since_ms = 0;
    else if (settling->good_since_ms == 0)
        settling->good_since_ms = now_ms;
}

/* The first fatal problem that counts; NULL: none. */
static const struct health_problem *
find_fatal(const struct health_settling *settling, const struct health_judgement *judgement,
           int64_t least_ms, int64_t now_ms)
{
    for (int i = 0; i < judgement->problem_count; i++) {
        const struct health_problem *problem = &judgement->problems[i];
        if (!problem->is_fatal)
            continue;
        bool is_old = now_ms - settling->bad_since_ms[problem->cause] >= least_ms;
        if (problem->is_sure || is_old || !settling->has_verdict || !settling->is_serving)
            return problem;
    }
    return NULL;
}

/* How long it must be well before it serves again. */
static int64_t
pause_ms(const struct health_settling *settling, const struct health_input *input)
{
    int64_t oldest_ms = settling->left_ms[HEALTH_LEAVES - 1];
    bool is_flapping = oldest_ms != 0 && input->now_ms - oldest_ms < FLAPPING_WITHIN_MS;
    if (is_flapping)
        return FLAPPING_PAUSE_MS;
    bool is_mended = input->is_hurried && (settling->last_cause == HEALTH_NO_SOURCE ||
                                           settling->last_cause == HEALTH_REPLICATION);
    return is_mended ? 0 : input->rules->interval_ms;
}

static void
leave(struct health_settling *settling, int64_t now_ms)
{
    memmove(&settling->left_ms[1], &settling->left_ms[0],
            (HEALTH_LEAVES - 1) * sizeof(settling->left_ms[0]));
    settling->left_ms[0] = now_ms;
}

static void
say_serving(const struct health_judgement *judgement, struct health_verdict *verdict)
{
    const char *warning = NULL;
    for (int i = judgement->problem_count - 1; i >= 0; i--)
        warning = judgement->problems[i].text;
    snprintf(verdict->reason, sizeof(verdict->reason), "%.120s%s%.130s", judgement->detail,
             warning != NULL ? "; " : "", warning != NULL ? warning : "");
}

static void
say_recovering(struct health_settling *settling, int64_t left_ms, struct health_verdict *verdict)
{
    char time[32];
    verdict->cause = settling->last_cause;
    snprintf(verdict->reason, sizeof(verdict->reason), "well again, serving in %s; it was: %.150s",
             health_duration(left_ms, time), settling->last_text);
}

static void
say_fatal(struct health_settling *settling, const struct health_problem *problem,
          struct health_verdict *verdict)
{
    verdict->cause = settling->last_cause = problem->cause;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s", problem->text);
    snprintf(settling->last_text, sizeof(settling->last_text), "%s", problem->text);
}

static bool
is_broken(const struct health_judgement *judgement)
{
    for (int i = 0; i < judgement->problem_count; i++) {
        if (judgement->problems[i].cause == HEALTH_REPLICATION)
            return true;
    }
    return false;
}

void
health_settle(const struct health_judgement *judgement, const struct health_input *input,
              struct health_settling *settling, struct health_verdict *ret_verdict)
{
    int64_t now_ms = input->now_ms;
    if (settling->type != input->type)
        settling->has_verdict = false;
    settling->type = input->type;
    note_since(settling, judgement, now_ms);
    *ret_verdict = (struct health_verdict){.is_broken = is_broken(judgement),
                                           .is_lag_known = judgement->is_lag_known,
                                           .is_lag_estimated = judgement->is_lag_estimated,
                                           .lag_ms = judgement->lag_ms};
    bool was_serving = settling->has_verdict && settling->is_serving;
    const struct health_problem *fatal =
        find_fatal(settling, judgement, input->rules->interval_ms, now_ms);
    int64_t pause = pause_ms(settling, input);
    int64_t good_ms = now_ms - settling->good_since_ms;
    if (fatal != NULL) {
        say_fatal(settling, fatal, ret_verdict);
        if (was_serving)
            leave(settling, now_ms);
    } else if (settling->has_verdict && !was_serving && good_ms < pause) {
        say_recovering(settling, pause - good_ms, ret_verdict);
    } else {
        ret_verdict->is_serving = true;
        say_serving(judgement, ret_verdict);
    }
    /* The start is not a verdict to come back from. */
    settling->has_verdict = ret_verdict->cause != HEALTH_UNCHECKED;
    settling->is_serving = ret_verdict->is_serving;
}
