"""Our agent and Vitess's in one shard, our supervisor below theirs and the reverse."""
import pytest

from vtharness.cluster import Cluster
from vtharness.vitess import Control, Gate, MixedTablet
from vtharness.wait import wait_for


def _start(run, mysql, tablets):
    cluster = Cluster(run, mysql).start_topology().register("semi_sync")
    for uid, kind, agent, supervisor in tablets:
        MixedTablet(cluster, uid, kind, agent=agent, supervisor=supervisor)
    cluster.start_all()
    cluster.control = Control(cluster).start()
    return cluster


def _first_primary(cluster, uid):
    primary = cluster.tablets[uid]
    cluster.control.client("PlannedReparentShard", "--new-primary", primary.alias, cluster.shard_name)
    cluster.wait_primary(primary)
    for tablet in cluster.tablets.values():
        if tablet is not primary:
            cluster.wait_following(tablet, primary)
    cluster.control.client("ApplySchema", "--sql",
                           "CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))",
                           cluster.keyspace)
    return primary


@pytest.fixture(scope="module")
def mixed(module_run, mysql):
    cluster = _start(module_run, mysql, [
        (100, "replica", "vttablet", "vtagent"), (101, "replica", "vtagent", "vtagent"),
        (102, "rdonly", "vtagent", "mysqlctld")])
    _first_primary(cluster, 100)
    return cluster


def _reparent(cluster, uid):
    elect = cluster.tablets[uid]
    cluster.control.client("PlannedReparentShard", "--new-primary", elect.alias, cluster.shard_name)
    cluster.wait_primary(elect)
    for tablet in cluster.tablets.values():
        if tablet is not elect:
            cluster.wait_following(tablet, elect)
    cluster.insert(elect, 5)
    return elect


def test_planned_reparents_go_both_ways(mixed):
    for uid in (101, 100, 101, 100):
        _reparent(mixed, uid)
    for tablet in mixed.tablets.values():
        mixed.wait_rows(tablet, 20)
    mixed.control.client("ValidateShard", "--ping-tablets", mixed.shard_name)


def test_our_backup_is_restored_by_vttablet(mixed):
    mixed.control.client("Backup", mixed.tablets[102].alias)
    theirs = MixedTablet(mixed, 103, "replica", agent="vttablet", supervisor="vtagent").start()
    mixed.wait_rows(theirs, 20, deadline=180)
    mixed.wait_type(theirs, "replica", 120)


def test_their_backup_is_restored_by_us(mixed):
    for name in mixed.backups():
        mixed.control.client("RemoveBackup", mixed.shard_name, name)
    mixed.control.client("Backup", mixed.tablets[103].alias)
    ours = MixedTablet(mixed, 104, "replica").start()
    mixed.wait_rows(ours, 20, deadline=180)
    mixed.wait_type(ours, "replica", 120)


def test_errant_transaction_is_refused_by_both_sides(mixed):
    ours = mixed.tablets[104]
    ours.sql("STOP REPLICA; SET GLOBAL super_read_only = 0; CREATE DATABASE errant; "
             "SET GLOBAL super_read_only = 1")
    answer = mixed.control.client("ReparentTablet", ours.alias, code=1)
    assert "Errant GTID" in answer.text, answer.text
    theirs = mixed.tablets[103]
    theirs.sql("STOP REPLICA; SET GLOBAL super_read_only = 0; CREATE DATABASE errant2; "
               "SET GLOBAL super_read_only = 1")
    _reparent_to_ours = mixed.control.client("ReparentTablet", theirs.alias, code=1)
    assert "Errant GTID" in _reparent_to_ours.text


def test_vtgate_routes_to_vttablet_on_our_supervisor(run, mysql):
    cluster = _start(run, mysql, [(100, "replica", "vttablet", "vtagent"),
                                  (101, "replica", "vttablet", "vtagent")])
    _first_primary(cluster, 100)
    gate = Gate(cluster).start()
    gate.sql("INSERT INTO t (id, v) VALUES (1, 'through the gate')")
    cluster.control.client("PlannedReparentShard", "--new-primary", cluster.tablets[101].alias,
                           cluster.shard_name)
    cluster.wait_primary(cluster.tablets[101])
    wait_for(lambda: gate.sql("SELECT v FROM t") == [("through the gate",)], "vtgate reads it")
    wait_for(lambda: gate.sql("INSERT INTO t (id, v) VALUES (2, 'again')") == [], "vtgate writes it")
