"""Backups in a bucket, by us and by Vitess's own client of Google Cloud Storage: each tablet restores what
the other stored, and the other's tools list, verify, expire and remove it. The bucket is played by an
emulator that is neither's."""
import json

import pytest

from vtharness import gcs
from vtharness.gcs import GcsCluster
from vtharness.tokens import TokenServer
from vtharness.vitess import Control, MixedTablet
from vtharness.wait import wait_for

pytestmark = pytest.mark.skipif(gcs.program() is None, reason="no fake-gcs-server")
FILLER_MB = 20  # more than Vitess sends in one piece, and more than a part of ours


@pytest.fixture(scope="module")
def shard(module_run, mysql):
    """(cluster, primary, ours, theirs)"""
    cluster = GcsCluster(module_run, mysql)
    cluster.tokens = TokenServer(module_run)
    cluster.server_env.update(cluster.tokens.environment())
    cluster.start_topology().register()
    cluster.control = Control(cluster, env=cluster.server_env).start()
    primary, ours = cluster.add(100), cluster.add(101, "rdonly", agent_flags=["--compression-engine-name=lz4"])
    theirs = MixedTablet(cluster, 102, "rdonly", agent="vttablet", agent_flags=["--compression-engine-name=zstd"])
    cluster.start_all()
    cluster.make_primary(primary)
    cluster.make_table(primary)
    primary.sql("CREATE TABLE filler (id INT PRIMARY KEY AUTO_INCREMENT, a LONGBLOB)", database=cluster.database)
    for _ in range(FILLER_MB):
        primary.sql("INSERT INTO filler (a) SELECT RANDOM_BYTES(1024) FROM information_schema.columns a,"
                    " information_schema.columns b LIMIT 1024", database=cluster.database, deadline=120)
    cluster.insert(primary, 20)
    for tablet in (ours, theirs):
        cluster.wait_following(tablet, primary)
        cluster.wait_rows(tablet, 20)
    return cluster, primary, ours, theirs


def take(cluster, tablet):
    """A new backup; its name."""
    before = cluster.backups()
    cluster.control.client("Backup", tablet.alias)
    (name,) = set(cluster.backups()) - set(before)
    return name


def manifest(cluster, name):
    return json.loads(cluster.object(f"{name}/MANIFEST"))


def same_data(tablet, primary):
    cluster = tablet.cluster
    cluster.insert(primary)
    cluster.wait_following(tablet, primary, 120)
    wait_for(lambda: tablet.rows("t") == primary.rows("t"), f"new rows arrive at {tablet.alias}")
    sums = [other.sql("CHECKSUM TABLE filler, t", database=cluster.database) for other in (tablet, primary)]
    assert sums[0] == sums[1]
    assert {verdict for *_, verdict in tablet.sql("CHECK TABLE filler, t", database=cluster.database)} == {"OK"}


def start(cluster, tablet):
    """A new tablet fills itself from the newest backup."""
    tablet.start(waits=False)
    tablet.wait_mysqld()
    tablet.wait_agent()
    cluster.wait_type(tablet, "replica", 120)
    return tablet


def restore(cluster, tablet, primary):
    cluster.control.client("RestoreFromBackup", tablet.alias)
    cluster.wait_type(tablet, tablet.kind, 120)
    same_data(tablet, primary)


def test_a_new_tablet_of_ours_reads_what_vitess_stored(shard):
    cluster, primary, _, theirs = shard
    made = manifest(cluster, take(cluster, theirs))
    assert "VtagentDetails" not in made and made["CompressionEngine"] == "zstd"
    assert cluster.tokens.granted > 0
    same_data(start(cluster, cluster.add(110)), primary)


def test_a_new_vttablet_reads_what_we_stored(shard):
    cluster, primary, ours, _ = shard
    made = manifest(cluster, take(cluster, ours))
    assert "VtagentDetails" in made and made["CompressionEngine"] == "lz4"
    same_data(start(cluster, MixedTablet(cluster, 111, agent="vttablet")), primary)


def test_each_restores_the_other_over_its_own_data(shard):
    cluster, primary, ours, theirs = shard
    restore(cluster, theirs, primary)
    made = manifest(cluster, take(cluster, cluster.tablets[111]))
    assert "VtagentDetails" not in made and made["CompressionEngine"] == "pargzip"
    restore(cluster, ours, primary)


def test_the_tools_of_both_see_judge_and_remove_the_same(shard):
    cluster = shard[0]
    first, by_us, newest = names = cluster.backups()
    for tool in (cluster.ctl, cluster.control.client):
        assert tool("GetBackups", cluster.shard_name).out.split() == names
    details = json.loads(cluster.ctl("GetBackups", "--detailed", "--json", cluster.shard_name).out)["backups"]
    assert [backup["status"] for backup in details] == ["COMPLETE"] * 3, details
    assert "is good" in cluster.ctl("VerifyBackup", cluster.shard_name, newest).text
    cluster.control.client("RemoveBackup", cluster.shard_name, by_us)
    assert not [name for name in cluster.objects() if name.startswith(by_us)]
    assert first in cluster.ctl("ExpireBackups", "--keep-count=1", cluster.shard_name).text
    for tool in (cluster.ctl, cluster.control.client):
        assert tool("GetBackups", cluster.shard_name).out.split() == [newest] == cluster.backups()
