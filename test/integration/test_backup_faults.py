"""Backups that are interrupted, and backups that are damaged: the tablet is always back in service, and
nothing local is deleted for a backup that cannot be restored."""
import json
import os
import shutil
import subprocess

import pytest

from vtharness import faults, wire
from vtharness.cluster import shard_of
from vtharness.faults import Background, caught_in_the_middle
from vtharness.wait import wait_for

FILLER_ROWS = 6000


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    """A primary and a rdonly with enough data that a copy takes a moment. mysqld is stopped for
    backups, whatever the file system can do; for the other way see test_freeze.py."""
    cluster, primary, (rdonly,) = shard_of(module_run, flavor, ("replica", "rdonly"),
                                           agent_flags=["--backup-quiesce=stop"])
    primary.sql("CREATE TABLE filler (id INT PRIMARY KEY AUTO_INCREMENT, a LONGBLOB)",
                database=cluster.database)
    for _ in range(6):
        primary.sql("INSERT INTO filler (a) SELECT RANDOM_BYTES(1024) FROM information_schema.columns a,"
                    f" information_schema.columns b LIMIT {FILLER_ROWS}; "
                    "INSERT INTO filler (a) VALUES (REPEAT(RANDOM_BYTES(1024), 4000))",
                    database=cluster.database, deadline=180)
    cluster.insert(primary, 10)
    cluster.wait_rows(rdonly, 10, deadline=180)
    return cluster, primary, rdonly


@pytest.fixture
def rdonly(shard):
    """The tablet to break; in service and following before each test and after it."""
    cluster, primary, tablet = shard
    for name in cluster.backups():
        shutil.rmtree(cluster.backup_path(name))
    yield tablet
    in_service(cluster, primary, tablet)


def in_service(cluster, primary, tablet):
    """Up, its type as before, replicating, and able to follow a new write."""
    cluster.wait_in_service(tablet, primary)
    assert tablet.is_read_only()


def is_down(tablet):
    return not os.path.exists(os.path.join(tablet.directory, "mysql.pid"))


def has_objects(cluster):
    names = cluster.backups()
    return bool(names) and bool(os.listdir(cluster.backup_path(names[-1])))


def backup(tablet, **options):
    options.setdefault("concurrency", 2)
    return tablet.manager.events("Backup", timeout=180, **options)


def clear(cluster):
    for name in cluster.backups():
        shutil.rmtree(cluster.backup_path(name))


def caught(cluster, tablet, until):
    return caught_in_the_middle(tablet, lambda: backup(tablet), until, between=lambda: clear(cluster))


def moments(cluster, tablet):
    return {"at its start": lambda: True, "when mysqld is down": lambda: is_down(tablet),
            "while it copies": lambda: is_down(tablet) and has_objects(cluster)}


@pytest.mark.parametrize("moment", ["at its start", "when mysqld is down", "while it copies"])
def test_a_killed_worker_leaves_the_tablet_in_service_and_no_half_backup(shard, rdonly, moment):
    cluster, primary, _ = shard
    call, worker = caught(cluster, rdonly, moments(cluster, rdonly)[moment])
    faults.kill(worker)
    error = call.failure(180)
    assert isinstance(error, wire.RpcError) and error.details()
    in_service(cluster, primary, rdonly)
    assert cluster.complete_backups() == []
    backup(rdonly)
    assert len(cluster.complete_backups()) == 1


@pytest.mark.parametrize("moment", ["when mysqld is down", "while it copies"])
def test_a_killed_agent_is_answered_at_its_next_start(shard, rdonly, moment):
    cluster, primary, _ = shard
    call, worker = caught(cluster, rdonly, moments(cluster, rdonly)[moment])
    rdonly.agent.kill()
    faults.resume(worker)
    call.failure(180)
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    backup(rdonly)
    assert len(cluster.complete_backups()) >= 1


def is_reading_back(tablet):
    """mysqld is up again, the MANIFEST is not there yet."""
    worker = faults.worker_of(tablet)
    return worker is not None and "--mode=publish" in faults.command_of(worker)


def test_an_agent_killed_while_a_backup_is_read_back_lists_it_at_its_next_start(shard, rdonly):
    cluster, primary, _ = shard
    call, worker = caught(cluster, rdonly, lambda: is_reading_back(rdonly))
    assert not cluster.complete_backups()
    pid = rdonly.mysqld_pid()
    rdonly.agent.kill()
    faults.kill(worker)
    call.failure(180)
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    wait_for(lambda: len(cluster.complete_backups()) == 1, "the backup is listed")
    assert rdonly.mysqld_pid() == pid, "it was in service already"


def test_agent_and_worker_killed_together_are_answered_too(shard, rdonly):
    cluster, primary, _ = shard
    call, worker = caught(cluster, rdonly, moments(cluster, rdonly)["while it copies"])
    rdonly.agent.kill()
    faults.kill(worker)
    call.failure(180)
    assert is_down(rdonly)
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    assert cluster.complete_backups() == []


def test_a_canceled_backup_ends_its_worker_even_when_that_hangs_and_nothing_stays_stopped(shard, rdonly):
    cluster, primary, _ = shard
    call, worker = caught(cluster, rdonly, lambda: is_down(rdonly))
    assert len(rdonly.cancel_job()) == 1
    assert call.failure(20).code() == wire.Code.CANCELLED
    in_service(cluster, primary, rdonly)
    wait_for(lambda: faults.worker_of(rdonly) != worker, "the worker is gone")
    assert not rdonly.call("ReplicationStatus").status.backup_running
    assert cluster.backups() == []
    backup(rdonly)


def test_a_callers_deadline_ends_its_call_and_not_the_backup(shard, rdonly):
    cluster, _, _ = shard
    call, worker = caught_in_the_middle(
        rdonly, lambda: rdonly.manager.events("Backup", timeout=15, concurrency=1),
        lambda: is_down(rdonly), between=lambda: clear(cluster))
    assert call.failure(180).code() == wire.Code.DEADLINE_EXCEEDED
    assert faults.worker_of(rdonly) == worker
    faults.resume(worker)
    wait_for(lambda: len(cluster.complete_backups()) == 1, "the backup is complete all the same", 120)
    wait_for(lambda: rdonly.running_job() is None, "its job has ended", 120)


def test_a_second_backup_is_refused_and_status_calls_are_answered_meanwhile(shard, rdonly):
    cluster, _, _ = shard
    call, worker = caught(cluster, rdonly, lambda: is_down(rdonly))
    with pytest.raises(wire.RpcError) as refused:
        rdonly.manager.events("Backup", timeout=60, concurrency=3)
    assert "a backup is already running" in refused.value.details(), refused.value
    assert rdonly.call("Ping", payload="x", timeout=20).payload == "x"
    with pytest.raises(wire.RpcError):
        rdonly.call("FullStatus", timeout=20)
    assert rdonly.type_name() == "backup"
    with pytest.raises(wire.RpcError) as late:
        rdonly.call("StopReplication", timeout=2)
    assert late.value.code() == wire.Code.DEADLINE_EXCEEDED
    faults.resume(worker)
    call.result(180)
    assert len(cluster.complete_backups()) == 1


def full_storage(cluster, tablet):
    """Makes the storage full: a small tmpfs for root, a file size limit for others; undo function."""
    root = cluster.backup_root
    if os.geteuid() == 0:
        user = cluster.run.user
        options = f"size=2m,uid={user.uid},gid={user.gid},mode=755"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", root], check=False)
        if done.returncode == 0:
            return lambda: subprocess.run(["umount", "-l", root], check=True)
    pid = str(tablet.agent.pid)
    subprocess.run(["prlimit", "--pid", pid, "--fsize=1048576"], check=True)
    return lambda: subprocess.run(["prlimit", "--pid", pid, "--fsize=unlimited"], check=True)


def test_a_full_storage_fails_the_backup_and_nothing_stays_stopped(shard, rdonly):
    cluster, primary, _ = shard
    undo = full_storage(cluster, rdonly)
    try:
        with pytest.raises(wire.RpcError) as caught_error:
            backup(rdonly)
        assert caught_error.value.details()
        in_service(cluster, primary, rdonly)
        assert cluster.complete_backups() == []
    finally:
        undo()
    in_service(cluster, primary, rdonly)
    clear(cluster)
    backup(rdonly)


def test_a_storage_that_is_not_there_or_not_writable_fails_before_mysqld_is_stopped(shard, rdonly):
    cluster, primary, _ = shard
    pid = rdonly.mysqld_pid()
    moved = cluster.backup_root + "-moved"
    os.rename(cluster.backup_root, moved)
    try:
        with pytest.raises(wire.RpcError) as missing:
            backup(rdonly)
        assert missing.value.code() == wire.Code.FAILED_PRECONDITION, missing.value
        assert cluster.backup_root in missing.value.details()
        os.mkdir(cluster.backup_root, 0o555)
        with pytest.raises(wire.RpcError) as forbidden:
            backup(rdonly)
        assert cluster.backup_root in forbidden.value.details()
        os.rmdir(cluster.backup_root)
    finally:
        os.rename(moved, cluster.backup_root)
    assert rdonly.mysqld_pid() == pid
    in_service(cluster, primary, rdonly)


# ---- damaged backups: a restore must not delete anything for them ----
@pytest.fixture
def backed_up(shard, rdonly):
    cluster, primary, _ = shard
    backup(rdonly)
    (name,) = cluster.complete_backups()
    in_service(cluster, primary, rdonly)
    return cluster, primary, rdonly, name


def manifest(cluster, name):
    with open(cluster.backup_path(name, "MANIFEST"), encoding="utf-8") as file:
        return json.load(file)


def write_manifest(cluster, name, text):
    path = cluster.backup_path(name, "MANIFEST")
    os.chmod(path, 0o644)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def largest(cluster, name):
    """Number of the largest data object."""
    folder = cluster.backup_path(name)
    return max((entry for entry in os.listdir(folder) if entry.isdigit()),
               key=lambda entry: os.path.getsize(os.path.join(folder, entry)))


def refuse_restore(tablet):
    with pytest.raises(wire.RpcError) as caught_error:
        tablet.manager.events("RestoreFromBackup", timeout=180)
    assert caught_error.value.details()
    return caught_error.value.details()


def untouched(cluster, primary, tablet, rows):
    """Nothing local was deleted: same rows, in service."""
    assert not os.path.exists(os.path.join(tablet.directory, "restore_in_progress"))
    wait_for(lambda: tablet.rows("t") >= rows, "the rows are still there")
    in_service(cluster, primary, tablet)


def damage_missing(cluster, name):
    os.unlink(cluster.backup_path(name, largest(cluster, name)))


def damage_truncated(cluster, name):
    path = cluster.backup_path(name, largest(cluster, name))
    os.truncate(path, os.path.getsize(path) // 2)


def damage_torn(cluster, name):
    path = cluster.backup_path(name, "MANIFEST")
    os.truncate(path, os.path.getsize(path) // 2)


def damage_no_manifest(cluster, name):
    os.unlink(cluster.backup_path(name, "MANIFEST"))


def damage_names(cluster, name):
    changed = manifest(cluster, name)
    changed["FileEntries"][0]["Name"] = "../../../../escaped"
    write_manifest(cluster, name, json.dumps(changed, indent=2))


def damage_absolute(cluster, name):
    changed = manifest(cluster, name)
    changed["FileEntries"][-1]["Name"] = f"{cluster.run.directory}/escaped"
    write_manifest(cluster, name, json.dumps(changed, indent=2))


def damage_huge(cluster, name):
    os.truncate(cluster.backup_path(name, "MANIFEST"), 10 << 30)


def damage_deep(cluster, name):
    write_manifest(cluster, name, "[" * 200000)


DAMAGES = {"a missing object": damage_missing, "a truncated object": damage_truncated,
           "a torn MANIFEST": damage_torn, "no MANIFEST": damage_no_manifest,
           "a name that leaves the folder": damage_names, "an absolute name": damage_absolute,
           "a MANIFEST of 10 GB": damage_huge, "a MANIFEST of brackets": damage_deep}


def test_a_backup_that_cannot_be_restored_costs_no_local_data(backed_up):
    cluster, primary, tablet, name = backed_up
    pristine = cluster.backup_path(name) + ".pristine"
    folder = cluster.backup_path(name)
    shutil.move(folder, os.path.join(cluster.run.directory, "pristine"))
    pristine = os.path.join(cluster.run.directory, "pristine")
    rows = primary.rows("t")
    try:
        for what, damage in DAMAGES.items():
            subprocess.run(["cp", "-a", pristine, folder], check=True)
            damage(cluster, name)
            print(what, "->", refuse_restore(tablet))
            untouched(cluster, primary, tablet, rows)
            assert not os.path.exists(os.path.join(cluster.run.directory, "escaped"))
            shutil.rmtree(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.move(pristine, folder)
    tablet.manager.events("RestoreFromBackup", timeout=180)


def test_a_corrupted_object_costs_no_local_data_and_the_restore_can_be_done_again(backed_up):
    cluster, primary, tablet, name = backed_up
    path = cluster.backup_path(name, largest(cluster, name))
    os.chmod(path, 0o644)
    faults.flip_byte(path)
    details = refuse_restore(tablet)
    assert largest(cluster, name) in details or "crc" in details.lower() or "hash" in details.lower(), details
    untouched(cluster, primary, tablet, 10)
    faults.flip_byte(path)
    tablet.manager.events("RestoreFromBackup", timeout=180)
    in_service(cluster, primary, tablet)


def test_a_damaged_newest_backup_does_not_hide_an_older_good_one(backed_up):
    cluster, primary, tablet, name = backed_up
    newer = name.replace(name[:4], "2199", 1)
    subprocess.run(["cp", "-a", cluster.backup_path(name), cluster.backup_path(newer)], check=True)
    damage_torn(cluster, newer)
    tablet.manager.events("RestoreFromBackup", timeout=180)
    in_service(cluster, primary, tablet)


def test_a_restore_whose_worker_is_killed_twice_leaves_a_clear_state_and_the_next_start_restores(backed_up):
    cluster, primary, tablet, _ = backed_up
    marker = os.path.join(tablet.directory, "restore_in_progress")
    call, worker = caught_in_the_middle(
        tablet, lambda: tablet.manager.events("RestoreFromBackup", timeout=180),
        lambda: os.path.exists(marker), between=lambda: in_service(cluster, primary, tablet))
    faults.kill(worker)
    second = faults.stop_worker(tablet, call)
    assert second is not None
    faults.kill(second)
    call.failure(180)
    assert os.path.exists(marker)
    if tablet.agent.is_alive():
        tablet.agent.stop()
    tablet.start_agent()
    in_service(cluster, primary, tablet)
    assert not os.path.exists(marker)


def test_a_mysqld_killed_as_a_restored_tablet_joins_its_shard_replicates_all_the_same(backed_up):
    """Its source is set after the data is in place, and nobody else would set it."""
    cluster, primary, tablet, _ = backed_up
    call = Background(tablet.manager.events, "RestoreFromBackup", timeout=180)
    marker = os.path.join(tablet.directory, "restore_in_progress")
    wait_for(lambda: os.path.exists(marker), "the data is being replaced", 60)
    wait_for(lambda: not os.path.exists(marker), "the data is in place", 120)
    tablet.kill_mysqld()
    wait_for(call.done, "the restore has ended", 180)
    in_service(cluster, primary, tablet)


def test_an_agent_killed_in_the_middle_of_a_restore_restores_at_its_next_start(backed_up):
    cluster, primary, tablet, _ = backed_up
    marker = os.path.join(tablet.directory, "restore_in_progress")
    call, worker = caught_in_the_middle(
        tablet, lambda: tablet.manager.events("RestoreFromBackup", timeout=180),
        lambda: os.path.exists(marker), between=lambda: in_service(cluster, primary, tablet))
    tablet.agent.kill()
    faults.resume(worker)
    call.failure(180)
    tablet.start_agent()
    in_service(cluster, primary, tablet)
    assert not os.path.exists(marker)


def test_a_dry_run_changes_nothing(backed_up):
    cluster, primary, tablet, _ = backed_up
    pid = tablet.mysqld_pid()
    assert tablet.manager.events("RestoreFromBackup", timeout=180, dry_run=True)
    assert tablet.mysqld_pid() == pid
    in_service(cluster, primary, tablet)


def test_two_callers_at_once_get_one_backup(shard, rdonly):
    cluster, _, _ = shard
    calls = [Background(backup, rdonly) for _ in range(2)]
    events = [call.result(180) for call in calls]
    attached = [lines for lines in events if lines[0].startswith("attached to the running backup-")]
    assert len(attached) <= 1, events
    assert len(cluster.complete_backups()) == 2 - len(attached)
