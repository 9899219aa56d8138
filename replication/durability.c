#include "replication/durability.h"

#include <stddef.h>
#include <string.h>

#include "agent/base/memory.h"

/* topodata.TabletType */
enum { TYPE_PRIMARY = 1, TYPE_REPLICA = 2, TYPE_RDONLY = 3 };

struct durability_policy {
    const char *name;
    int ackers;
    bool counts_rdonly, wants_other_cell;
};

static const struct durability_policy policies[] = {
    {.name = "none"},
    {.name = "semi_sync", .ackers = 1},
    {.name = "semi_sync_with_rdonly_ack", .ackers = 1, .counts_rdonly = true},
    {.name = "cross_cell", .ackers = 1, .wants_other_cell = true},
    {.name = "cross_cell_with_rdonly_ack",
     .ackers = 1,
     .counts_rdonly = true,
     .wants_other_cell = true},
};

struct error *
durability_policy_find(const char *name, const struct durability_policy **ret_policy)
{
    if (str_is_empty(name))
        name = "none";
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        if (strcmp(policies[i].name, name) == 0) {
            *ret_policy = &policies[i];
            return NULL;
        }
    }
    return error_new(ERROR_INVALID_ARGUMENT,
                     "durability policy '%s' is unknown; the known ones are none, semi_sync, "
                     "semi_sync_with_rdonly_ack, cross_cell, cross_cell_with_rdonly_ack",
                     name);
}

int
durability_ackers_needed(const struct durability_policy *policy)
{
    return policy->ackers;
}

bool
durability_replica_acks(const struct durability_policy *policy, int replica_type,
                        const char *replica_cell, const char *primary_cell)
{
    if (policy->ackers == 0)
        return false;
    if (policy->wants_other_cell && str_equal(replica_cell, primary_cell))
        return false;
    return replica_type == TYPE_PRIMARY || replica_type == TYPE_REPLICA ||
           (policy->counts_rdonly && replica_type == TYPE_RDONLY);
}

bool
durability_may_promote(int tablet_type)
{
    return tablet_type == TYPE_PRIMARY || tablet_type == TYPE_REPLICA;
}
