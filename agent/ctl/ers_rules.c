#include "agent/ctl/ers_rules.h"

#include <stdlib.h>
#include <string.h>

static struct alias_text
name_of(const struct ers_tablet *tablet)
{
    return alias_text_of(tablet->contender.tablet);
}

void
ers_set_done(struct ers_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct ers_tablet *tablet = &set->items[i];
        contender_done(&tablet->contender);
        error_free(tablet->error);
        position_free(tablet->executed);
        position_free(tablet->relay_log);
        free(tablet->wait_position);
        free(tablet->source_uuid);
    }
    free(set->items);
    *set = (struct ers_set){0};
}

void
ers_order_done(struct ers_order *order)
{
    free(order->items);
    *order = (struct ers_order){0};
}

/* ---- Who answered ---- */

struct sides {
    struct tablet_set reached, all;
};

static struct sides
split_sides(const struct ers_set *set)
{
    struct sides sides = {0};
    sides.reached.items = xcalloc(set->count + 1, sizeof(*sides.reached.items));
    sides.all.items = xcalloc(set->count + 1, sizeof(*sides.all.items));
    for (size_t i = 0; i < set->count; i++) {
        const Topodata__Tablet *tablet = set->items[i].contender.tablet;
        sides.all.items[sides.all.count++] = tablet;
        if (set->items[i].is_reached)
            sides.reached.items[sides.reached.count++] = tablet;
    }
    return sides;
}

static void
sides_done(struct sides *sides)
{
    free(sides->reached.items);
    free(sides->all.items);
}

struct error *
ers_check_reached(const struct ers_set *set, size_t primary)
{
    CLEANUP(strv_done) struct strv failures = {0};
    bool is_primary_missing = false;
    for (size_t i = 0; i < set->count; i++) {
        const struct ers_tablet *tablet = &set->items[i];
        if (tablet->is_reached || tablet->is_ignored)
            continue;
        is_primary_missing |= i == primary;
        strv_addf(&failures, "%s: %s", name_of(tablet).text,
                  tablet->error == NULL ? "no answer" : tablet->error->message);
    }
    if (failures.count == 0 || (failures.count == 1 && is_primary_missing))
        return NULL;
    CLEANUP(sides_done) struct sides sides = split_sides(set);
    if (durability_is_revoked(set->durability, &sides.reached, &sides.all))
        return NULL;
    CLEANUP(freep) char *text = strv_join(&failures, "; ");
    return error_new(ERROR_UNAVAILABLE,
                     "too few tablets answer to be sure that nobody can still complete a write: %s",
                     text);
}

/* ---- Positions ---- */

static struct error *
check_one_kind(const struct ers_set *set, bool *ret_is_gtid_based)
{
    const struct ers_tablet *gtid = NULL, *other = NULL, *empty = NULL;
    for (size_t i = 0; i < set->count; i++) {
        const struct ers_tablet *tablet = &set->items[i];
        if (!tablet->is_reached || !tablet->is_replica)
            continue;
        if (position_flavor_of(tablet->relay_log) == POSITION_MYSQL56)
            gtid = tablet;
        else
            other = tablet;
        if (position_is_empty(tablet->relay_log))
            empty = tablet;
    }
    if (gtid != NULL && empty != NULL)
        return error_new(ERROR_UNAVAILABLE,
                         "tablet '%s' reports no relay log position, but others report GTIDs",
                         name_of(empty).text);
    if (gtid != NULL && other != NULL)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "tablet '%s' reports GTIDs, tablet '%s' does not", name_of(gtid).text,
                         name_of(other).text);
    *ret_is_gtid_based = gtid != NULL;
    return NULL;
}

static bool
is_out_of_service(Topodata__TabletType type)
{
    return type == TOPODATA__TABLET_TYPE__DRAINED || type == TOPODATA__TABLET_TYPE__BACKUP ||
           type == TOPODATA__TABLET_TYPE__RESTORE;
}

static void
rank_one(struct ers_tablet *tablet, bool is_gtid_based)
{
    struct contender *contender = &tablet->contender;
    bool uses_relay_log = tablet->is_replica && is_gtid_based;
    contender->combined = position_copy(uses_relay_log ? tablet->relay_log : tablet->executed);
    contender->executed = uses_relay_log ? position_copy(tablet->executed) : NULL;
    if (tablet->is_ignored)
        contender_reject(contender, "ignored as asked");
    if (!tablet->is_reached)
        contender_reject(contender, "not reached: %s",
                         tablet->error == NULL ? "no answer" : tablet->error->message);
    if (is_out_of_service(contender->tablet->type))
        contender_reject(contender, "its type is %s", tablet_type_name(contender->tablet->type));
}

struct error *
ers_rank_positions(struct ers_set *set)
{
    TRY(check_one_kind(set, &set->is_gtid_based));
    for (size_t i = 0; i < set->count; i++)
        rank_one(&set->items[i], set->is_gtid_based);
    return NULL;
}

/* ---- Errant transactions ---- */

static bool
is_racing(const struct ers_tablet *tablet)
{
    return tablet->contender.reason == NULL;
}

static int32_t
longest_journal(const struct ers_set *set)
{
    int32_t longest = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (is_racing(&set->items[i]) && set->items[i].journal_length > longest)
            longest = set->items[i].journal_length;
    }
    return longest;
}

static void
subtract(struct position **position, const struct position *other)
{
    struct position *rest = position_subtract(*position, other);
    position_free(*position);
    *position = rest;
}

static void
reject_if_any(struct ers_tablet *tablet, const struct position *errant)
{
    if (position_is_empty(errant))
        return;
    CLEANUP(freep) char *text = position_set_text(errant);
    contender_reject(&tablet->contender, "has transactions that no other tablet has: %s", text);
}

/* Among those that saw all reparents: what one has beyond every other, and beyond its source's own
 * writes, is errant. With nobody to compare with, its set is taken as right. */
static void
reject_among_current(struct ers_set *set, int32_t longest)
{
    CLEANUP(freep) bool *is_current = xcalloc(set->count + 1, sizeof(bool));
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct ers_tablet *tablet = &set->items[i];
        is_current[i] = is_racing(tablet) && tablet->journal_length == longest;
        count += is_current[i];
        if (is_current[i] && position_is_empty(tablet->contender.combined)) {
            contender_reject(&set->items[i].contender, "has no position");
            is_current[i] = false;
            count--;
        }
    }
    for (size_t i = 0; count > 1 && i < set->count; i++) {
        struct ers_tablet *tablet = &set->items[i];
        if (!is_current[i] || !tablet->is_replica)
            continue;
        CLEANUP(position_freep)
        struct position *errant =
            uuid_is_valid(tablet->source_uuid)
                ? position_without_uuid(tablet->relay_log, tablet->source_uuid)
                : position_copy(tablet->relay_log);
        for (size_t k = 0; k < set->count; k++) {
            if (k != i && is_current[k])
                subtract(&errant, set->items[k].contender.combined);
        }
        reject_if_any(tablet, errant);
    }
}

/* Those that missed a reparent are measured against the others only; not even their source's writes
 * are taken as known. */
static void
reject_among_late(struct ers_set *set, int32_t longest)
{
    for (size_t i = 0; i < set->count; i++) {
        struct ers_tablet *tablet = &set->items[i];
        if (!is_racing(tablet) || tablet->journal_length == longest)
            continue;
        if (position_is_empty(tablet->contender.combined)) {
            contender_reject(&tablet->contender, "has no position");
            continue;
        }
        CLEANUP(position_freep)
        struct position *errant = position_copy(tablet->contender.combined);
        size_t compared = 0;
        for (size_t k = 0; k < set->count; k++) {
            if (!is_racing(&set->items[k]) || set->items[k].journal_length != longest)
                continue;
            subtract(&errant, set->items[k].contender.combined);
            compared++;
        }
        if (compared > 0)
            reject_if_any(tablet, errant);
    }
}

void
ers_reject_errant(struct ers_set *set)
{
    int32_t longest = longest_journal(set);
    reject_among_current(set, longest);
    reject_among_late(set, longest);
}

/* ---- The choice ---- */

static void
sort_racing(struct ers_set *set, struct ers_order *ret_order)
{
    CLEANUP(freep) struct contender **racing = xcalloc(set->count + 1, sizeof(*racing));
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (is_racing(&set->items[i]))
            racing[count++] = &set->items[i].contender;
    }
    contenders_sort(racing, count);
    ret_order->items = xcalloc(count + 1, sizeof(*ret_order->items));
    ret_order->count = count;
    for (size_t i = 0; i < count; i++) {
        /* The contender is the first member of its tablet. */
        ret_order->items[i] = (size_t)((struct ers_tablet *)(void *)racing[i] - set->items);
    }
}

struct error *
ers_find_source(struct ers_set *set, size_t wanted, size_t *ret_source, struct ers_order *ret_order)
{
    sort_racing(set, ret_order);
    if (ret_order->count == 0)
        return error_new(ERROR_FAILED_PRECONDITION, "no tablet can be promoted");
    size_t best = ret_order->items[0];
    for (size_t i = 1; i < ret_order->count; i++) {
        const struct ers_tablet *other = &set->items[ret_order->items[i]];
        if (!contender_is_at_least(&set->items[best].contender, &other->contender))
            return error_new(ERROR_FAILED_PRECONDITION,
                             "split brain: tablets '%s' and '%s' each have transactions that the "
                             "other has not",
                             name_of(&set->items[best]).text, name_of(other).text);
    }
    if (wanted != ERS_NONE) {
        if (!is_racing(&set->items[wanted]))
            return error_new(ERROR_FAILED_PRECONDITION, "tablet '%s' cannot be promoted: %s",
                             name_of(&set->items[wanted]).text,
                             set->items[wanted].contender.reason);
        if (contender_is_at_least(&set->items[wanted].contender, &set->items[best].contender))
            best = wanted;
    }
    *ret_source = best;
    return NULL;
}

/* Why it may not be promoted; NULL: it may. Caller frees. */
static char *
why_not(const struct ers_set *set, const struct ers_tablet *tablet, const char *cell,
        const struct tablet_set *reached)
{
    const Topodata__Tablet *record = tablet->contender.tablet;
    if (!durability_may_promote((int)record->type))
        return xasprintf("a %s is never promoted", tablet_type_name(record->type));
    if (cell != NULL && strcmp(record->alias->cell, cell) != 0)
        return xasprintf("not in cell '%s' of the last primary", cell);
    if (!durability_can_establish(set->durability, record, reached))
        return xstrdup("too few tablets that answer would acknowledge its writes");
    return NULL;
}

struct error *
ers_keep_promotable(struct ers_set *set, const char *cell, size_t wanted, struct ers_order *order)
{
    CLEANUP(sides_done) struct sides sides = split_sides(set);
    CLEANUP(freep) size_t *busy = xcalloc(order->count + 1, sizeof(*busy));
    size_t kept = 0, busy_count = 0;
    for (size_t i = 0; i < order->count; i++) {
        size_t index = order->items[i];
        struct ers_tablet *tablet = &set->items[index];
        char *reason = why_not(set, tablet, cell, &sides.reached);
        if (reason != NULL) {
            tablet->contender.reason = reason;
            if (index == wanted)
                return error_new(ERROR_ABORTED, "tablet '%s' cannot be promoted: %s",
                                 name_of(tablet).text, reason);
        } else if (tablet->has_backup_running) {
            busy[busy_count++] = index;
        } else {
            order->items[kept++] = index;
        }
    }
    for (size_t i = 0; kept == 0 && i < busy_count; i++)
        order->items[i] = busy[i];
    for (size_t i = 0; kept > 0 && i < busy_count; i++)
        contender_reject(&set->items[busy[i]].contender, "a backup is running on it");
    order->count = kept == 0 ? busy_count : kept;
    return NULL;
}

struct error *
ers_choose(const struct ers_set *set, const struct ers_order *order, size_t source, size_t wanted,
           size_t *ret_chosen)
{
    if (order->count == 0)
        return error_new(ERROR_FAILED_PRECONDITION, "no tablet can be promoted");
    size_t preferred = wanted != ERS_NONE ? wanted : source;
    for (size_t i = 0; i < order->count; i++) {
        if (order->items[i] == preferred) {
            *ret_chosen = preferred;
            return NULL;
        }
    }
    if (wanted != ERS_NONE)
        return error_new(ERROR_ABORTED, "tablet '%s' cannot be promoted: %s",
                         name_of(&set->items[wanted]).text,
                         set->items[wanted].contender.reason == NULL
                             ? "it did not follow the most advanced tablet"
                             : set->items[wanted].contender.reason);
    *ret_chosen = order->items[0];
    return NULL;
}
