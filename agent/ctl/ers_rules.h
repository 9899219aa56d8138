/* Decisions of an emergency reparent: pure, on what the tablets answered. The order of the steps is
 * ers.c's; each rule is Vitess's. */
#ifndef VTAGENT_CTL_ERS_RULES_H
#define VTAGENT_CTL_ERS_RULES_H

#include "agent/ctl/election.h"

struct ers_tablet {
    struct contender contender; /* tablet, positions, why it is out */
    bool is_ignored;            /* by --ignore-replicas */
    struct error *error;        /* it was asked and did not answer */
    bool is_reached;
    bool is_replica; /* answered as a replica; else it was demoted */
    bool has_backup_running, was_io_healthy, was_running;
    struct position *executed, *relay_log; /* after its receiver was stopped; replicas */
    char *wait_position;                   /* what it must apply */
    char *source_uuid;
    int32_t journal_length; /* reparents it has seen */
};

struct ers_set {
    struct ers_tablet *items;
    size_t count;
    const struct durability_policy *durability;
    bool is_gtid_based; /* MySQL's sets: relay logs count, errant transactions can be found */
};
#define ERS_NONE SIZE_MAX
void ers_set_done(struct ers_set *set);

/* Enough have answered: all; or all but the shard's primary (`primary` may be ERS_NONE); or so many
 * that no write can complete any more. Else UNAVAILABLE with what is missing. */
struct error *ers_check_reached(const struct ers_set *set, size_t primary) ERROR_MUST_CHECK;
/* Fills the contenders' positions, decides is_gtid_based. Those not reached and those of type
 * drained, backup or restore are out. */
struct error *ers_rank_positions(struct ers_set *set) ERROR_MUST_CHECK;
/* Takes out who has transactions that nobody else has. Only when is_gtid_based. */
void ers_reject_errant(struct ers_set *set);
/* Indexes of who is in the race, best first; *ret_source the most advanced, `wanted` (may be
 * ERS_NONE) if it is as advanced. FAILED_PRECONDITION: nobody; split brain; wanted is out. */
struct ers_order {
    size_t *items;
    size_t count;
};
void ers_order_done(struct ers_order *order);
struct error *ers_find_source(struct ers_set *set, size_t wanted, size_t *ret_source,
                              struct ers_order *ret_order) ERROR_MUST_CHECK;
/* Keeps who may be promoted, in order: promotion rule, cell (`cell` NULL: any), acknowledgements;
 * those with a backup running only when there is nobody else. ABORTED when that excludes `wanted`.
 */
struct error *ers_keep_promotable(struct ers_set *set, const char *cell, size_t wanted,
                                  struct ers_order *order) ERROR_MUST_CHECK;
/* Of these: `wanted`, or the source, or the best. */
struct error *ers_choose(const struct ers_set *set, const struct ers_order *order, size_t source,
                         size_t wanted, size_t *ret_chosen) ERROR_MUST_CHECK;

#endif
