#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/ctl/reparent.h"
#include "fake.h"

#define UUID "00000000-0000-0000-0000-000000000001"
#define AT(n) "MySQL56/" UUID ":1-" n

static const struct fake_tablet healthy[] = {
    {.uid = 100, .type = TOPODATA__TABLET_TYPE__PRIMARY, .executed = AT("10")},
    {.uid = 101, .type = TOPODATA__TABLET_TYPE__REPLICA, .executed = AT("8"), .is_replica = true},
    {.uid = 102, .type = TOPODATA__TABLET_TYPE__REPLICA, .executed = AT("9"), .is_replica = true},
    {.uid = 103, .type = TOPODATA__TABLET_TYPE__RDONLY, .executed = AT("10"), .is_replica = true},
};

static struct prs_options
to(uint32_t uid)
{
    struct prs_options options = {.shard_name = "commerce/0", .wait_replicas_timeout_ms = 15000};
    if (uid != 0)
        options.new_primary = (struct tablet_alias){"zone1", uid};
    return options;
}

Test(prs, switches_in_the_order_that_loses_nothing)
{
    struct fake *fake = fake_new("semi_sync", 100, healthy, ARRAY_LENGTH(healthy));
    struct prs_options options = to(101);
    must(planned_reparent(&fake->ctl, &options));
    cr_assert(fake_in_order(fake, "GetGlobalStatusVars 103", "PrimaryPosition 100"));
    cr_assert(fake_in_order(fake, "PrimaryPosition 100",
                            "SetReplicationSource 101 parent=100 force semisync waits"));
    cr_assert(fake_in_order(fake, "SetReplicationSource 101 parent=100", "DemotePrimary 100"));
    cr_assert(fake_in_order(fake, "DemotePrimary 100", "WaitForPosition 101 " AT("10")));
    cr_assert(fake_in_order(fake, "WaitForPosition 101", "PromoteReplica 101 semisync"));
    cr_assert(fake_in_order(fake, "PromoteReplica 101",
                            "PopulateReparentJournal 101 PlannedReparentShard"));
    cr_assert_geq(fake_find(fake, "SetReplicationSource 100 parent=101 semisync"), 0);
    cr_assert_geq(fake_find(fake, "SetReplicationSource 102 parent=101 semisync"), 0);
    int rdonly = fake_find(fake, "SetReplicationSource 103 parent=101");
    cr_assert_str_eq(fake->calls.items[rdonly], "SetReplicationSource 103 parent=101");
    cr_assert_eq(fake_find(fake, "UndoDemotePrimary"), -1);
    cr_assert_eq(fake_find(fake, "ReplicationStatus"), -1);
    fake_free(fake);
}

Test(prs, elects_the_most_advanced_replica)
{
    struct fake *fake = fake_new("none", 100, healthy, ARRAY_LENGTH(healthy));
    struct prs_options options = to(0);
    must(planned_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "PromoteReplica 102"), 0);
    cr_assert_eq(fake_find(fake, "ReplicationStatus 103"), -1);
    fake_free(fake);
}

Test(prs, a_demotion_is_undone_when_the_elect_does_not_catch_up)
{
    struct fake_tablet tablets[ARRAY_LENGTH(healthy)];
    memcpy(tablets, healthy, sizeof(healthy));
    tablets[1].fails = "WaitForPosition";
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct prs_options options = to(101);
    must_be(planned_reparent(&fake->ctl, &options), ERROR_UNAVAILABLE, "stays primary");
    cr_assert(fake_in_order(fake, "DemotePrimary 100", "UndoDemotePrimary 100"));
    cr_assert_eq(fake_find(fake, "PromoteReplica"), -1);
    fake_free(fake);
}

Test(prs, a_tablet_that_does_not_answer_stops_it_before_anything_is_done)
{
    struct fake_tablet tablets[ARRAY_LENGTH(healthy)];
    memcpy(tablets, healthy, sizeof(healthy));
    tablets[3].fails = "*";
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct prs_options options = to(101);
    must_be(planned_reparent(&fake->ctl, &options), ERROR_UNAVAILABLE, "zone1-0000000103");
    cr_assert_eq(fake_find(fake, "DemotePrimary"), -1);
    cr_assert_eq(fake_find(fake, "SetReplicationSource"), -1);
    fake_free(fake);
}

Test(prs, a_failing_promotion_is_told_and_replicas_are_not_waited_for)
{
    struct fake_tablet tablets[ARRAY_LENGTH(healthy)];
    memcpy(tablets, healthy, sizeof(healthy));
    tablets[1].fails = "PromoteReplica";
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct prs_options options = to(101);
    must_be(planned_reparent(&fake->ctl, &options), ERROR_UNAVAILABLE, "PromoteReplica");
    cr_assert_eq(fake_find(fake, "PopulateReparentJournal"), -1);
    fake_free(fake);
}

Test(prs, a_replica_that_does_not_follow_fails_it_but_the_primary_has_moved)
{
    struct fake_tablet tablets[ARRAY_LENGTH(healthy)];
    memcpy(tablets, healthy, sizeof(healthy));
    tablets[2].fails = "SetReplicationSource";
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct prs_options options = to(101);
    must_be(planned_reparent(&fake->ctl, &options), ERROR_UNAVAILABLE, "--new-primary");
    cr_assert_geq(fake_find(fake, "PromoteReplica 101"), 0);
    fake_free(fake);
}

Test(prs, the_present_primary_is_refreshed)
{
    struct fake *fake = fake_new("none", 100, healthy, ARRAY_LENGTH(healthy));
    struct prs_options options = to(100);
    must(planned_reparent(&fake->ctl, &options));
    cr_assert(fake_in_order(fake, "SetReadWrite 100", "PrimaryPosition 100"));
    cr_assert_eq(fake_find(fake, "DemotePrimary"), -1);
    cr_assert_eq(fake_find(fake, "PromoteReplica"), -1);
    cr_assert_geq(fake_find(fake, "SetReplicationSource 103 parent=100"), 0);
    fake_free(fake);
}

static const struct fake_tablet fresh[] = {
    {.uid = 100, .type = TOPODATA__TABLET_TYPE__REPLICA, .executed = ""},
    {.uid = 101, .type = TOPODATA__TABLET_TYPE__REPLICA, .executed = "", .buffer_pool = "7"},
};

Test(prs, a_fresh_shard_gets_its_first_primary)
{
    struct fake *fake = fake_new("none", 0, fresh, ARRAY_LENGTH(fresh));
    struct prs_options options = to(0);
    must(planned_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "InitPrimary 101"), 0); /* its buffer pool is fuller */
    cr_assert_eq(fake_find(fake, "PromoteReplica"), -1);
    /* Once at the beginning, like everybody, and once it is primary. */
    cr_assert_lt(fake_find(fake, "RefreshState 101"), fake_find(fake, "InitPrimary 101"));
    cr_assert(str_starts_with(fake->calls.items[fake->calls.count - 1], "RefreshState 101"));
    fake_free(fake);
}

Test(prs, without_a_clear_primary_all_are_demoted_and_the_elect_must_have_everything)
{
    struct fake_tablet tablets[] = {
        {.uid = 100, .type = TOPODATA__TABLET_TYPE__REPLICA, .executed = AT("10")},
        {.uid = 101, .type = TOPODATA__TABLET_TYPE__REPLICA, .executed = AT("9")},
    };
    struct fake *fake = fake_new("none", 100, tablets, 2);
    struct prs_options options = to(101);
    must_be(planned_reparent(&fake->ctl, &options), ERROR_FAILED_PRECONDITION, "zone1-0000000100");
    cr_assert_eq(fake_find(fake, "PromoteReplica"), -1);
    options = to(100);
    must(planned_reparent(&fake->ctl, &options));
    cr_assert(fake_in_order(fake, "DemotePrimary 101", "PromoteReplica 100"));
    fake_free(fake);
}

Test(prs, avoiding_who_is_not_primary_is_no_work)
{
    struct fake *fake = fake_new("none", 100, healthy, ARRAY_LENGTH(healthy));
    struct prs_options options = to(0);
    options.avoid_primary = (struct tablet_alias){"zone1", 102};
    must(planned_reparent(&fake->ctl, &options));
    cr_assert_eq(fake_find(fake, "DemotePrimary"), -1);
    options.new_primary = options.avoid_primary;
    must_be(planned_reparent(&fake->ctl, &options), ERROR_FAILED_PRECONDITION, "the same");
    fake_free(fake);
}

Test(prs, expectations_and_strangers_are_checked)
{
    struct fake *fake = fake_new("none", 100, healthy, ARRAY_LENGTH(healthy));
    struct prs_options options = to(101);
    options.expected_primary = (struct tablet_alias){"zone1", 102};
    must_be(planned_reparent(&fake->ctl, &options), ERROR_FAILED_PRECONDITION, "expected");
    options = to(999);
    must_be(planned_reparent(&fake->ctl, &options), ERROR_FAILED_PRECONDITION, "not in shard");
    cr_assert_eq(fake_find(fake, "DemotePrimary"), -1);
    fake_free(fake);
}

Test(prs, nobody_left_is_explained_tablet_by_tablet)
{
    struct fake_tablet tablets[ARRAY_LENGTH(healthy)];
    memcpy(tablets, healthy, sizeof(healthy));
    tablets[1].has_backup = true;
    tablets[2].has_unknown_lag = true;
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct prs_options options = to(0);
    struct error *error = planned_reparent(&fake->ctl, &options);
    cr_assert_not_null(error);
    cr_assert_not_null(strstr(error->message, "zone1-0000000101: a backup is running"));
    cr_assert_not_null(strstr(error->message, "zone1-0000000102: its lag is not known"));
    cr_assert_not_null(strstr(error->message, "zone1-0000000103: its type is rdonly"));
    must_be(error, ERROR_INTERNAL, "it is the one to avoid");
    fake_free(fake);
}

Test(prs, lag_may_be_limited)
{
    struct fake_tablet tablets[ARRAY_LENGTH(healthy)];
    memcpy(tablets, healthy, sizeof(healthy));
    tablets[2].lag_seconds = 60; /* the most advanced, but late */
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct prs_options options = to(0);
    options.tolerable_lag_ms = 10000;
    must(planned_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "PromoteReplica 101"), 0);
    fake_free(fake);
}

Test(prs, other_cells_only_when_allowed)
{
    struct fake_tablet tablets[] = {
        healthy[0],
        {.uid = 200,
         .type = TOPODATA__TABLET_TYPE__REPLICA,
         .cell = "zone2",
         .executed = AT("10"),
         .is_replica = true},
    };
    struct fake *fake = fake_new("none", 100, tablets, 2);
    struct prs_options options = to(0);
    must_be(planned_reparent(&fake->ctl, &options), ERROR_INTERNAL, "not in cell 'zone1'");
    options.allows_cross_cell = true;
    must(planned_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "PromoteReplica 200"), 0);
    fake_free(fake);
}

Test(prs, an_elect_without_acknowledgements_is_refused)
{
    struct fake *fake = fake_new("cross_cell", 100, healthy, ARRAY_LENGTH(healthy));
    struct prs_options options = to(101);
    must_be(planned_reparent(&fake->ctl, &options), ERROR_FAILED_PRECONDITION, "acknowledge");
    fake_free(fake);
}

Test(prs, a_dry_run_changes_nothing_and_says_why)
{
    struct fake *fake = fake_new("none", 100, healthy, ARRAY_LENGTH(healthy));
    struct prs_options options = to(0);
    options.is_dry_run = true;
    must(planned_reparent(&fake->ctl, &options));
    const char *changing[] = {"SetReplicationSource", "DemotePrimary", "PromoteReplica",
                              "PopulateReparentJournal", "SetReadWrite"};
    for (size_t i = 0; i < ARRAY_LENGTH(changing); i++)
        cr_assert_eq(fake_find(fake, changing[i]), -1);
    const char *out = fake_out(fake);
    cr_assert_not_null(strstr(out, "zone1-0000000102  replica  takes over"));
    cr_assert_not_null(strstr(out, "zone1-0000000101  replica  zone1-0000000102 is preferred"));
    cr_assert_not_null(strstr(out, "would let zone1-0000000102 catch up"));
    fake_free(fake);
}

Test(prs, the_shard_is_unlocked_afterwards)
{
    struct fake *fake = fake_new("none", 100, healthy, ARRAY_LENGTH(healthy));
    struct prs_options options = to(101);
    must(planned_reparent(&fake->ctl, &options));
    struct topo_lock *lock = NULL;
    struct cancel *soon = cancel_new_child(NULL, 5000);
    must(topo_lock_shard(fake->ctl.topo, soon, "commerce", "0", "test", &lock));
    topo_unlock(lock);
    cancel_unref(soon);
    fake_free(fake);
}
