"""Our agent and Vitess's in one shard, our supervisor below theirs and the reverse."""
import threading

import pytest

from vtharness.cluster import Cluster
from vtharness.errant import accept_errant, make_errant
from vtharness.reparents import primary_of, settled
from vtharness.vitess import Control, Gate, MixedTablet
from vtharness.wait import wait_for


def _start(run, mysql, tablets):
    """`tablets`: (uid, type, agent, supervisor); the first one becomes the primary."""
    cluster = Cluster(run, mysql).start_topology().register("semi_sync")
    for uid, kind, agent, supervisor in tablets:
        MixedTablet(cluster, uid, kind, agent=agent, supervisor=supervisor)
    cluster.start_all()
    cluster.control = Control(cluster).start()
    _reparent(cluster, tablets[0][0])
    cluster.control.client("ApplySchema", "--sql",
                           "CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))",
                           cluster.keyspace)
    return cluster


@pytest.fixture(scope="module")
def mixed(module_run, mysql):
    cluster = _start(module_run, mysql, [
        (100, "replica", "vttablet", "vtagent"), (101, "replica", "vtagent", "vtagent"),
        (102, "rdonly", "vtagent", "vtagent")])
    cluster.insert(cluster.tablets[100], 10)
    return cluster


def _reparent(cluster, uid):
    elect = cluster.tablets[uid]
    cluster.control.client("PlannedReparentShard", "--new-primary", elect.alias, cluster.shard_name)
    settled(cluster, elect)
    return elect


def _have_all(cluster):
    count = primary_of(cluster).rows("t")
    assert count >= 10
    for tablet in cluster.tablets.values():
        cluster.wait_rows(tablet, count, deadline=180)


def _joins(cluster, uid, **parts):
    """An empty tablet that restores itself when it starts."""
    tablet = MixedTablet(cluster, uid, "replica", **parts).start()
    cluster.wait_type(tablet, "replica", 180)
    settled(cluster, primary_of(cluster))
    _have_all(cluster)
    assert cluster.backups()[0] in tablet.agent.log(), "it was not restored from the backup"
    return tablet


def test_planned_reparents_go_both_ways(mixed):
    """vttablet primary with our replicas, and the reverse."""
    for uid in (101, 100, 101):
        mixed.insert(_reparent(mixed, uid), 5)
    _have_all(mixed)
    mixed.control.client("ValidateShard", "--ping-tablets", mixed.shard_name)


def _only_backup_of(cluster, tablet):
    for name in cluster.backups():
        cluster.control.client("RemoveBackup", cluster.shard_name, name)
    cluster.control.client("Backup", tablet.alias)


def test_our_backup_is_restored_by_vttablet(mixed):
    _only_backup_of(mixed, mixed.tablets[102])
    _joins(mixed, 103, agent="vttablet", supervisor="vtagent")


def test_their_backup_is_restored_by_us(mixed):
    _reparent(mixed, 101)
    _only_backup_of(mixed, mixed.tablets[100])
    _joins(mixed, 104)


@pytest.mark.parametrize("primary,replica", [(100, 101), (101, 100)], ids=["ours", "theirs"])
def test_errant_transaction_is_refused_across(mixed, primary, replica):
    """Our replica by vttablet's position, vttablet's replica by ours."""
    primary, replica = _reparent(mixed, primary), mixed.tablets[replica]
    replica.sql("STOP REPLICA")
    errant = make_errant(replica, f"errant_{replica.uid}")
    answer = mixed.control.client("ReparentTablet", replica.alias, code=1)
    assert "Errant GTID" in answer.text and errant.split(":")[0] in answer.text, answer.text
    assert replica.threads() == ("No", "No")
    mixed.control.client("StartReplication", replica.alias)
    accept_errant(primary, errant)
    mixed.control.client("ReparentTablet", replica.alias)
    settled(mixed, primary)


def test_our_agent_works_on_a_real_mysqlctld(mixed):
    """Restored at its start, primary and replica again, backed up, restored over its data."""
    _only_backup_of(mixed, mixed.tablets[102])
    ours = _joins(mixed, 105, agent="vtagent", supervisor="mysqlctld")
    mixed.insert(_reparent(mixed, 105), 5)
    _reparent(mixed, 100)
    mixed.control.client("Backup", ours.alias)
    assert len(mixed.backups()) == 2
    settled(mixed, primary_of(mixed))
    mixed.insert(primary_of(mixed), 5)
    mixed.control.client("RestoreFromBackup", ours.alias)
    settled(mixed, primary_of(mixed))
    _have_all(mixed)


class GateWriter(threading.Thread):
    """A client of vtgate that writes all the time; `acknowledged` holds the ids."""

    def __init__(self, gate):
        super().__init__(daemon=True)
        self.gate, self.acknowledged, self.ends = gate, [], threading.Event()
        self.start()

    def run(self):
        number = 0
        while not self.ends.is_set():
            number += 1
            try:
                self.gate.sql(f"INSERT INTO t (id, v) VALUES ({number}, 'w')")
                self.acknowledged.append(number)
            except AssertionError:
                pass

    def wait_more(self, count=10):
        before = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) >= before + count, "writes through vtgate are acknowledged")

    def end(self):
        self.ends.set()
        self.join(60)
        return self.acknowledged


def test_clients_of_vtgate_write_and_read_while_vttablet_on_our_supervisor_changes_roles(run, mysql):
    """The walkthrough's last step: the gate finds the living tablets."""
    cluster = _start(run, mysql, [(uid, "replica", "vttablet", "vtagent") for uid in (100, 101, 102)])
    gate = Gate(cluster).start()
    writer = GateWriter(gate)
    writer.wait_more()
    for uid in (101, 100):
        _reparent(cluster, uid)
        writer.wait_more()
    dead = cluster.tablets[102]
    dead.agent.kill()
    writer.wait_more()
    acknowledged = writer.end()
    for target in (cluster.keyspace, f"{cluster.keyspace}@replica"):
        wait_for(lambda target=target: set(acknowledged) <= {
            int(row[0]) for row in gate.sql(f"USE `{target}`; SELECT id FROM t")}, f"all read at '{target}'")
