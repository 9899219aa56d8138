#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/ctl/reparent.h"
#include "fake.h"

static const struct fake_tablet fresh[] = {
    {.uid = 100, .type = TOPODATA__TABLET_TYPE__REPLICA, .executed = "MySQL56/"},
    {.uid = 101, .type = TOPODATA__TABLET_TYPE__REPLICA, .executed = "MySQL56/"},
    {.uid = 102, .type = TOPODATA__TABLET_TYPE__RDONLY, .executed = "MySQL56/"},
};

static struct error *
init(struct fake *fake, uint32_t uid, bool is_forced)
{
    struct tablet_alias alias = {"zone1", uid};
    return init_shard_primary(&fake->ctl, "commerce/0", &alias, is_forced, 30000);
}

Test(init_shard, the_first_time_must_be_forced)
{
    struct fake *fake = fake_new("semi_sync", 0, fresh, ARRAY_LENGTH(fresh));
    must_be(init(fake, 100, false), ERROR_FAILED_PRECONDITION, "--force");
    cr_assert_eq(fake->calls.count, 0);
    must(init(fake, 100, true));
    cr_assert(fake_in_order(fake, "ResetReplication 102", "InitPrimary 100"));
    cr_assert(fake_in_order(fake, "InitPrimary 100", "InitReplica 101"));
    cr_assert(
        fake_in_order(fake, "InitPrimary 100", "PopulateReparentJournal 100 InitShardPrimary"));
    cr_assert(fake_in_order(fake, "PopulateReparentJournal 100", "ExecuteFetchAsDba 100"));
    cr_assert(fake_in_order(fake, "ExecuteFetchAsDba 100", "RefreshState 100"));
    cr_assert_eq(fake_find(fake, "InitReplica 100"), -1);
    cr_assert_eq(fake_shard_primary(fake), 100);
    const char *first = strstr(fake_err(fake), "-force");
    cr_assert_not_null(first);
    cr_assert_not_null(strstr(first + 1, "-force"));
    fake_free(fake);
}

Test(init_shard, a_server_that_cannot_be_reset_stops_it)
{
    struct fake_tablet tablets[ARRAY_LENGTH(fresh)];
    memcpy(tablets, fresh, sizeof(fresh));
    tablets[1].fails = "ResetReplication";
    struct fake *fake = fake_new("none", 0, tablets, ARRAY_LENGTH(tablets));
    must_be(init(fake, 100, true), ERROR_UNAVAILABLE, "zone1-0000000101");
    cr_assert_eq(fake_find(fake, "InitPrimary"), -1);
    cr_assert_eq(fake_shard_primary(fake), 0);
    fake_free(fake);
}

Test(init_shard, a_replica_that_does_not_follow_is_named)
{
    struct fake_tablet tablets[ARRAY_LENGTH(fresh)];
    memcpy(tablets, fresh, sizeof(fresh));
    tablets[2].fails = "InitReplica";
    struct fake *fake = fake_new("none", 0, tablets, ARRAY_LENGTH(tablets));
    must_be(init(fake, 100, true), ERROR_UNAVAILABLE, "zone1-0000000102");
    cr_assert_eq(fake_shard_primary(fake), 100);
    fake_free(fake);
}

Test(init_shard, strangers_are_refused)
{
    struct fake *fake = fake_new("none", 0, fresh, ARRAY_LENGTH(fresh));
    must_be(init(fake, 999, true), ERROR_FAILED_PRECONDITION, "not in shard");
    cr_assert_eq(fake->calls.count, 0);
    fake_free(fake);
}
