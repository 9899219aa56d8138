#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/ctl/reparent.h"
#include "fake.h"

#define UUID "00000000-0000-0000-0000-000000000001"
#define OTHER "00000000-0000-0000-0000-000000000002"
#define AT(n) "MySQL56/" UUID ":1-" n

static const struct fake_tablet dead_primary[] = {
    {.uid = 100, .type = TOPODATA__TABLET_TYPE__PRIMARY, .executed = AT("20"), .fails = "*"},
    {.uid = 101,
     .type = TOPODATA__TABLET_TYPE__REPLICA,
     .executed = AT("8"),
     .relay = AT("12"),
     .source_uuid = UUID,
     .is_replica = true},
    {.uid = 102,
     .type = TOPODATA__TABLET_TYPE__REPLICA,
     .executed = AT("10"),
     .source_uuid = UUID,
     .is_replica = true},
    {.uid = 103,
     .type = TOPODATA__TABLET_TYPE__RDONLY,
     .executed = AT("9"),
     .source_uuid = UUID,
     .is_replica = true},
};
static const struct strv nobody;

static struct ers_options
emergency(void)
{
    return (struct ers_options){
        .shard_name = "commerce/0", .ignored_replicas = &nobody, .wait_replicas_timeout_ms = 15000};
}

Test(ers, promotes_who_received_the_most)
{
    struct fake *fake = fake_new("none", 100, dead_primary, ARRAY_LENGTH(dead_primary));
    struct ers_options options = emergency();
    must(emergency_reparent(&fake->ctl, &options));
    cr_assert(
        fake_in_order(fake, "StopReplicationAndGetStatus 101", "WaitForPosition 101 " AT("12")));
    cr_assert(fake_in_order(fake, "WaitForPosition 101", "ReadReparentJournalInfo 101"));
    cr_assert(fake_in_order(fake, "ReadReparentJournalInfo 101", "PromoteReplica 101"));
    cr_assert(fake_in_order(fake, "PromoteReplica 101",
                            "PopulateReparentJournal 101 EmergencyReparentShard"));
    cr_assert_geq(fake_find(fake, "SetReplicationSource 102 parent=101 force"), 0);
    cr_assert_geq(fake_find(fake, "SetReplicationSource 103 parent=101 force"), 0);
    cr_assert_geq(fake_find(fake, "SetReplicationSource 100 parent=101"), 0);
    cr_assert_eq(fake_find(fake, "StartReplication"), -1);
    cr_assert_not_null(strstr(fake_err(fake), "not following yet"));
    fake_free(fake);
}

Test(ers, too_few_answers_under_semi_sync_change_nothing)
{
    struct fake_tablet tablets[ARRAY_LENGTH(dead_primary)];
    memcpy(tablets, dead_primary, sizeof(dead_primary));
    tablets[1].fails = "*"; /* it could still acknowledge the primary's writes */
    struct fake *fake = fake_new("semi_sync", 100, tablets, ARRAY_LENGTH(tablets));
    struct ers_options options = emergency();
    must_be(emergency_reparent(&fake->ctl, &options), ERROR_UNAVAILABLE, "zone1-0000000101");
    cr_assert_eq(fake_find(fake, "PromoteReplica"), -1);
    cr_assert_geq(fake_find(fake, "StartReplication 102"), 0);
    cr_assert_geq(fake_find(fake, "StartReplication 103"), 0);
    fake_free(fake);
}

Test(ers, an_errant_replica_is_passed_over)
{
    struct fake_tablet tablets[ARRAY_LENGTH(dead_primary)];
    memcpy(tablets, dead_primary, sizeof(dead_primary));
    tablets[1].executed = "MySQL56/" UUID ":1-12," OTHER ":1";
    tablets[1].relay = NULL;
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct ers_options options = emergency();
    must(emergency_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "PromoteReplica 102"), 0);
    fake_free(fake);
}

Test(ers, an_errant_replica_cannot_be_asked_for)
{
    struct fake_tablet tablets[ARRAY_LENGTH(dead_primary)];
    memcpy(tablets, dead_primary, sizeof(dead_primary));
    tablets[1].executed = "MySQL56/" UUID ":1-12," OTHER ":1";
    tablets[1].relay = NULL;
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct ers_options options = emergency();
    options.new_primary = (struct tablet_alias){"zone1", 101};
    must_be(emergency_reparent(&fake->ctl, &options), ERROR_FAILED_PRECONDITION,
            "transactions that no other tablet has");
    cr_assert_geq(fake_find(fake, "StartReplication 102"), 0);
    fake_free(fake);
}

Test(ers, a_tablet_asked_for_catches_up_with_the_most_advanced_first)
{
    struct fake *fake = fake_new("none", 100, dead_primary, ARRAY_LENGTH(dead_primary));
    struct ers_options options = emergency();
    options.new_primary = (struct tablet_alias){"zone1", 102};
    must(emergency_reparent(&fake->ctl, &options));
    cr_assert(fake_in_order(fake, "SetReplicationSource 102 parent=101", "PrimaryPosition 101"));
    cr_assert(fake_in_order(fake, "PrimaryPosition 101", "PromoteReplica 102"));
    cr_assert(
        fake_in_order(fake, "PromoteReplica 102",
                      "PopulateReparentJournal 102 EmergencyReparentShard(zone1-0000000102)"));
    cr_assert_geq(fake_find(fake, "SetReplicationSource 101 parent=102"), 0);
    fake_free(fake);
}

Test(ers, an_rdonly_that_is_ahead_hands_its_transactions_on)
{
    struct fake_tablet tablets[ARRAY_LENGTH(dead_primary)];
    memcpy(tablets, dead_primary, sizeof(dead_primary));
    tablets[3].executed = AT("15");
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct ers_options options = emergency();
    must(emergency_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "SetReplicationSource 101 parent=103"), 0);
    cr_assert_eq(fake_find(fake, "PromoteReplica 103"), -1);
    cr_assert_geq(fake_find(fake, "PromoteReplica 101"), 0);
    fake_free(fake);
}

Test(ers, a_living_old_primary_is_demoted_by_force_and_counts)
{
    struct fake_tablet tablets[ARRAY_LENGTH(dead_primary)];
    memcpy(tablets, dead_primary, sizeof(dead_primary));
    tablets[0].fails = NULL;
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct ers_options options = emergency();
    options.waits_for_all = true;
    must(emergency_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "DemotePrimary 100 force"), 0);
    cr_assert_eq(fake_find(fake, "WaitForPosition 100"), -1);
    cr_assert_geq(fake_find(fake, "PromoteReplica 100"), 0); /* it has the most */
    fake_free(fake);
}

Test(ers, relay_logs_that_are_not_applied_stop_it)
{
    struct fake_tablet tablets[ARRAY_LENGTH(dead_primary)];
    memcpy(tablets, dead_primary, sizeof(dead_primary));
    tablets[1].fails = "WaitForPosition";
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct ers_options options = emergency();
    must_be(emergency_reparent(&fake->ctl, &options), ERROR_UNAVAILABLE, "not all tablets applied");
    cr_assert_eq(fake_find(fake, "PromoteReplica"), -1);
    cr_assert_geq(fake_find(fake, "StartReplication 101"), 0);
    fake_free(fake);
}

Test(ers, ignored_tablets_are_left_alone)
{
    struct fake *fake = fake_new("none", 100, dead_primary, ARRAY_LENGTH(dead_primary));
    struct ers_options options = emergency();
    struct strv ignored = {0};
    strv_add(&ignored, "zone1-0000000100");
    strv_add(&ignored, "zone1-0000000101");
    options.ignored_replicas = &ignored;
    must(emergency_reparent(&fake->ctl, &options));
    cr_assert_eq(fake_find(fake, "StopReplicationAndGetStatus 101"), -1);
    cr_assert_eq(fake_find(fake, "SetReplicationSource 101"), -1);
    cr_assert_geq(fake_find(fake, "PromoteReplica 102"), 0);
    strv_done(&ignored);
    fake_free(fake);
}

Test(ers, nobody_following_the_new_primary_is_a_failure)
{
    struct fake_tablet tablets[ARRAY_LENGTH(dead_primary)];
    memcpy(tablets, dead_primary, sizeof(dead_primary));
    tablets[2].fails = "SetReplicationSource";
    tablets[3].fails = "SetReplicationSource";
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct ers_options options = emergency();
    must_be(emergency_reparent(&fake->ctl, &options), ERROR_UNAVAILABLE, "nobody follows it");
    fake_free(fake);
}

Test(ers, of_two_tablets_the_dead_one_may_be_missing)
{
    struct fake *fake = fake_new("none", 100, dead_primary, 2);
    struct ers_options options = emergency();
    must(emergency_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "PromoteReplica 101"), 0);
    fake_free(fake);
}

Test(ers, mariadb_positions_rank_as_they_were_at_the_stop)
{
    struct fake_tablet tablets[] = {
        {.uid = 100, .type = TOPODATA__TABLET_TYPE__PRIMARY, .fails = "*"},
        {.uid = 101,
         .type = TOPODATA__TABLET_TYPE__REPLICA,
         .executed = "MariaDB/0-100-7",
         .relay = "",
         .is_replica = true},
        {.uid = 102,
         .type = TOPODATA__TABLET_TYPE__REPLICA,
         .executed = "MariaDB/0-100-9",
         .relay = "",
         .is_replica = true},
    };
    struct fake *fake = fake_new("none", 100, tablets, ARRAY_LENGTH(tablets));
    struct ers_options options = emergency();
    must(emergency_reparent(&fake->ctl, &options));
    cr_assert_geq(fake_find(fake, "PromoteReplica 102"), 0);
    cr_assert_eq(fake_find(fake, "ReadReparentJournalInfo"), -1);
    fake_free(fake);
}

Test(ers, a_dry_run_only_looks)
{
    struct fake *fake = fake_new("none", 100, dead_primary, ARRAY_LENGTH(dead_primary));
    struct ers_options options = emergency();
    options.is_dry_run = true;
    must(emergency_reparent(&fake->ctl, &options));
    const char *changing[] = {"StopReplication",      "DemotePrimary",    "PromoteReplica",
                              "SetReplicationSource", "StartReplication", "WaitForPosition"};
    for (size_t i = 0; i < ARRAY_LENGTH(changing); i++)
        cr_assert_eq(fake_find(fake, changing[i]), -1);
    cr_assert_not_null(strstr(fake_out(fake), "would be promoted"));
    cr_assert_not_null(strstr(fake_out(fake), "not reached"));
    fake_free(fake);
}
