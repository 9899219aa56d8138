"""vtorc repairs what is wrong with our tablets, and leaves a healthy shard alone.

A repair counts as vtorc's when its own history names the analysis and the tablet, and its counter of
that recovery went up; it looks once more, with the shard locked, before it acts. Only one thing here
does our agent repair by itself: a primary whose term is over steps down. That test switches vtorc's
hand off."""
import contextlib
import signal

import pytest

from vtharness.cluster import Cluster
from vtharness.errant import accept_errant, make_errant
from vtharness.vitess import Control, Orchestrator
from vtharness.wait import holds_for, wait_for

REPAIR_SECONDS = 60
READ_WRITE = "SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0"


class Shard:
    """Three replicas of which vtorc made one the primary."""

    def __init__(self, cluster):
        self.cluster, self.control = cluster, Control(cluster).start()
        self.orc = Orchestrator(cluster, "--change-tablets-with-errant-gtid-to-drained").start()
        wait_for(self.has_primary, "vtorc elects the first primary", REPAIR_SECONDS)
        self.settle()
        cluster.make_table(self.primary)

    def has_primary(self):
        return self.cluster.shard_record().primary_alias.uid != 0

    @property
    def primary(self):
        return self.cluster.tablets[self.cluster.shard_record().primary_alias.uid]

    @property
    def replicas(self):
        return [tablet for tablet in self.cluster.tablets.values() if tablet is not self.primary]

    def settle(self):
        """Everything is as it should be, and vtorc sees that."""
        primary = self.primary
        self.cluster.wait_primary(primary, REPAIR_SECONDS)
        for tablet in self.replicas:
            self.cluster.wait_type(tablet, "replica", REPAIR_SECONDS)
            self.cluster.wait_following(tablet, primary, REPAIR_SECONDS)
        wait_for(lambda: not self.orc.problems(), "vtorc sees no problem", REPAIR_SECONDS)


@pytest.fixture(scope="module")
def module_shard(module_run, mysql):
    cluster = Cluster(module_run, mysql).start_topology().register("semi_sync")
    for uid in (100, 101, 102):
        cluster.add(uid)
    return Shard(cluster.start_all())


@pytest.fixture
def shard(module_shard):
    module_shard.settle()
    return module_shard


@contextlib.contextmanager
def vtorc_repairs(shard, tablet, analyses, recovery):
    """What the body breaks and then sees whole again, vtorc has mended."""
    last, count = shard.orc.last_recovery(), shard.orc.recoveries().get(recovery, 0)
    yield

    def is_told():
        told = [row for row in shard.orc.history(last) if row["alias"] == tablet.alias and row["end_recovery"]
                and row["analysis"] in analyses.split("|")]
        return told if shard.orc.recoveries().get(recovery, 0) > count else None
    wait_for(is_told, f"vtorc's history has {analyses} of {tablet.alias}, {recovery} was counted",
             REPAIR_SECONDS)


def test_first_primary_is_elected_by_vtorc(shard):
    first = shard.orc.history()[0]
    assert first["analysis"] == "ClusterHasNoPrimary", first
    assert first["is_successful"] == "1" and first["successor_alias"], first
    assert shard.orc.recoveries().get("ElectNewPrimary") == 1


def test_healthy_shard_is_left_alone(shard):
    def done():
        return shard.orc.last_recovery(), [shard.orc.recoveries(name) for name in (
            "RecoveriesCount", "FailedRecoveries", "SkippedRecoveries")]
    before, looks = done(), shard.orc.variables()["DiscoveriesAttempt"]
    holds_for(lambda: done() == before and not shard.orc.problems(), "vtorc finds and does nothing", 60)
    assert shard.orc.variables()["DiscoveriesAttempt"] >= looks + 30, "vtorc did not look"


def test_stopped_replica_is_started(shard):
    replica = shard.replicas[0]
    with vtorc_repairs(shard, replica, "ReplicationStopped", "FixReplica"):
        replica.sql("STOP REPLICA")
        wait_for(lambda: replica.follows(shard.primary), "replication runs again", REPAIR_SECONDS)


def test_writable_replica_is_made_read_only(shard):
    replica = shard.replicas[0]
    with vtorc_repairs(shard, replica, "ReplicaIsWritable", "FixReplica"):
        replica.sql(READ_WRITE)
        wait_for(replica.is_read_only, "it is read-only again", REPAIR_SECONDS)


def test_replica_of_the_wrong_primary_is_pointed_back(shard):
    replica, other = shard.replicas
    with vtorc_repairs(shard, replica, "ConnectedToWrongPrimary", "FixReplica"):
        replica.sql("STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', "
                    f"SOURCE_PORT={other.mysql_port}; START REPLICA")
        wait_for(lambda: replica.follows(shard.primary), "it follows the primary", REPAIR_SECONDS)


def test_replica_of_nobody_is_pointed_at_the_primary(shard):
    replica = shard.replicas[0]
    with vtorc_repairs(shard, replica, "NotConnectedToPrimary", "FixReplica"):
        replica.sql("STOP REPLICA; RESET REPLICA ALL")
        wait_for(lambda: replica.follows(shard.primary), "it follows the primary", REPAIR_SECONDS)


def test_semi_sync_of_a_replica_is_switched_on_again(shard):
    replica = shard.replicas[0]
    with vtorc_repairs(shard, replica, "ReplicaSemiSyncMustBeSet", "FixReplica"):
        replica.sql("SET GLOBAL rpl_semi_sync_replica_enabled = 0")
        wait_for(lambda: replica.value("SELECT @@global.rpl_semi_sync_replica_enabled") == "1",
                 "the replica acknowledges again", REPAIR_SECONDS)


def test_semi_sync_of_the_primary_is_switched_on_again(shard):
    primary = shard.primary
    with vtorc_repairs(shard, primary, "PrimarySemiSyncMustBeSet", "FixPrimary"):
        primary.sql("SET GLOBAL rpl_semi_sync_source_enabled = 0")
        wait_for(lambda: primary.value("SELECT @@global.rpl_semi_sync_source_enabled") == "1",
                 "the primary waits again", REPAIR_SECONDS)


def test_misconfigured_heartbeat_is_set_right(shard):
    replica = shard.replicas[0]
    def heartbeat():
        return float(replica.value("SELECT heartbeat_interval"
                                   " FROM performance_schema.replication_connection_configuration"))
    half = int(replica.value("SELECT @@global.replica_net_timeout")) / 2
    assert heartbeat() == half
    with vtorc_repairs(shard, replica, "ReplicaMisconfigured", "FixReplica"):
        replica.sql("STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD = 7; START REPLICA")
        wait_for(lambda: heartbeat() == half, "the heartbeat is half the timeout", REPAIR_SECONDS)


def test_read_only_primary_is_made_writable(shard):
    primary = shard.primary
    with vtorc_repairs(shard, primary, "PrimaryIsReadOnly", "FixPrimary"):
        primary.sql("SET GLOBAL super_read_only = 1")
        wait_for(lambda: not primary.is_read_only(), "it takes writes again", REPAIR_SECONDS)


def test_primary_that_follows_somebody_follows_nobody_again(shard):
    primary, other = shard.primary, shard.replicas[0]
    with vtorc_repairs(shard, primary, "PrimaryHasPrimary", "RecoverPrimaryHasPrimary"):
        primary.sql("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_AUTO_POSITION=1, "
                    f"SOURCE_PORT={other.mysql_port}")
        wait_for(lambda: not primary.replication(), "it has no source", REPAIR_SECONDS)


def test_tablet_with_an_errant_transaction_is_drained(shard):
    """And serves again when a person has dealt with the transaction."""
    replica = shard.replicas[1]
    with vtorc_repairs(shard, replica, "ErrantGTIDDetected", "RecoverErrantGTIDDetected"):
        errant = make_errant(replica)
        shard.cluster.wait_type(replica, "drained", REPAIR_SECONDS)
    assert replica.full_status().tablet_type == replica.record().type
    accept_errant(shard.primary, errant)
    shard.control.client("ChangeTabletType", replica.alias, "replica")
    shard.settle()


def test_primary_without_its_agent_stays_primary(shard):
    """mysqld lives and the replicas receive: no failover, only their replication is started anew."""
    primary, last = shard.primary, shard.orc.last_recovery()
    primary.agent.kill()
    wait_for(lambda: any(row["analysis"] == "UnreachablePrimary" for row in shard.orc.history(last)),
             "vtorc notices", REPAIR_SECONDS)
    holds_for(lambda: shard.primary is primary, "it stays primary", 5)
    shard.cluster.insert(primary)
    primary.start_agent()
    shard.settle()
    assert shard.primary is primary


def test_second_primary_steps_down_by_itself(shard):
    """The agent's own doing: vtorc's hand is switched off, and its history stays empty."""
    old, elect = shard.primary, shard.replicas[0]
    shard.orc.may_recover(False)
    last = shard.orc.last_recovery()
    old.agent.signal(signal.SIGSTOP)
    try:
        shard.control.client("EmergencyReparentShard", "--new-primary", elect.alias, shard.cluster.shard_name)
        shard.cluster.wait_primary(elect)
        assert not old.is_read_only() and old.type_name() == "primary", "two primaries"
        wait_for(lambda: ("StaleTopoPrimary", old.alias) in shard.orc.problems(), "vtorc sees both")
    finally:
        old.agent.signal(signal.SIGCONT)
    shard.cluster.wait_type(old, "replica")
    shard.cluster.wait_following(old, elect)
    assert old.is_read_only()
    assert shard.orc.history(last) == []
    shard.orc.may_recover(True)


@pytest.mark.parametrize("killed", ["server", "server and agent"])
def test_dead_primary_is_replaced(shard, killed):
    """And the record of the dead one, which still says primary, is set right."""
    old, last = shard.primary, shard.orc.last_recovery()
    shard.cluster.insert(old, 5, value=killed)
    dead = "DeadPrimary|DeadPrimaryAndSomeReplicas"
    with vtorc_repairs(shard, old, dead, "RecoverDeadPrimary"):
        if "agent" in killed:
            old.agent.kill()
        old.supervisor.kill()
        old.kill_mysqld()
        wait_for(lambda: shard.primary is not old, "a new primary", REPAIR_SECONDS)
    elect = shard.primary
    shard.cluster.wait_primary(elect)
    took_over = next(row for row in shard.orc.history(last) if row["analysis"] in dead.split("|"))
    assert took_over["successor_alias"] == elect.alias, took_over
    shard.cluster.wait_type(old, "replica", REPAIR_SECONDS)
    if "agent" in killed:
        wait_for(lambda: shard.orc.recoveries().get("ReconcileStaleTopoPrimary"),
                 "it was vtorc: nobody else lives")
    old.start_supervisor()
    if "agent" in killed:
        old.start_agent()
    shard.settle()
    for tablet in shard.cluster.tablets.values():
        wait_for(lambda tablet=tablet: tablet.value(f"SELECT COUNT(*) FROM t WHERE v = '{killed}'",
                                                    database=shard.cluster.database) == "5",
                 f"{tablet.alias} has every row")
