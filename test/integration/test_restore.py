"""A new tablet fills itself from the newest backup and serves only when it has caught up."""
import os
import re
import shutil

import pytest

from vtharness import wire
from vtharness.cluster import shard_of
from vtharness.health import get
from vtharness.wait import holds_for, wait_for


@pytest.fixture(scope="module")
def backed_up(module_run, flavor):
    """A shard with one backup, and a primary that has thrown away the logs from before it."""
    cluster, primary, (rdonly,) = shard_of(module_run, flavor, ("replica", "rdonly"))
    cluster.insert(primary, 100)
    cluster.wait_rows(rdonly, 100)
    primary.sql("FLUSH BINARY LOGS")
    last = primary.sql("SHOW BINARY LOGS")[-1][0]

    def is_purged():
        primary.sql(f"PURGE BINARY LOGS TO '{last}'")
        return primary.sql("SHOW BINARY LOGS")[0][0] == last
    wait_for(is_purged, "old binary logs are gone")
    cluster.ctl("Backup", rdonly.alias)
    cluster.insert(primary, 50)
    return cluster, primary, rdonly


def test_a_new_tablet_does_not_serve_before_it_has_caught_up(backed_up):
    cluster, primary, _ = backed_up
    for _ in range(40):
        cluster.insert(primary, 500, value="y" * 150)
    rows = primary.rows("t")
    tablet = cluster.add(110)
    tablet.start(waits=False)
    seen = set()

    def serves():
        """What the probes said together with the type, before and after which the type was the same."""
        assert tablet.agent.is_alive() and tablet.supervisor.is_alive()
        name = tablet.type_name()
        probes = tuple(get(tablet, path)[0] for path in ("/livez", "/startupz", "/readyz"))
        if tablet.type_name() == name:
            seen.add((name, *probes))
        return probes[2] == 200
    wait_for(serves, "it serves", 180, 0.01)
    have = tablet.rows("t")
    assert have >= rows, f"serves with {have} of {rows} rows"
    assert ("restore", 200, 200, 503) in seen, seen
    assert {name for name, *_ in seen} == {"restore", "replica"}, seen
    cluster.wait_following(tablet, primary)


def test_a_restored_tablet_is_a_server_of_its_own(backed_up):
    cluster, primary, rdonly = backed_up
    tablet = cluster.add(111).start()
    cluster.wait_type(tablet, "replica", 120)
    cluster.wait_following(tablet, primary, 120)
    identity = "server_id" if cluster.flavor.is_mariadb else "server_uuid"
    values = {other.value(f"SELECT @@global.{identity}") for other in (tablet, primary, rdonly)}
    assert len(values) == 3, values
    assert tablet.is_read_only()
    assert not os.path.exists(os.path.join(tablet.directory, "restore_in_progress"))


def test_a_restart_does_not_restore_again(backed_up):
    cluster, primary, rdonly = backed_up
    pid = rdonly.mysqld_pid()
    rdonly.agent.stop()
    rdonly.start_agent()
    cluster.wait_type(rdonly, "rdonly")
    cluster.wait_following(rdonly, primary)
    assert rdonly.mysqld_pid() == pid


def test_restore_by_hand_brings_the_tablet_back_to_the_primary(backed_up):
    cluster, primary, rdonly = backed_up
    uuid = rdonly.full_status().server_uuid
    answer = cluster.ctl("RestoreFromBackup", rdonly.alias)
    cluster.wait_type(rdonly, "rdonly")
    cluster.wait_following(rdonly, primary)
    wait_for(lambda: rdonly.rows("t") == primary.rows("t"), "caught up")
    assert cluster.backups()[0] in answer.text
    if not cluster.flavor.is_mariadb:
        assert rdonly.full_status().server_uuid != uuid


def test_backups_are_listed_and_removed(backed_up):
    cluster, _, rdonly = backed_up
    cluster.ctl("Backup", rdonly.alias)
    names = cluster.backups()
    assert cluster.ctl("GetBackups", cluster.shard_name).out.split() == names
    assert cluster.ctl("ListBackups", cluster.shard_name).out.split() == names
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d\.\d{6}\.zone1-0000000101", name) for name in names)
    cluster.ctl("RemoveBackup", cluster.shard_name, names[-1])
    assert cluster.backups() == names[:-1]
    assert cluster.ctl("RemoveBackup", cluster.shard_name, names[-1], code=None).code not in (0, 2)
    assert cluster.ctl("RemoveBackup", cluster.shard_name, "../../../etc", code=None).code != 0


def test_without_any_backup_a_new_tablet_starts_empty_and_follows(run, one_flavor):
    cluster, primary, _ = shard_of(run, one_flavor, ("replica",))
    cluster.insert(primary, 3)
    tablet = cluster.add(105).start()
    cluster.wait_type(tablet, "replica", 120)
    cluster.wait_following(tablet, primary)
    cluster.wait_rows(tablet, 3)


def test_with_only_an_incomplete_backup_a_new_tablet_says_so_and_does_not_serve(run, one_flavor):
    cluster, primary, _ = shard_of(run, one_flavor, ("replica",))
    folder = "commerce/0/2020-01-01.000000.zone1-0000000100"
    run.folder("backups", *folder.split("/"))
    run.write(f"backups/{folder}/0", "half")
    tablet = cluster.add(105)
    tablet.start(waits=False)
    wait_for(lambda: "no complete backup" in tablet.agent.log().lower(), "it says so", 120)

    cluster.wait_type(tablet, "restore")
    holds_for(lambda: tablet.agent.is_alive() and tablet.type_name() == "restore", "it does not serve", 3)
    cluster.wait_primary(primary)
    shutil.rmtree(os.path.join(cluster.backup_root, "commerce"))
    cluster.wait_type(tablet, "replica", 180)
    cluster.wait_following(tablet, primary, 120)


def test_a_restore_of_a_primary_is_refused(backed_up):
    cluster, primary, _ = backed_up
    with pytest.raises(wire.RpcError) as caught:
        primary.manager.events("RestoreFromBackup")
    assert "PRIMARY" in caught.value.details()
    answer = cluster.ctl("RestoreFromBackup", primary.alias, code=None)
    assert answer.code not in (0, 2)
    cluster.wait_primary(primary)
    cluster.insert(primary)


ZOO = """
CREATE TABLE parts (id INT PRIMARY KEY, v VARCHAR(100)) ENGINE=InnoDB PARTITION BY RANGE (id)
    (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE words (id INT PRIMARY KEY AUTO_INCREMENT, text TEXT, FULLTEXT (text)) ENGINE=InnoDB;
CREATE TABLE nothing (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE {other} (id INT PRIMARY KEY, v VARCHAR(100)) ENGINE={other};
INSERT INTO parts VALUES (1, 'a'), (150, 'b');
INSERT INTO words (text) VALUES ('a needle in the hay'), ('only hay');
INSERT INTO {other} VALUES (1, 'kept outside of InnoDB');
CREATE DATABASE without_tables;
CREATE USER 'guest'@'localhost' IDENTIFIED BY 'secret'; GRANT SELECT ON *.* TO 'guest'@'localhost';
"""


def test_whatever_a_server_can_hold_comes_back(backed_up):
    cluster, primary, rdonly = backed_up
    other = "Aria" if cluster.flavor.is_mariadb else "MyISAM"
    primary.sql(ZOO.format(other=other), database=cluster.database)
    cluster.wait_rows(rdonly, 1, other)
    cluster.ctl("Backup", rdonly.alias)
    rdonly.manager.events("RestoreFromBackup", timeout=240)
    cluster.wait_following(rdonly, primary)
    tables = f"parts, words, nothing, {other}, t"

    def contents(tablet):
        return (tablet.sql(f"CHECKSUM TABLE {tables}", database=cluster.database),
                tablet.sql("SELECT id FROM words WHERE MATCH (text) AGAINST ('needle')", database=cluster.database),
                tablet.sql("SHOW GRANTS FOR 'guest'@'localhost'"), tablet.sql("SHOW DATABASES"))
    cluster.insert(primary)
    wait_for(lambda: contents(rdonly) == contents(primary), "everything is the same")
    assert {row[-1] for row in rdonly.sql(f"CHECK TABLE {tables}", database=cluster.database)} == {"OK"}
    primary.sql("CREATE TABLE without_tables.first (id INT PRIMARY KEY)")
    wait_for(lambda: rdonly.sql("SELECT COUNT(*) FROM without_tables.first") == [("0",)],
             "a table is made in the database that was empty")


def test_undo_tablespaces_that_no_backup_could_put_back_are_refused_before_anything_is_touched(backed_up):
    cluster, _, rdonly = backed_up
    pid, path = rdonly.mysqld_pid(), os.path.join(rdonly.directory, "my.cnf")
    with open(path, encoding="utf-8") as file:
        before = file.read()
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"\n[mysqld]\ninnodb_undo_directory = {cluster.run.folder('undo')}\n")
        for method in ("Backup", "RestoreFromBackup"):
            with pytest.raises(wire.RpcError) as refused:
                rdonly.manager.events(method, timeout=120, **({"concurrency": 2} if method == "Backup" else {}))
            assert "innodb_undo_directory" in refused.value.details(), refused.value
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(before)
    assert rdonly.mysqld_pid() == pid and rdonly.type_name() == "rdonly"
