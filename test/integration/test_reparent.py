"""Changing the primary: planned, in an emergency, interrupted, and what an old primary does."""
import time

import pytest

from vtharness import sql, wire
from vtharness.cluster import Cluster, shard_of
from vtharness.faults import Background
from vtharness.reparents import kill, settled, writing
from vtharness.wait import wait_for


def planned(cluster, elect, code=0):
    return cluster.ctl("PlannedReparentShard", "--new-primary", elect.alias, cluster.shard_name, code=code)


def emergency(cluster, elect, others):
    """What EmergencyReparentShard sends when the primary is gone."""
    for tablet in (elect, *others):
        tablet.call("StopReplicationAndGetStatus", stop_replication_mode=1)
    for tablet in (elect, *others):
        status = tablet.call("ReplicationStatus").status
        tablet.call("WaitForPosition", position=status.relay_log_position or status.position)
    position = elect.call("PromoteReplica", semiSync=False).position
    elect.call("PopulateReparentJournal", time_created_ns=time.time_ns(), replication_position=position,
               action_name="EmergencyReparentShard", primary_alias=elect.alias_message())
    for tablet in others:
        tablet.call("SetReplicationSource", parent=elect.alias_message(), force_start_replication=True)


@pytest.fixture
def shard(run, flavor):
    return shard_of(run, flavor, ("replica", "replica", "rdonly"))


def test_ten_planned_reparents_under_a_writer_lose_no_acknowledged_write(run, flavor):
    cluster, _, _ = shard_of(run, flavor, ("replica", "replica", "replica"), "semi_sync")
    for writer in writing(cluster):
        for turn in range(10):
            elect = cluster.tablets[(101, 102, 100)[turn % 3]]
            planned(cluster, elect)
            cluster.wait_primary(elect)
            writer.wait_more(5)
        settled(cluster, elect)


def test_a_reparent_to_the_present_primary_changes_nothing(shard):
    cluster, primary, _ = shard
    term = cluster.shard_record().primary_term_start_time
    planned(cluster, primary)
    settled(cluster, primary)
    assert cluster.shard_record().primary_term_start_time == term


def test_a_primary_that_comes_back_after_another_was_promoted_demotes_itself(shard):
    cluster, old, (elect, rdonly) = shard
    cluster.insert(old, 10)
    for tablet in (elect, rdonly):
        cluster.wait_rows(tablet, 10)
    kill(old)
    emergency(cluster, elect, [rdonly])
    cluster.wait_primary(elect)
    cluster.insert(elect, 5)
    old.start()
    settled(cluster, elect)
    cluster.wait_rows(old, 15)
    assert cluster.shard_record().primary_alias.uid == elect.uid


def test_a_primary_whose_agent_slept_through_a_promotion_demotes_itself(shard):
    cluster, old, (elect, rdonly) = shard
    old.agent.kill()
    emergency(cluster, elect, [rdonly])
    cluster.wait_primary(elect)
    assert not old.is_read_only(), "nobody should have told it yet"
    old.start_agent()
    settled(cluster, elect)


def test_an_errant_transaction_is_found_and_named_before_following(shard):
    cluster, primary, (replica, _) = shard
    replica.call("StopReplication")
    read_only = "read_only" if cluster.flavor.is_mariadb else "super_read_only"
    replica.sql(f"SET GLOBAL {read_only} = 0; SET GLOBAL read_only = 0;"
                f"CREATE TABLE {cluster.database}.errant (a INT);"
                "SET GLOBAL read_only = 1" + ("" if read_only == "read_only" else
                                              f"; SET GLOBAL {read_only} = 1"))
    cluster.insert(primary)
    with pytest.raises(wire.RpcError) as caught:
        replica.call("SetReplicationSource", parent=primary.alias_message(), force_start_replication=True)
    assert caught.value.code() == wire.Code.FAILED_PRECONDITION, caught.value
    assert "rrant" in caught.value.details()
    if cluster.flavor.is_mariadb:
        assert f"0-{replica.value('SELECT @@server_id')}-" in caught.value.details()
    else:
        assert replica.value("SELECT @@server_uuid") in caught.value.details()
    assert replica.threads() == ("No", "No")


def test_a_replica_with_an_errant_transaction_does_not_follow_at_its_start(shard):
    cluster, primary, (replica, _) = shard
    replica.agent.stop()
    replica.sql("STOP SLAVE" if cluster.flavor.is_mariadb else "STOP REPLICA")
    read_only = "read_only" if cluster.flavor.is_mariadb else "super_read_only"
    replica.sql(f"SET GLOBAL {read_only} = 0; SET GLOBAL read_only = 0;"
                f"CREATE TABLE {cluster.database}.errant (a INT)")
    cluster.insert(primary)
    replica.agent.start()
    wait_for(lambda: "rrant" in replica.agent.log(), "the log names the errant transaction")
    assert replica.threads() == ("No", "No")


def test_a_reparent_with_a_dead_replica_is_refused_and_the_primary_stays(shard):
    cluster, primary, (elect, rdonly) = shard
    rdonly.agent.kill()
    answer = cluster.ctl("PlannedReparentShard", "--new-primary", elect.alias, cluster.shard_name, code=None)
    assert answer.code not in (0, 2), answer.text
    assert rdonly.alias in answer.text, answer.text
    cluster.wait_primary(primary)
    cluster.insert(primary)


@pytest.mark.parametrize("victim", ["elect", "old primary"])
def test_an_agent_killed_in_the_middle_of_a_reparent_leaves_a_shard_that_can_be_mended(shard, victim):
    cluster, primary, (elect, _) = shard
    killed = elect if victim == "elect" else primary
    call = Background(cluster.ctl, "PlannedReparentShard", "--new-primary", elect.alias,
                      cluster.shard_name, code=None)
    wait_for(lambda: primary.is_read_only() or call.done(), "the old primary is demoted")
    killed.agent.kill()
    call.result(180)
    killed.start_agent()
    target = elect
    wait_for(lambda: cluster.ctl("PlannedReparentShard", "--new-primary", target.alias, cluster.shard_name,
                                 code=None).code == 0, "a second reparent works", 120, interval=1)
    settled(cluster, elect)
    cluster.insert(elect)


def test_a_reparent_of_a_locked_shard_waits_or_says_so(shard):
    cluster, primary, (elect, _) = shard
    calls = [Background(planned, cluster, tablet, None) for tablet in (elect, primary)]
    for call in calls:
        call.result(180)
    final = cluster.tablets[cluster.shard_record().primary_alias.uid]
    settled(cluster, final)
    assert sum(not tablet.is_read_only() for tablet in cluster.tablets.values()) == 1


def test_a_demotion_that_waits_for_an_acknowledgement_nobody_sends_is_bounded(run, flavor):
    cluster, primary, (replica,) = shard_of(run, flavor, ("replica", "replica"), "semi_sync")
    replica.call("StopReplication")
    stuck = Background(cluster.insert, primary)
    wait_for(lambda: primary.sql("SELECT 1 FROM information_schema.processlist"
                                 " WHERE state LIKE '%semi%' OR state LIKE '%ACK%'"), "a write waits")
    start = time.monotonic()
    try:
        primary.call("DemotePrimary", timeout=5)
    except wire.RpcError as error:
        assert error.code() == wire.Code.DEADLINE_EXCEEDED, error
    assert time.monotonic() - start < 30
    primary.call("DemotePrimary", timeout=30, force=True)
    assert primary.is_read_only()
    try:
        stuck.result(60)
    except sql.SqlError:
        pass
    replica.call("StartReplication", semiSync=True)
    primary.call("UndoDemotePrimary", semiSync=True)
    cluster.insert(primary)


def test_a_first_primary_is_made_after_an_attempt_that_got_as_far_as_the_elect(run, flavor):
    cluster = Cluster(run, flavor).start_topology().register()
    elect, replica = cluster.add(100), cluster.add(101)
    cluster.start_all()
    elect.call("InitPrimary", semiSync=False)
    cluster.ctl("InitShardPrimary", "--force", "--wait-replicas-timeout=20s", cluster.shard_name, elect.alias)
    settled(cluster, elect)
    cluster.make_table(elect)
    cluster.insert(elect, 3)
    cluster.wait_rows(replica, 3)
    for tablet in (elect, replica):
        assert tablet.rows("`t`") == 3
