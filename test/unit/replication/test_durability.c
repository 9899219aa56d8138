#include <criterion/criterion.h>
#include <string.h>

#include "replication/durability.h"

enum { UNKNOWN, PRIMARY, REPLICA, RDONLY, SPARE, EXPERIMENTAL, BACKUP, RESTORE, DRAINED };

static const struct durability_policy *
find(const char *name)
{
    const struct durability_policy *policy = NULL;
    struct error *error = durability_policy_find(name, &policy);
    cr_assert_null(error);
    return policy;
}

Test(durability, unknown_policy_names_the_known_ones)
{
    const struct durability_policy *policy = NULL;
    struct error *error = durability_policy_find("paranoid", &policy);
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
    cr_assert_not_null(strstr(error->message, "cross_cell_with_rdonly_ack"));
    cr_assert_null(policy);
    error_free(error);
}

Test(durability, empty_name_is_none)
{
    cr_assert_eq(find(""), find("none"));
    cr_assert_eq(find(NULL), find("none"));
}

static const struct {
    const char *policy;
    int ackers;
    /* acks of replica, rdonly in the primary's cell; replica, rdonly in another */
    bool same_replica, same_rdonly, other_replica, other_rdonly;
} rows[] = {
    {"none", 0, false, false, false, false},
    {"semi_sync", 1, true, false, true, false},
    {"semi_sync_with_rdonly_ack", 1, true, true, true, true},
    {"cross_cell", 1, false, false, true, false},
    {"cross_cell_with_rdonly_ack", 1, false, false, true, true},
};

Test(durability, every_policy_has_its_ackers)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct durability_policy *policy = find(rows[i].policy);
        cr_assert_eq(durability_ackers_needed(policy), rows[i].ackers);
        cr_assert_eq(durability_replica_acks(policy, REPLICA, "a", "a"), rows[i].same_replica);
        cr_assert_eq(durability_replica_acks(policy, PRIMARY, "a", "a"), rows[i].same_replica);
        cr_assert_eq(durability_replica_acks(policy, RDONLY, "a", "a"), rows[i].same_rdonly);
        cr_assert_eq(durability_replica_acks(policy, REPLICA, "b", "a"), rows[i].other_replica);
        cr_assert_eq(durability_replica_acks(policy, RDONLY, "b", "a"), rows[i].other_rdonly);
        for (int type = SPARE; type <= DRAINED; type++)
            cr_assert(!durability_replica_acks(policy, type, "b", "a"));
    }
}

Test(durability, only_primaries_and_replicas_may_be_promoted)
{
    for (int type = UNKNOWN; type <= DRAINED; type++)
        cr_assert_eq(durability_may_promote(type), type == PRIMARY || type == REPLICA);
}
