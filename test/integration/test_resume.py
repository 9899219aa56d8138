"""Backups and restores that were killed go on where they were, and a restore over old data copies only
what differs."""
import json
import os
import re
import signal

import pytest

from vtharness import faults
from vtharness.cluster import shard_of
from vtharness.faults import caught_in_the_middle
from vtharness.process import command_of
from vtharness.wait import wait_for

FILLER_ROWS = 5000
CHUNK = 256 * 1024


def fill(cluster, primary):
    primary.sql("CREATE TABLE filler (id INT PRIMARY KEY AUTO_INCREMENT, a LONGBLOB)",
                database=cluster.database)
    for _ in range(8):
        primary.sql("INSERT INTO filler (a) SELECT RANDOM_BYTES(1024) FROM information_schema.columns a,"
                    f" information_schema.columns b LIMIT {FILLER_ROWS}",
                    database=cluster.database, deadline=180)
    cluster.insert(primary, 10)


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    """A primary, and a rdonly with one backup."""
    cluster, primary, (rdonly,) = shard_of(module_run, flavor, ("replica", "rdonly"), agent_flags=[
        f"--backup-chunk-size={CHUNK}", "--restore-concurrency=1", "--backup-quiesce=stop"])
    fill(cluster, primary)
    cluster.wait_rows(rdonly, 10, deadline=180)
    rdonly.manager.events("Backup", timeout=180)
    return cluster, primary, rdonly


def in_service(cluster, primary, tablet):
    cluster.wait_replicating(tablet, primary)
    cluster.insert(primary)
    wait_for(lambda: contents(tablet, cluster) == contents(primary, cluster), "both have the same rows")
    assert not os.path.exists(marker_of(tablet))


def contents(tablet, cluster):
    return [tablet.sql(f"SELECT COUNT(*), SUM(id), SUM(CRC32({column})) FROM {table}",
                       database=cluster.database) for table, column in (("t", "v"), ("filler", "a"))]


def marker_of(tablet):
    return os.path.join(tablet.directory, "restore_in_progress")


def restore(tablet):
    return tablet.manager.events("RestoreFromBackup", timeout=180)


def were_there(texts):
    """(bytes that were there, bytes of all) as the job told them last."""
    found = re.findall(r"resumed: (\d+) of (\d+) bytes were there", "\n".join(texts))
    assert found, texts
    return tuple(int(number) for number in found[-1])


def file_of_filler(cluster, tablet):
    return os.path.join(tablet.directory, "data", cluster.database, "filler.ibd")


def is_written_to(path, offset):
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return any(file.read(4096))
    except OSError:
        return False


def caught_restoring(cluster, primary, tablet):
    """A restore whose worker is stopped when it has copied a part of the largest file."""
    def is_in_the_middle():
        worker = faults.worker_of(tablet)
        return (worker is not None and "--mode=restore-copy" in command_of(worker) and
                is_written_to(file_of_filler(cluster, tablet), 20 * CHUNK + 16384))
    return caught_in_the_middle(tablet, lambda: restore(tablet), is_in_the_middle,
                                between=lambda: in_service(cluster, primary, tablet))


def manifest_of(cluster, name):
    with open(cluster.backup_path(name, "MANIFEST"), encoding="utf-8") as file:
        return json.load(file)


def test_a_backup_that_stops_mysqld_does_not_tell_for_how_long(shard):
    cluster, _, rdonly = shard
    told = manifest_of(cluster, cluster.backups()[-1])["VtagentDetails"]["UnavailableMs"]
    logged = float(re.findall(r"mysqld is up again after ([0-9.]+) s", rdonly.agent.log())[-1])
    assert told > 0 and abs(told / 1000 - logged) <= 0.1


def test_a_copied_backup_is_lost_when_the_agent_dies_while_mysqld_starts(shard):
    cluster, primary, rdonly = shard
    draft = os.path.join(rdonly.directory, "vtagent_job.manifest")

    def is_copying():
        worker = faults.worker_of(rdonly)
        return worker is not None and "--mode=backup" in command_of(worker)
    call, worker = caught_in_the_middle(rdonly, lambda: rdonly.manager.events("Backup", timeout=180), is_copying)
    os.kill(rdonly.supervisor.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGCONT)
    wait_for(lambda: os.path.exists(draft), "the files are copied", 60)
    rdonly.agent.kill()
    os.kill(rdonly.supervisor.pid, signal.SIGCONT)
    call.failure(180)
    name = cluster.backups()[-1]
    assert name not in cluster.complete_backups()
    rdonly.start_agent()
    wait_for(lambda: name in cluster.complete_backups(), "the backup is completed")
    assert "UnavailableMs" not in manifest_of(cluster, name)["VtagentDetails"]
    in_service(cluster, primary, rdonly)
    assert not os.path.exists(draft)


def test_a_restore_goes_on_when_its_worker_is_killed(shard):
    cluster, primary, rdonly = shard
    call, worker = caught_restoring(cluster, primary, rdonly)
    faults.kill(worker)
    there, total = were_there(call.result(180))
    print(there, "of", total)
    assert 15 * CHUNK < there < total
    in_service(cluster, primary, rdonly)


def test_a_restore_goes_on_at_the_next_start_when_its_agent_is_killed(shard):
    cluster, primary, rdonly = shard
    call, worker = caught_restoring(cluster, primary, rdonly)
    rdonly.agent.kill()
    faults.kill(worker)
    call.failure(180)
    assert os.path.exists(marker_of(rdonly))
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    there, total = were_there(rdonly.agent.log().splitlines())
    print(there, "of", total)
    assert 15 * CHUNK < there < total


def restart_agent(tablet, *flags):
    tablet.agent.stop()
    tablet.agent.argv = [word for word in tablet.agent.argv
                         if not word.startswith(("--restore-delta", "--backup-rate", "--backup-prove"))]
    tablet.agent.argv += flags
    tablet.start_agent()


def test_a_delta_restore_keeps_what_did_not_change(shard):
    cluster, primary, rdonly = shard
    in_service(cluster, primary, rdonly)
    restart_agent(rdonly, "--restore-delta")
    there, total = were_there(restore(rdonly))
    print(there, "of", total)
    # The redo log is new after every start of the server; the table is not.
    assert there > os.path.getsize(file_of_filler(cluster, rdonly)) * 0.8
    in_service(cluster, primary, rdonly)
    primary.sql("DELETE FROM filler WHERE id % 7 = 0; CREATE TABLE new LIKE t", database=cluster.database)
    wait_for(lambda: contents(rdonly, cluster) == contents(primary, cluster), "the change is there")
    there, _ = were_there(restore(rdonly))
    assert 0 < there < total
    in_service(cluster, primary, rdonly)
    assert rdonly.rows("new") == 0


def test_a_delta_restore_deletes_data_before_it_finds_the_backup_damaged(shard):
    cluster, primary, rdonly = shard
    name = cluster.complete_backups()[-1]
    entries = manifest_of(cluster, name)["FileEntries"]
    number = next(number for number, entry in enumerate(entries) if entry["Name"].endswith("filler.ibd"))
    primary.sql("DELETE FROM filler WHERE id % 5 = 0", database=cluster.database)
    wait_for(lambda: contents(rdonly, cluster) == contents(primary, cluster), "the table is another one")
    # Until then the change is in the redo log alone, and the table's file is still that of the backup.
    rdonly.sql("FLUSH TABLES filler FOR EXPORT; UNLOCK TABLES", database=cluster.database)
    flip_all(cluster.backup_path(name, str(number)))
    before = contents(rdonly, cluster)
    call = faults.Background(restore, rdonly)
    assert "DATA_LOSS" in str(call.failure(180))
    flip_all(cluster.backup_path(name, str(number)))
    assert contents(rdonly, cluster) == before
    in_service(cluster, primary, rdonly)
    assert "deleting the present data" not in rdonly.agent.log().rpartition("comparing the present data")[2]
    restart_agent(rdonly)


def flip_all(path):
    """A bit in each chunk, or back: random bytes do not get smaller when they are compressed."""
    for offset in range(CHUNK // 2, os.path.getsize(path), CHUNK // 2):
        faults.flip_byte(path, offset)
