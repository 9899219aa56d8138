"""Planned and emergency reparents by vtctldclient, two cells, semi_sync, under a writer: no acknowledged
write is lost."""
import copy
import shutil

import pytest

from vtharness.cluster import Cluster
from vtharness.etcd import Etcd
from vtharness.vitess import Control
from vtharness.wait import wait_for
from vtharness.writer import Writer, lost


def _second_cell(cluster, name):
    """The same shard, seen from another cell."""
    other = copy.copy(cluster)
    other.cell_name, other.cell = name, Etcd(cluster.run, name).start()
    cluster.ctl("AddCellInfo", "--root", f"/vitess/{name}", "--server-address",
                f"http://{other.cell.address}", name)
    return other


@pytest.fixture(scope="module")
def shard(module_run, mysql):
    """Three tablets in one cell, a fourth in another."""
    cluster = Cluster(module_run, mysql).start_topology().register("semi_sync")
    far = _second_cell(cluster, "zone2")
    for uid in (100, 101, 102):
        cluster.add(uid)
    far.add(203)
    cluster.start_all()
    cluster.control = Control(cluster).start()
    cluster.make_table(cluster.make_primary(cluster.tablets[100]))
    _settled(cluster, cluster.tablets[100])
    return cluster


@pytest.fixture
def writer(shard):
    """Ends with every tablet having every acknowledged write."""
    made = Writer(shard, patience=5)
    made.wait_more()
    yield made
    made.wait_more()
    acknowledged = made.end()
    for tablet in shard.tablets.values():
        wait_for(lambda tablet=tablet: lost(tablet, acknowledged) == [],
                 f"{tablet.alias} has all that was acknowledged")
    _primary(shard).sql("DELETE FROM t", database=shard.database)


def _primary(cluster):
    return cluster.tablets[cluster.shard_record().primary_alias.uid]


def _settled(cluster, primary):
    cluster.wait_primary(primary)
    for tablet in cluster.tablets.values():
        if tablet is not primary and tablet.agent.is_alive():
            cluster.wait_following(tablet, primary)
            cluster.wait_type(tablet, "replica")
            assert tablet.is_read_only(), tablet.alias


def _emergency(cluster, *flags, code=0):
    return cluster.control.client("EmergencyReparentShard", "--wait-replicas-timeout=30s", *flags,
                                  cluster.shard_name, code=code)


def _planned(cluster, elect):
    cluster.control.client("PlannedReparentShard", "--wait-replicas-timeout=30s", "--new-primary",
                           elect.alias, cluster.shard_name)


def _comes_back(cluster, old):
    """A killed primary follows again. One that has writes nobody acknowledged says so, follows
    nobody, and is made anew from a backup."""
    primary = _primary(cluster)
    if not old.supervisor.is_alive():
        old.start_supervisor()
    if not old.agent.is_alive():
        old.start_agent()
    wait_for(lambda: old.follows(primary) or "rrant" in old.agent.log(), f"{old.alias} decides", 120)
    if not old.follows(primary):
        assert old.is_read_only()
        helper = next(t for t in cluster.tablets.values() if t not in (old, primary))
        cluster.control.client("Backup", helper.alias)
        old.stop()
        shutil.rmtree(old.directory)
        old.takes_template = False
        old.start()
    _settled(cluster, primary)


def test_planned_ten_times_under_a_writer(shard, writer):
    for turn in range(10):
        elect = shard.tablets[(101, 102, 203, 100)[turn % 4]]
        _planned(shard, elect)
        shard.wait_primary(elect)
        writer.wait_more(5)
    _settled(shard, elect)


@pytest.mark.parametrize("killed", ["server", "server and agent", "agent"])
def test_emergency_after_a_kill(shard, writer, killed):
    old = _primary(shard)
    if "agent" in killed:
        old.agent.kill()
    if "server" in killed:
        old.supervisor.kill()
        old.kill_mysqld()
    answer = _emergency(shard)
    new = _primary(shard)
    assert new is not old, answer.text
    shard.wait_primary(new)
    writer.wait_more()
    _comes_back(shard, old)


def test_emergency_that_must_hear_from_all(shard, writer):
    elect = next(t for t in shard.tablets.values() if t is not _primary(shard))
    _emergency(shard, "--wait-for-all-tablets", "--new-primary", elect.alias)
    _settled(shard, elect)
    writer.wait_more(5)


def test_emergency_stays_in_the_cell(shard, writer):
    old, far = _primary(shard), shard.tablets[203]
    if old is far:
        old = shard.tablets[100]
        _planned(shard, old)
        _settled(shard, old)
    answer = _emergency(shard, "--prevent-cross-cell-promotion", "--new-primary", far.alias, code=1)
    assert "different cell" in answer.text, answer.text
    _emergency(shard, "--prevent-cross-cell-promotion")
    new = _primary(shard)
    assert new.alias.startswith("zone1-"), answer.text
    _settled(shard, new)
    writer.wait_more(5)


def test_emergency_that_ignores_a_replica(shard):
    """The ignored one is left alone; it follows when it is told to."""
    old = _primary(shard)
    ignored, elect, _ = (t for t in shard.tablets.values() if t is not old)
    shard.insert(old, 5)
    for tablet in shard.tablets.values():
        shard.wait_rows(tablet, 5)
    old.agent.kill()
    old.supervisor.kill()
    old.kill_mysqld()
    _emergency(shard, "--ignore-replicas", ignored.alias, "--new-primary", elect.alias)
    assert _primary(shard) is elect
    shard.wait_primary(elect)
    shard.control.client("ReparentTablet", ignored.alias)
    _comes_back(shard, old)
    shard.insert(elect, 5)
    for tablet in shard.tablets.values():
        shard.wait_rows(tablet, 10)
