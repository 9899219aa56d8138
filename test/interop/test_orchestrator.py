"""vtorc repairs what is wrong with our tablets, and leaves a healthy shard alone."""
import pytest

from vtharness.cluster import shard_of
from vtharness.vitess import Orchestrator
from vtharness.wait import holds_for, wait_for

REPAIR_SECONDS = 90


@pytest.fixture(scope="module")
def shard(module_run, mysql):
    cluster, primary, others = shard_of(module_run, mysql, ("replica", "replica", "replica"),
                                        durability="semi_sync")
    cluster.orc = Orchestrator(cluster).start()
    return cluster, primary, others


def _repaired(cluster, name, condition, what):
    before = cluster.orc.recoveries().get(name, 0)
    wait_for(condition, what, REPAIR_SECONDS)
    wait_for(lambda: cluster.orc.recoveries().get(name, 0) > before or name is None,
             f"vtorc counts {name}: {cluster.orc.recoveries()}", REPAIR_SECONDS)


def test_healthy_shard_is_left_alone(shard):
    cluster, primary, others = shard
    wait_for(lambda: all(cluster.tablets[t.uid].follows(primary) for t in others), "all follow")
    before = cluster.orc.recoveries()
    holds_for(lambda: cluster.orc.recoveries() == before, "vtorc does nothing", 20)


def test_stopped_replica_is_started(shard):
    cluster, primary, others = shard
    others[0].sql("STOP REPLICA")
    wait_for(lambda: others[0].follows(primary), "replication runs again", REPAIR_SECONDS)


def test_writable_replica_is_made_read_only(shard):
    _, _, others = shard
    others[0].sql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0")
    wait_for(others[0].is_read_only, "it is read-only again", REPAIR_SECONDS)


def test_replica_of_the_wrong_primary_is_pointed_back(shard):
    _, primary, others = shard
    others[0].sql("STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', "
                  f"SOURCE_PORT={others[1].mysql_port}; START REPLICA")
    wait_for(lambda: others[0].follows(primary), "it follows the primary", REPAIR_SECONDS)


def test_semi_sync_is_switched_on_again(shard):
    _, primary, others = shard
    others[0].sql("SET GLOBAL rpl_semi_sync_replica_enabled = 0")
    wait_for(lambda: others[0].value("SELECT @@global.rpl_semi_sync_replica_enabled") == "1",
             "the replica acknowledges again", REPAIR_SECONDS)
    primary.sql("SET GLOBAL rpl_semi_sync_source_enabled = 0")
    wait_for(lambda: primary.value("SELECT @@global.rpl_semi_sync_source_enabled") == "1",
             "the primary waits again", REPAIR_SECONDS)


def test_read_only_primary_is_made_writable(shard):
    _, primary, _ = shard
    primary.sql("SET GLOBAL super_read_only = 1")
    wait_for(lambda: not primary.is_read_only(), "it takes writes again", REPAIR_SECONDS)


def test_dead_primary_is_replaced(shard):
    cluster, primary, others = shard
    primary.supervisor.kill()
    primary.kill_mysqld()
    wait_for(lambda: cluster.shard_record().primary_alias.uid != primary.uid, "a new primary",
             REPAIR_SECONDS)
    elect = cluster.tablets[cluster.shard_record().primary_alias.uid]
    cluster.wait_primary(elect)
    assert elect in others
    primary.start_supervisor()
    cluster.wait_type(primary, "replica", REPAIR_SECONDS)
    cluster.wait_following(primary, elect, REPAIR_SECONDS)
