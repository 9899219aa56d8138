#include "agent/ctl/election.h"

#include <stdlib.h>
#include <string.h>

void
contender_done(struct contender *contender)
{
    position_free(contender->combined);
    position_free(contender->executed);
    free(contender->reason);
}

void
contender_reject(struct contender *contender, const char *format, ...)
{
    if (contender->reason != NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    contender->reason = xvasprintf(format, arguments);
    va_end(arguments);
}

bool
contender_is_at_least(const struct contender *a, const struct contender *b)
{
    if (position_equal(a->combined, b->combined))
        return position_contains(a->executed, b->executed);
    return position_contains(a->combined, b->combined);
}

static int
compare_aliases(const Topodata__Tablet *a, const Topodata__Tablet *b)
{
    int order = strcmp(a->alias->cell, b->alias->cell);
    return order != 0 ? order : (a->alias->uid > b->alias->uid) - (a->alias->uid < b->alias->uid);
}

static bool
is_better(const struct contender *a, const struct contender *b)
{
    if (!contender_is_at_least(a, b))
        return false;
    if (!contender_is_at_least(b, a))
        return true;
    bool may_a = durability_may_promote((int)a->tablet->type);
    bool may_b = durability_may_promote((int)b->tablet->type);
    if (may_a != may_b)
        return may_a;
    if (a->buffer_pool_pages != b->buffer_pool_pages)
        return a->buffer_pool_pages > b->buffer_pool_pages;
    return compare_aliases(a->tablet, b->tablet) < 0;
}

/* By insertion: sets can be incomparable, which a sort by comparison may not survive. One that
 * contains all others still comes first. */
void
contenders_sort(struct contender **contenders, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct contender *moving = contenders[i];
        size_t at = i;
        for (; at > 0 && is_better(moving, contenders[at - 1]); at--)
            contenders[at] = contenders[at - 1];
        contenders[at] = moving;
    }
}

/* ---- Policies ---- */

bool
tablet_set_has(const struct tablet_set *set, const Topodata__Tablet *tablet)
{
    for (size_t i = 0; i < set->count; i++) {
        if (alias_messages_equal(set->items[i]->alias, tablet->alias))
            return true;
    }
    return false;
}

static int
count_ackers(const struct durability_policy *policy, const Topodata__Tablet *primary,
             const struct tablet_set *set)
{
    int count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const Topodata__Tablet *tablet = set->items[i];
        if (!alias_messages_equal(tablet->alias, primary->alias) &&
            durability_replica_acks(policy, (int)tablet->type, tablet->alias->cell,
                                    primary->alias->cell))
            count++;
    }
    return count;
}

bool
durability_can_establish(const struct durability_policy *policy, const Topodata__Tablet *primary,
                         const struct tablet_set *reached)
{
    return tablet_set_has(reached, primary) &&
           count_ackers(policy, primary, reached) >= durability_ackers_needed(policy);
}

bool
durability_is_revoked(const struct durability_policy *policy, const struct tablet_set *reached,
                      const struct tablet_set *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const Topodata__Tablet *tablet = all->items[i];
        if (!durability_may_promote((int)tablet->type) || tablet_set_has(reached, tablet))
            continue;
        int left = count_ackers(policy, tablet, all) - count_ackers(policy, tablet, reached);
        if (left >= durability_ackers_needed(policy))
            return false;
    }
    return true;
}

const Topodata__Tablet *
find_current_primary(const struct tablet_list *tablets, bool *ret_is_tied)
{
    const Topodata__Tablet *found = NULL;
    bool is_tied = false;
    for (size_t i = 0; i < tablets->count; i++) {
        const Topodata__Tablet *tablet = tablets->items[i];
        if (tablet->type != TOPODATA__TABLET_TYPE__PRIMARY)
            continue;
        int64_t since = record_time_ns(tablet->primary_term_start_time);
        int64_t best = found == NULL ? -1 : record_time_ns(found->primary_term_start_time);
        if (since == best)
            is_tied = true;
        if (since > best) {
            found = tablet;
            is_tied = false;
        }
    }
    *ret_is_tied = is_tied;
    return is_tied ? NULL : found;
}
