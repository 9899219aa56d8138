"""Callers that go away at any point of an action, and jobs that are canceled at any: the tablet stays
unlocked and consistent."""
import time

import pytest

from vtharness import wire
from vtharness.cluster import shard_of
from vtharness.wait import wait_for

DELAYS = (0.0, 0.002, 0.01, 0.03, 0.1, 0.3)


@pytest.fixture(scope="module")
def shard(module_run, one_flavor):
    return shard_of(module_run, one_flavor, ("replica", "replica"))


def cancel_after(tablet, delay, method, **fields):
    call = tablet.manager.future(method, timeout=60, **fields)
    time.sleep(delay)
    call.cancel()
    try:
        call.result()
    except wire.grpc.FutureCancelledError:
        pass
    except wire.RpcError:
        pass


def unlocked(tablet):
    """An action gets its turn; status calls answer."""
    tablet.call("RefreshState", timeout=60)
    assert tablet.call("Ping", payload="x").payload == "x"
    return tablet.full_status()


@pytest.mark.parametrize("delay", DELAYS)
def test_replication_actions(shard, delay):
    cluster, primary, (replica,) = shard
    parent = primary.alias_message()
    for method, fields in (("StopReplication", {}), ("StartReplication", {}),
                           ("SetReplicationSource", {"parent": parent, "force_start_replication": True,
                                                     "heartbeat_interval": 2.0}),
                           ("StopReplicationAndGetStatus", {"stop_replication_mode": 1}),
                           ("ResetReplicationParameters", {}),
                           ("SetReplicationSource", {"parent": parent, "force_start_replication": True})):
        cancel_after(replica, delay, method, **fields)
        unlocked(replica)
    replica.call("SetReplicationSource", parent=parent, force_start_replication=True)
    cluster.wait_following(replica, primary)


@pytest.mark.parametrize("delay", DELAYS)
def test_demotion_and_its_undoing(shard, delay):
    cluster, primary, _ = shard
    cancel_after(primary, delay, "DemotePrimary")
    status = unlocked(primary)
    assert status.tablet_type == 1
    cancel_after(primary, delay, "UndoDemotePrimary")
    unlocked(primary)
    primary.call("UndoDemotePrimary")
    assert not primary.is_read_only()
    cluster.insert(primary)


@pytest.mark.parametrize("delay", DELAYS)
def test_changes_of_type(shard, delay):
    cluster, primary, (replica,) = shard
    for number in (3, 4, 2):
        cancel_after(replica, delay, "ChangeType", tablet_type=number)
        status = unlocked(replica)
        wait_for(lambda: replica.record().type == unlocked(replica).tablet_type,
                 f"record and tablet agree (were {status.tablet_type})")
    replica.call("ChangeType", tablet_type=2)
    cluster.wait_type(replica, "replica")
    cluster.wait_following(replica, primary)


@pytest.mark.parametrize("delay", DELAYS)
def test_promotion(shard, delay):
    """After a promotion that was cut off the tablet is either still a replica or wholly primary."""
    cluster, primary, (replica,) = shard
    position = primary.call("DemotePrimary").primary_status.position
    replica.call("WaitForPosition", position=position)
    cancel_after(replica, delay, "PromoteReplica")
    status = unlocked(replica)
    if status.tablet_type == 1:
        assert not replica.is_read_only()
        wait_for(lambda: replica.type_name() in ("primary", "master"), "record and tablet agree")
    else:
        assert replica.is_read_only()
    replica.call("PromoteReplica")
    cluster.wait_primary(replica)
    primary.call("SetReplicationSource", parent=replica.alias_message(), force_start_replication=True)
    cluster.wait_following(primary, replica)
    cluster.ctl("PlannedReparentShard", "--new-primary", primary.alias, cluster.shard_name)
    cluster.wait_primary(primary)
    cluster.wait_following(replica, primary)


@pytest.mark.parametrize("delay", DELAYS)
def test_backup(shard, delay):
    cluster, primary, (replica,) = shard
    stream = replica.manager.stream("Backup", concurrency=2)
    time.sleep(delay * 10)
    replica.cancel_job()
    stream.cancel()
    cluster.wait_type(replica, "replica", 120)
    replica.wait_mysqld()
    cluster.wait_following(replica, primary, 120)
    unlocked(replica)
