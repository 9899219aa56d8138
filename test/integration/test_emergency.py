"""EmergencyReparentShard through the command line, with a primary that is really gone."""
import pytest

from vtharness.cluster import shard_of
from vtharness.reparents import KILLS, comes_back, kill, primary_of, settled, writing
from vtharness.wait import wait_for


@pytest.fixture
def shard(run, flavor):
    return shard_of(run, flavor, ("replica", "replica", "replica", "rdonly"), "semi_sync")


def test_the_verb_replaces_a_dead_primary_and_loses_nothing(shard):
    cluster, old, (first, second, rdonly) = shard
    cluster.insert(old, 50)
    for tablet in (first, second, rdonly):
        cluster.wait_rows(tablet, 50)
    kill(old)
    dry = cluster.ctl("EmergencyReparentShard", "--dry-run", cluster.shard_name)
    assert "would be promoted" in dry.out and old.alias in dry.out, dry.text
    assert first.threads()[1] == "Yes", "a dry run changes nothing"
    cluster.ctl("EmergencyReparentShard", "--wait-replicas-timeout=30s", cluster.shard_name)
    wait_for(lambda: cluster.shard_record().primary_alias.uid in (first.uid, second.uid), "a replica took over")
    new = cluster.tablets[cluster.shard_record().primary_alias.uid]
    cluster.wait_primary(new)
    for tablet in (first, second, rdonly):
        if tablet is not new:
            cluster.wait_following(tablet, new)
            assert tablet.is_read_only(), tablet.alias
    cluster.insert(new, 10)
    for tablet in (first, second, rdonly):
        cluster.wait_rows(tablet, 60)
    old.start()
    cluster.wait_following(old, new)
    cluster.wait_rows(old, 60)


def test_it_is_refused_while_an_unreached_replica_could_still_acknowledge(shard):
    cluster, old, (first, second, rdonly) = shard
    cluster.insert(old, 5)
    for tablet in (first, second, rdonly):
        cluster.wait_rows(tablet, 5)
    kill(old)
    kill(first)
    answer = cluster.ctl("EmergencyReparentShard", cluster.shard_name, code=1)
    assert first.alias in answer.err, answer.text
    assert cluster.shard_record().primary_alias.uid == old.uid
    assert second.is_read_only() and rdonly.is_read_only()


@pytest.fixture(scope="module")
def small_shard(module_run, flavor):
    if not flavor.is_mariadb:
        pytest.skip("the interop suite does this with MySQL")
    return shard_of(module_run, flavor, ("replica", "replica", "replica"), "semi_sync")[0]


@pytest.fixture
def writer(small_shard):
    yield from writing(small_shard)


@pytest.mark.parametrize("killed", KILLS)
def test_no_acknowledged_write_is_lost_when_the_primary_is_killed(small_shard, writer, killed):
    old = primary_of(small_shard)
    kill(old, killed)
    small_shard.ctl("EmergencyReparentShard", "--wait-replicas-timeout=30s", small_shard.shard_name)
    new = primary_of(small_shard)
    assert new is not old
    small_shard.wait_primary(new)
    writer.wait_more()
    comes_back(small_shard, old)
