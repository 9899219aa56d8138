"""Planned and emergency reparents by vtctldclient, two cells, semi_sync, under a writer: no acknowledged
write is lost."""
import copy

import pytest

from vtharness.cluster import Cluster
from vtharness.etcd import Etcd
from vtharness.reparents import KILLS, comes_back, kill, primary_of, settled, writing
from vtharness.vitess import Control


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
    settled(cluster, cluster.tablets[100])
    return cluster


@pytest.fixture
def writer(shard):
    yield from writing(shard)


def _emergency(cluster, *flags, code=0):
    return cluster.control.client("EmergencyReparentShard", "--wait-replicas-timeout=30s", *flags,
                                  cluster.shard_name, code=code)


def _planned(cluster, elect):
    cluster.control.client("PlannedReparentShard", "--wait-replicas-timeout=30s", "--new-primary",
                           elect.alias, cluster.shard_name)


def test_planned_ten_times_under_a_writer(shard, writer):
    for turn in range(10):
        elect = shard.tablets[(101, 102, 203, 100)[turn % 4]]
        _planned(shard, elect)
        shard.wait_primary(elect)
        writer.wait_more(5)
    settled(shard, elect)


@pytest.mark.parametrize("killed", KILLS)
def test_emergency_after_a_kill(shard, writer, killed):
    old = primary_of(shard)
    kill(old, killed)
    answer = _emergency(shard)
    new = primary_of(shard)
    assert new is not old, answer.text
    shard.wait_primary(new)
    writer.wait_more()
    comes_back(shard, old)


def test_emergency_that_must_hear_from_all(shard, writer):
    elect = next(t for t in shard.tablets.values() if t is not primary_of(shard))
    _emergency(shard, "--wait-for-all-tablets", "--new-primary", elect.alias)
    settled(shard, elect)
    writer.wait_more(5)


def test_emergency_stays_in_the_cell(shard, writer):
    old, far = primary_of(shard), shard.tablets[203]
    if old is far:
        old = shard.tablets[100]
        _planned(shard, old)
        settled(shard, old)
    answer = _emergency(shard, "--prevent-cross-cell-promotion", "--new-primary", far.alias, code=1)
    assert "different cell" in answer.text, answer.text
    _emergency(shard, "--prevent-cross-cell-promotion")
    new = primary_of(shard)
    assert new.alias.startswith("zone1-"), answer.text
    settled(shard, new)
    writer.wait_more(5)


def test_emergency_that_ignores_a_replica(shard):
    """The ignored one is left alone; it follows when it is told to."""
    old = primary_of(shard)
    ignored, elect, _ = (t for t in shard.tablets.values() if t is not old)
    shard.insert(old, 5)
    for tablet in shard.tablets.values():
        shard.wait_rows(tablet, 5)
    kill(old)
    _emergency(shard, "--ignore-replicas", ignored.alias, "--new-primary", elect.alias)
    assert primary_of(shard) is elect
    shard.wait_primary(elect)
    shard.control.client("ReparentTablet", ignored.alias)
    comes_back(shard, old)
    shard.insert(elect, 5)
    for tablet in shard.tablets.values():
        shard.wait_rows(tablet, 10)
