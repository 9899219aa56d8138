/* Who is the best primary: pure rules, shared by planned and emergency reparents. The order is
 * Vitess's: most transactions, then most of them executed, then promotion rule, then the fuller
 * buffer pool, then the alias. */
#ifndef VTAGENT_CTL_ELECTION_H
#define VTAGENT_CTL_ELECTION_H

#include "agent/ctl/shard.h"
#include "replication/gtid.h"

struct contender {
    const Topodata__Tablet *tablet; /* borrowed */
    struct position *combined;      /* executed and received */
    struct position *executed;
    int64_t buffer_pool_pages;
    char *reason; /* why it is out of the race; NULL: it is in */
};
void contender_done(struct contender *contender);
/* Takes it out of the race, unless it is out already. */
void contender_reject(struct contender *contender, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Everything in b is in a; equal sets: a has executed what b has. */
bool contender_is_at_least(const struct contender *a, const struct contender *b);
/* Best first: a stable order of pointers. */
void contenders_sort(struct contender **contenders, size_t count);

/* ---- What the policy allows. Lists are of borrowed records. ---- */
struct tablet_set {
    const Topodata__Tablet **items;
    size_t count;
};
bool tablet_set_has(const struct tablet_set *set, const Topodata__Tablet *tablet);
/* Enough of the reached ones acknowledge to this primary, which is among them. */
bool durability_can_establish(const struct durability_policy *policy,
                              const Topodata__Tablet *primary, const struct tablet_set *reached);
/* With the reached ones stopped, none of all the tablets can still complete a write. */
bool durability_is_revoked(const struct durability_policy *policy, const struct tablet_set *reached,
                           const struct tablet_set *all);

/* The tablet whose record says primary since the latest time; NULL: none, or a tie (*ret_is_tied).
 */
const Topodata__Tablet *find_current_primary(const struct tablet_list *tablets, bool *ret_is_tied);

#endif
