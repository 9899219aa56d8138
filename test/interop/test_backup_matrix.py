"""Backups across the border: ours by every codec and both ways of coming to rest, restored by vttablet;
Vitess's by each of its engines, restored by us; vtbackup on top of ours and ours on top of vtbackup's. The
data has what backups trip over: partitions, full-text, compressed rows, empty tables, and in ours also
what Vitess's own backups leave out: general and undo tablespaces, databases without tables."""
import json
import os
import shutil

import pytest

from vtharness.cluster import Cluster
from vtharness.filesystem import mount_xfs
from vtharness.ports import free_port
from vtharness.vitess import Control, MixedTablet, program, root
from vtharness.wait import wait_for

ZOO = """
CREATE TABLE parts (id INT PRIMARY KEY, v VARCHAR(100)) PARTITION BY RANGE (id)
    (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200), PARTITION p2 VALUES LESS THAN MAXVALUE);
CREATE TABLE words (id INT PRIMARY KEY AUTO_INCREMENT, text TEXT, FULLTEXT (text));
CREATE TABLE packed (id INT PRIMARY KEY, v TEXT) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
CREATE TABLE nothing (id INT PRIMARY KEY, v INT, KEY (v));
CREATE TABLE derived (id INT PRIMARY KEY, twice INT AS (id * 2) STORED, KEY (twice));
INSERT INTO words (text) VALUES ('a needle in the hay'), ('only hay'), ('another needle');
INSERT INTO derived (id) VALUES (1), (2), (3);
"""
OURS_ONLY = """
CREATE TABLESPACE shared ADD DATAFILE 'shared.ibd';
CREATE TABLE tenant1 (id INT PRIMARY KEY, v TEXT) TABLESPACE shared;
CREATE TABLE tenant2 (id INT PRIMARY KEY, v TEXT) TABLESPACE shared;
INSERT INTO tenant1 SELECT id, v FROM parts;
CREATE DATABASE without_tables;
"""
TABLES = ("parts", "words", "packed", "nothing", "derived", "t")
CODECS = {"gzip": "--compression-engine-name=pgzip", "zstd": "--compression-engine-name=zstd",
          "lz4": "--compression-engine-name=lz4", "none": "--backup-storage-compress=false"}
ENGINES = {"pargzip": "--compression-engine-name=pargzip", "pgzip": "--compression-engine-name=pgzip",
           "zstd": "--compression-engine-name=zstd", "lz4": "--compression-engine-name=lz4",
           "none": "--backup-storage-compress=false"}


@pytest.fixture(scope="module")
def shard(module_run, mysql):
    """(cluster, primary, ours, theirs); `ours` can freeze where this machine can mount an XFS."""
    cluster = Cluster(module_run, mysql)
    try:
        mount_xfs(module_run, cluster.data_root)
        cluster.can_freeze = True
    except pytest.skip.Exception:
        cluster.can_freeze = False
    cluster.start_topology().register()
    cluster.control = Control(cluster).start()
    primary, ours = cluster.add(100), cluster.add(101, "rdonly")
    theirs = MixedTablet(cluster, 102, "rdonly", agent="vttablet")
    cluster.start_all()
    cluster.make_primary(primary)
    cluster.make_table(primary)
    primary.sql(ZOO, database=cluster.database)
    rows = ", ".join(f"({number}, '{'row ' * 20}{number}')" for number in range(300))
    for table in ("parts", "packed"):
        primary.sql(f"INSERT INTO {table} VALUES {rows}", database=cluster.database)
    cluster.insert(primary, 20)
    for tablet in (ours, theirs):
        cluster.wait_following(tablet, primary)
        cluster.wait_rows(tablet, 20)
    return cluster, primary, ours, theirs


def with_flag(tablet, *flags):
    """The agent with these codec and quiesce flags, and no others of the kind."""
    kinds = ("--compression-engine-name", "--backup-storage-compress", "--backup-quiesce")
    tablet.agent.stop()
    tablet.agent.argv = [word for word in tablet.agent.argv if not word.startswith(kinds)] + list(flags)
    tablet.start_agent()
    tablet.cluster.wait_type(tablet, "rdonly")


def take(cluster, tablet):
    """A new backup, the only one; its MANIFEST."""
    for name in cluster.backups():
        shutil.rmtree(cluster.backup_path(name))
    cluster.control.client("Backup", tablet.alias)
    (name,) = cluster.backups()
    with open(cluster.backup_path(name, "MANIFEST"), encoding="utf-8") as file:
        return json.load(file)


def fingerprint(tablet, tables):
    database = tablet.cluster.database
    sums = tablet.sql("CHECKSUM TABLE " + ", ".join(tables), database=database)
    found = tablet.sql("SELECT id FROM words WHERE MATCH (text) AGAINST ('needle')", database=database)
    return sums, found, tablet.sql("SHOW CREATE TABLE parts", database=database)


def same_data(tablet, primary, tables=TABLES):
    cluster = tablet.cluster
    cluster.insert(primary)
    wait_for(lambda: tablet.follows(primary) and fingerprint(tablet, tables) == fingerprint(primary, tables),
             f"{tablet.alias} has what {primary.alias} has", 120)
    assert {verdict for *_, verdict in tablet.sql(
        "CHECK TABLE " + ", ".join(tables), database=cluster.database)} == {"OK"}


def restore(cluster, tablet):
    """Replaces a tablet's data by the one backup there is."""
    cluster.control.client("RestoreFromBackup", tablet.alias)
    cluster.wait_type(tablet, "rdonly", 120)


# ---- theirs, restored by us ----
@pytest.mark.parametrize("engine", ENGINES)
def test_vitess_backup_is_restored_by_us(shard, engine):
    cluster, primary, ours, theirs = shard
    with_flag(theirs, ENGINES[engine])
    made = take(cluster, theirs)
    assert "VtagentDetails" not in made and made["SkipCompress"] == (engine == "none")
    restore(cluster, ours)
    same_data(ours, primary)
    cluster.wait_following(theirs, primary)


def vtbackup(cluster):
    """One run of vtbackup: restores the newest backup, catches up, takes the next."""
    init_sql = os.path.join(root(), "src", "config", "init_db.sql")
    argv = [program("vtbackup"), *cluster.topology_flags(), *cluster.storage_flags(),
            f"--init-keyspace={cluster.keyspace}", f"--init-shard={cluster.shard}", "--concurrency=2",
            f"--init-db-sql-file={init_sql}", f"--mysql-port={free_port()}", f"--port={free_port()}",
            "--min-retention-count=5", "--log-format=text", "--tablet-manager-protocol=grpc"]
    environment = dict(cluster.server_env, VTROOT=os.path.join(root(), "src"))
    done = cluster.run.command(argv, env=environment, deadline=170)
    assert done.returncode == 0, done.stderr[-6000:]


def test_vtbackup_goes_on_from_our_backup_and_we_from_its(shard):
    cluster, primary, ours, _ = shard
    first = take(cluster, ours)
    cluster.insert(primary, 7)
    vtbackup(cluster)
    names = cluster.backups()
    assert len(names) == 2 and "vtbackup" in names[1], names
    shutil.rmtree(cluster.backup_path(first["BackupName"]))
    restore(cluster, ours)
    same_data(ours, primary)


# ---- ours, restored by vttablet ----
@pytest.fixture(scope="module")
def zoo(shard):
    """From here on with what Vitess's own backups would lose."""
    cluster, primary, ours, _ = shard
    primary.sql(OURS_ONLY, database=cluster.database)
    wait_for(lambda: ours.rows("tenant1") == 300, "the shared tablespace arrives")
    ours.sql("SET sql_log_bin = 0; SET GLOBAL super_read_only = 0;"
             "CREATE UNDO TABLESPACE more_undo ADD DATAFILE 'more_undo.ibu'; SET GLOBAL super_read_only = 1")
    return shard


# Codecs and quiesce modes do not depend on each other: each is met, not each pair.
@pytest.mark.parametrize("codec, quiesce", [("gzip", "freeze"), ("gzip", "stop"), ("zstd", "freeze"),
                                            ("lz4", "stop"), ("none", "freeze")])
def test_our_backup_is_restored_by_vttablet(zoo, codec, quiesce):
    cluster, primary, ours, theirs = zoo
    if not cluster.can_freeze:
        quiesce = "stop"
    with_flag(ours, CODECS[codec], f"--backup-quiesce={quiesce}")
    made = take(cluster, ours)
    assert made["VtagentDetails"]["QuiesceMode"] == quiesce
    assert made["VtagentDetails"]["EmptyDirectories"] == ["without_tables"]
    assert {"shared.ibd", "more_undo.ibu"} <= {entry["Name"] for entry in made["FileEntries"]}
    restore(cluster, theirs)
    same_data(theirs, primary, (*TABLES, "tenant1", "tenant2"))
    assert theirs.sql("SELECT name FROM information_schema.innodb_tablespaces WHERE name = 'more_undo'")


def test_what_vitess_cannot_store_is_restored_by_us(zoo):
    cluster, primary, ours, _ = zoo
    take(cluster, ours)
    restore(cluster, ours)
    same_data(ours, primary, (*TABLES, "tenant1", "tenant2"))
    primary.sql("CREATE TABLE without_tables.first (id INT PRIMARY KEY)")
    wait_for(lambda: ours.sql("SELECT COUNT(*) FROM without_tables.first") == [("0",)],
             "a table is made in the database that was empty")


# ---- the list ----
def test_vtctld_lists_and_removes_our_backups(zoo):
    cluster, _, ours, _ = zoo
    first = take(cluster, ours)["BackupName"]
    half = first.replace(first[:4], "2001", 1)
    os.mkdir(cluster.backup_path(half))
    cluster.control.client("Backup", ours.alias)
    names = cluster.control.client("GetBackups", cluster.shard_name).out.split()
    assert names == cluster.backups() and len(names) == 3, names
    newest = cluster.control.client("GetBackups", "--limit=1", cluster.shard_name).out.split()
    assert newest == names[-1:]
    cluster.control.client("RemoveBackup", cluster.shard_name, first)
    assert first not in cluster.backups() and len(cluster.backups()) == 2
    listed = json.loads(cluster.ctl("GetBackups", "--json", cluster.shard_name).out)["backups"]
    assert sorted(backup["name"] for backup in listed) == cluster.backups(), listed


def test_a_manifest_with_keys_of_others_is_read(zoo):
    cluster, primary, ours, _ = zoo
    made = take(cluster, ours)
    made["Another"] = {"deep": [1, {"er": None}]}
    made["FileEntries"][0]["Size"] = 12
    del made["VtagentDetails"]["ManifestCrc32"]
    path = cluster.backup_path(made["BackupName"], "MANIFEST")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(made, file)
    restore(cluster, ours)
    same_data(ours, primary)
