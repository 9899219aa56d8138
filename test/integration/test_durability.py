"""Every durability policy on real servers of two cells: who acknowledges after each kind of reparent."""
import copy

import pytest

from vtharness.cluster import Cluster
from vtharness.etcd import Etcd
from vtharness.wait import wait_for

# policy → whether a tablet acknowledges writes of a primary
POLICIES = {
    "none": lambda tablet, primary: False,
    "semi_sync": lambda tablet, primary: tablet.kind == "replica",
    "semi_sync_with_rdonly_ack": lambda tablet, primary: True,
    "cross_cell": lambda tablet, primary: tablet.kind == "replica" and not same_cell(tablet, primary),
    "cross_cell_with_rdonly_ack": lambda tablet, primary: not same_cell(tablet, primary),
}


def same_cell(one, other):
    return one.cluster.cell_name == other.cluster.cell_name


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    """Replicas 100 and 101 in one cell, a replica 203 and an rdonly 204 in another."""
    cluster = Cluster(module_run, flavor).start_topology().register("none")
    far = copy.copy(cluster)
    far.cell_name, far.cell = "zone2", Etcd(module_run, "zone2").start()
    cluster.ctl("AddCellInfo", "--root", "/vitess/zone2", "--server-address", far.cell.url, "zone2")
    for home, uid, kind in ((cluster, 100, "replica"), (cluster, 101, "replica"), (far, 203, "replica"),
                            (far, 204, "rdonly")):
        home.add(uid, kind)
    cluster.start_all()
    cluster.make_table(cluster.make_primary(cluster.tablets[100]))
    return cluster


def primary_of(cluster):
    return cluster.tablets[cluster.shard_record().primary_alias.uid]


def settings(tablet):
    status = tablet.full_status()
    return status.semi_sync_replica_enabled, status.semi_sync_replica_status


def settled(cluster, policy):
    """Everyone follows, the policy's tablets acknowledge and nobody else, and a write goes through."""
    primary = primary_of(cluster)
    cluster.wait_primary(primary)
    asks = policy != "none"
    status = wait_for(lambda: primary.full_status().semi_sync_primary_enabled == asks and primary.full_status(),
                      f"{primary.alias} {'waits' if asks else 'does not wait'} for acknowledgements")
    if asks:
        assert status.semi_sync_wait_for_replica_count in (0, 1), status
    for tablet in cluster.tablets.values():
        if tablet is primary:
            continue
        cluster.wait_following(tablet, primary)
        acks = POLICIES[policy](tablet, primary)
        wait_for(lambda tablet=tablet, acks=acks: settings(tablet) == (acks, acks),
                 f"{tablet.alias} {'acknowledges' if acks else 'does not acknowledge'} to {primary.alias}")
        assert not tablet.full_status().semi_sync_primary_enabled, tablet.alias
    cluster.insert(primary)
    return primary


def reparent(cluster, verb, elect):
    cluster.ctl(verb, "--wait-replicas-timeout=30s", "--new-primary", elect.alias, cluster.shard_name)
    assert primary_of(cluster) is elect


@pytest.mark.parametrize("policy", POLICIES)
def test_after_a_planned_and_an_emergency_reparent_the_right_tablets_acknowledge(shard, policy):
    near, far = (shard.tablets[uid] for uid in (101, 203))
    first = near if primary_of(shard) is not near else shard.tablets[100]
    shard.ctl("SetKeyspaceDurabilityPolicy", f"--durability-policy={policy}", shard.keyspace)
    reparent(shard, "PlannedReparentShard", first)
    settled(shard, policy)
    reparent(shard, "EmergencyReparentShard", far)
    settled(shard, policy)
    reparent(shard, "PlannedReparentShard", first)
    settled(shard, policy)
