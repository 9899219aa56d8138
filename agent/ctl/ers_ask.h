/* What an emergency reparent asks the tablets, all at once. Private to the folder. */
#ifndef VTAGENT_CTL_ERS_ASK_H
#define VTAGENT_CTL_ERS_ASK_H

#include "agent/ctl/ers_rules.h"
#include "agent/ctl/reparent.h"

/* Stops every receiver and demotes who still believes to be primary. Ends as soon as all but one
 * have answered and `wanted` (may be ERS_NONE) has; waits_for_all: all. */
void ers_stop_all(struct ctl *ctl, struct ers_set *set, size_t wanted, bool waits_for_all);
/* A dry run's: only looks. */
void ers_look_at_all(struct ctl *ctl, struct ers_set *set);
/* Every replica in the race applies what it has received. All must. */
struct error *ers_apply_relay_logs(struct ctl *ctl, struct ers_set *set,
                                   int64_t timeout_ms) ERROR_MUST_CHECK;
/* Everybody in the race tells how many reparents it has seen. All must. */
struct error *ers_read_journals(struct ctl *ctl, struct ers_set *set,
                                int64_t timeout_ms) ERROR_MUST_CHECK;
/* Undoes ers_stop_all where replication was running, on time of its own. `primary` is whom they
 * follow (NULL: unknown). */
void ers_restart_replication(struct ctl *ctl, const struct shard_view *view,
                             const struct ers_set *set, const Topodata__Tablet *primary);

#endif
