#include "backup/expire.h"

#include <inttypes.h>
#include <stdlib.h>

#define NS_PER_MS 1000000
#define SKEW_NS (600ll * 1000 * NS_PER_MS) /* clocks of two machines may differ by that much */

/* What the newer ones of a list have shown, while it is walked from the newest on. */
struct walk {
    const struct expire_rules *rules;
    size_t full_count;  /* complete full ones */
    int64_t good_count; /* that have not failed a check */
    bool has_failed;    /* one of them has */
    bool has_verified;  /* one of them has passed a check of every byte */
};

static bool
has_rules(const struct expire_rules *rules)
{
    return rules->keep_count > 0 || rules->keep_age_ms > 0;
}

static bool
is_from_the_future(const struct backup_summary *summary, const struct expire_rules *rules)
{
    return summary->time_ns > rules->now_ns + SKEW_NS;
}

static bool
is_older(const struct backup_summary *summary, int64_t age_ms, int64_t now_ns)
{
    return age_ms > 0 && summary->time_ns != 0 && (now_ns - summary->time_ns) / NS_PER_MS > age_ms;
}

static char *
age_text(const struct backup_summary *summary, int64_t now_ns)
{
    int64_t minutes = (now_ns - summary->time_ns) / NS_PER_MS / 60000;
    if (minutes < 120)
        return xasprintf("%" PRId64 " minutes old", minutes);
    int64_t hours = minutes / 60;
    return hours < 48 ? xasprintf("%" PRId64 " hours old", hours)
                      : xasprintf("%" PRId64 " days old", hours / 24);
}

static void
keep(struct expire_step *step, const char *reason)
{
    step->reason = xstrdup(reason);
}

static void
drop(struct expire_step *step, char *take_reason)
{
    step->is_removed = true;
    step->reason = take_reason;
}

/* ---- Incomplete ones ---- */

bool
expire_is_old_orphan(const struct backup_summary *summary, const struct expire_rules *rules)
{
    return summary->state == BACKUP_INCOMPLETE &&
           is_older(summary, rules->orphan_age_ms, rules->now_ns);
}

static void
judge_incomplete(const struct backup_summary *summary, enum expire_owner owner,
                 const struct expire_rules *rules, struct expire_step *step)
{
    static const char *const owners[] = {
        [EXPIRE_OWNER_UNASKED] = "incomplete",
        [EXPIRE_OWNER_GONE] = "incomplete, and its tablet is gone",
        [EXPIRE_OWNER_IDLE] = "incomplete, and its tablet does not write it",
    };
    step->is_orphan = true;
    if (!expire_is_old_orphan(summary, rules)) {
        keep(step, "incomplete, but not old enough: it may be being written");
    } else if (owner == EXPIRE_OWNER_BUSY) {
        keep(step, "incomplete, but its tablet runs a backup");
    } else if (owner == EXPIRE_OWNER_SILENT) {
        keep(step, "incomplete, but its tablet does not answer: RemoveBackup removes it");
    } else {
        CLEANUP(freep) char *age = age_text(summary, rules->now_ns);
        drop(step, xasprintf("%s: %s", owners[owner], age));
    }
}

/* ---- Complete ones ---- */

/* Why it stays in any case; NULL: nothing holds it. */
static const char *
protection(const struct walk *walk, const struct backup_summary *summary)
{
    bool has_failed = summary->verdict.has_failed;
    bool is_verified = !has_failed && summary->verdict.mode >= VERDICT_FULL;
    if (walk->full_count == 0)
        return "the newest complete one";
    if (!has_failed && walk->good_count == 0)
        return "the newest one that has not failed a check";
    if (is_verified && walk->has_failed && !walk->has_verified)
        return "the newest verified one, and a newer one has failed its check";
    return NULL;
}

static void
judge_full(const struct walk *walk, const struct backup_summary *summary, struct expire_step *step)
{
    const struct expire_rules *rules = walk->rules;
    const char *held = protection(walk, summary);
    CLEANUP(freep) char *age = age_text(summary, rules->now_ns);
    if (held != NULL)
        keep(step, held);
    else if (!has_rules(rules))
        keep(step, "no rule expires it");
    else if (rules->keep_count > 0 && walk->good_count < rules->keep_count)
        step->reason = xasprintf("fewer than %" PRId64 " newer good ones", rules->keep_count);
    else if (rules->keep_age_ms > 0 && !is_older(summary, rules->keep_age_ms, rules->now_ns))
        step->reason = xasprintf("young enough: %s", age);
    else
        drop(step, xasprintf("newer good ones: %" PRId64 ", %s%s", walk->good_count, age,
                             summary->verdict.has_failed ? ", failed its check" : ""));
}

static void
note_full(struct walk *walk, const struct backup_summary *summary)
{
    bool has_failed = summary->verdict.has_failed;
    walk->full_count++;
    walk->good_count += has_failed ? 0 : 1;
    walk->has_failed = walk->has_failed || has_failed;
    walk->has_verified =
        walk->has_verified || (!has_failed && summary->verdict.mode >= VERDICT_FULL);
}

/* Whether a backup that others can build on stays, among the items from first to before end. */
static bool
keeps_full_one(const struct backup_list *list, const struct expire_plan *plan, size_t first,
               size_t end)
{
    for (size_t i = first; i < end; i++) {
        const struct backup_summary *summary = &list->items[i];
        bool may_be_full = summary->state == BACKUP_UNREADABLE ||
                           (summary->state == BACKUP_COMPLETE && !summary->is_incremental);
        if (may_be_full && !plan->steps[i].is_removed)
            return true;
    }
    return false;
}

static void
judge_incremental(const struct backup_list *list, const struct expire_rules *rules,
                  struct expire_plan *plan, size_t index)
{
    struct expire_step *step = &plan->steps[index];
    if (!has_rules(rules))
        keep(step, "no rule expires it");
    else if (keeps_full_one(list, plan, 0, index))
        keep(step, "incremental, and a full one before it is kept");
    else if (!keeps_full_one(list, plan, index, list->count))
        keep(step, "incremental, and there is no full one");
    else
        drop(step, xstrdup("incremental, and no full one before it is kept"));
}

static void
judge(struct walk *walk, const struct backup_summary *summary, enum expire_owner owner,
      struct expire_step *step)
{
    if (summary->time_ns == 0) {
        keep(step, "its time is unknown: RemoveBackup removes it");
        return;
    }
    if (is_from_the_future(summary, walk->rules)) {
        keep(step, "its time is in the future: a clock was wrong");
        return;
    }
    switch (summary->state) {
    case BACKUP_INCOMPLETE:
        judge_incomplete(summary, owner, walk->rules, step);
        return;
    case BACKUP_UNREADABLE:
        keep(step, "its MANIFEST cannot be read: RemoveBackup removes it");
        return;
    case BACKUP_COMPLETE:
    default:
        if (summary->is_incremental)
            return;
        judge_full(walk, summary, step);
        note_full(walk, summary);
    }
}

void
expire_plan(const struct backup_list *list, const enum expire_owner *owners,
            const struct expire_rules *rules, struct expire_plan *ret_plan)
{
    struct expire_plan plan = {xcalloc(list->count + 1, sizeof(*plan.steps)), list->count};
    struct walk walk = {.rules = rules};
    for (size_t i = list->count; i-- > 0;)
        judge(&walk, &list->items[i], owners[i], &plan.steps[i]);
    for (size_t i = 0; i < list->count; i++) {
        if (plan.steps[i].reason == NULL)
            judge_incremental(list, rules, &plan, i);
    }
    *ret_plan = plan;
}

void
expire_plan_done(struct expire_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->steps[i].reason);
    free(plan->steps);
    *plan = (struct expire_plan){.steps = NULL};
}
