/* Durability policies: who acknowledges, who may be promoted. Pure functions.
 * Source: Vitess's policies none, semi_sync, semi_sync_with_rdonly_ack, cross_cell,
 * cross_cell_with_rdonly_ack. Tablet types are topodata.TabletType's numbers. */
#ifndef VTAGENT_REPLICATION_DURABILITY_H
#define VTAGENT_REPLICATION_DURABILITY_H

#include <stdbool.h>

#include "agent/base/error.h"

struct durability_policy;

/* "" is none. INVALID_ARGUMENT for an unknown name, naming the known ones. Static value. */
struct error *durability_policy_find(const char *name,
                                     const struct durability_policy **ret_policy) ERROR_MUST_CHECK;
int durability_ackers_needed(const struct durability_policy *policy);
/* Whether a replica must acknowledge to this primary. */
bool durability_replica_acks(const struct durability_policy *policy, int replica_type,
                             const char *replica_cell, const char *primary_cell);
bool durability_may_promote(int tablet_type); /* PRIMARY, REPLICA */

#endif
