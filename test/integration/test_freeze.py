"""Backups without stopping mysqld: an image of its files is taken while it is paused for a moment. On a
file system of the test's own, because only few can share blocks."""
import json
import os
import shutil
import signal
import time

import pytest

from vtharness import faults, wire
from vtharness.cluster import Cluster
from vtharness.faults import Background, Repeated, caught_in_the_middle
from vtharness.filesystem import mount_xfs
from vtharness.process import command_of
from vtharness.run import Run
from vtharness.wait import wait_for

FILLER_ROWS = 4000


def shard_on(run, flavor, reflink=True, **options):
    """A primary and a rdonly whose data is on an XFS; (cluster, primary, rdonly)."""
    cluster = Cluster(run, flavor, **options)
    mount_xfs(run, cluster.data_root, reflink)
    primary, (rdonly,) = cluster.start_shard(("replica", "rdonly"))
    return cluster, primary, rdonly


@pytest.fixture(scope="module")
def shard(flavor):
    with Run("freeze") as run:
        cluster, primary, rdonly = shard_on(run, flavor)
        primary.sql("CREATE TABLE filler (id INT PRIMARY KEY AUTO_INCREMENT, a LONGBLOB)",
                    database=cluster.database)
        for _ in range(4):
            primary.sql("INSERT INTO filler (a) SELECT RANDOM_BYTES(1024) FROM information_schema.columns"
                        f" a, information_schema.columns b LIMIT {FILLER_ROWS}",
                        database=cluster.database, deadline=180)
        cluster.insert(primary, 10)
        cluster.wait_rows(rdonly, 10, deadline=180)
        yield cluster, primary, rdonly


@pytest.fixture
def tablets(shard):
    """In service before each test and after it, without backups and images."""
    cluster, primary, rdonly = shard
    for name in cluster.backups():
        shutil.rmtree(cluster.backup_path(name))
    yield cluster, primary, rdonly
    in_service(cluster, primary, rdonly)
    assert images(rdonly) == []


def in_service(cluster, primary, rdonly):
    cluster.wait_in_service(rdonly, primary)


def images(tablet):
    folder = os.path.join(tablet.directory, "vtagent_image")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def backup(tablet, **options):
    options.setdefault("concurrency", 1)
    return tablet.manager.events("Backup", timeout=180, **options)


def manifest(cluster, name):
    with open(cluster.backup_path(name, "MANIFEST"), encoding="utf-8") as file:
        return json.load(file)


def contents(tablet, cluster):
    return tablet.sql("SELECT COUNT(*), SUM(id), SUM(CRC32(v)) FROM t", database=cluster.database)


def under_load(cluster, primary, tablet, work):
    """Runs work() while three connections write and the tablet is asked; nothing may fail."""
    burst = "INSERT INTO t (v) VALUES (RAND());" * 100
    writers = [Repeated(lambda: primary.sql(burst, database=cluster.database)) for _ in range(3)]
    reader = Repeated(lambda: tablet.sql("SELECT COUNT(*) FROM t", database=cluster.database))
    wait_for(lambda: min(writer.count for writer in writers) > 2 and reader.count > 2, "the load is on")
    try:
        result = work()
    finally:
        for thread in (*writers, reader):
            thread.stop()
    print(f"{sum(writer.count for writer in writers) * 100} rows written, {reader.count} reads, the "
          f"longest {reader.longest:.3f} s")
    return result


def check_frozen(cluster, events, state="clean"):
    """The one backup says how it was made; its details."""
    (name,) = cluster.complete_backups()
    details = manifest(cluster, name)["VtagentDetails"]
    assert details["QuiesceMode"] == "freeze" and details["State"] == state, details
    assert 0 < details["UnavailableMs"] < 4000, details
    assert any("mysqld was unavailable for" in text for text in events), events
    assert not any("stopping mysqld" in text for text in events), events
    print(details["UnavailableMs"], "ms;", [text for text in events if "image" in text])
    return details


def restore_another(cluster, primary, uid, **options):
    """A new tablet from the newest backup; it has every row once it follows."""
    tablet = cluster.add(uid, "replica", **options)
    tablet.start()
    cluster.wait_following(tablet, primary, 180)
    assert "restore" in tablet.agent.log()
    wait_for(lambda: contents(tablet, cluster) == contents(primary, cluster),
             "the restored tablet has every row, once", 120)
    tablet.stop()


def test_a_replica_serves_all_along_and_its_backup_has_every_row(tablets):
    cluster, primary, rdonly = tablets
    pid = rdonly.mysqld_pid()
    kinds = set()

    def work():
        call = Background(backup, rdonly)
        while not call.done():
            kinds.add(rdonly.type_name())
            time.sleep(0.02)
        return call.result()
    events = under_load(cluster, primary, rdonly, work)
    check_frozen(cluster, events)
    assert kinds == {"rdonly"} and rdonly.mysqld_pid() == pid
    assert any("proven" in text for text in events), events
    in_service(cluster, primary, rdonly)
    restore_another(cluster, primary, 102)


def test_a_primary_takes_writes_all_along_and_its_backup_has_every_row(tablets):
    cluster, primary, _ = tablets
    pid = primary.mysqld_pid()
    events = under_load(cluster, primary, primary, lambda: backup(primary, allow_primary=True))
    check_frozen(cluster, events)
    assert primary.mysqld_pid() == pid and primary.type_name() in ("primary", "master")
    assert not primary.is_read_only() and images(primary) == []
    restore_another(cluster, primary, 103)


def test_an_image_that_was_not_proven_is_recovered_by_the_restore(tablets):
    cluster, primary, rdonly = tablets
    restart_agent(rdonly, "--backup-prove=none")
    try:
        check_frozen(cluster, under_load(cluster, primary, rdonly, lambda: backup(rdonly)), "crash")
    finally:
        restart_agent(rdonly)
    restore_another(cluster, primary, 104)


def restart_agent(tablet, *flags):
    tablet.agent.stop()
    tablet.agent.argv = [word for word in tablet.agent.argv
                         if not word.startswith(("--backup-prove", "--backup-quiesce", "--backup-rate"))]
    tablet.agent.argv += flags
    tablet.start_agent()


def caught_copying(cluster, tablet):
    def is_copying():
        names = cluster.backups()
        return bool(names) and bool(os.listdir(cluster.backup_path(names[-1])))

    def clear():
        for name in cluster.backups():
            shutil.rmtree(cluster.backup_path(name))
    return caught_in_the_middle(tablet, lambda: backup(tablet), is_copying, between=clear)


def test_while_it_copies_the_tablet_can_be_reparented_and_neither_backed_up_nor_restored(tablets):
    cluster, primary, rdonly = tablets
    call, worker = caught_copying(cluster, rdonly)
    assert rdonly.threads() == ("Yes", "Yes")
    assert rdonly.full_status().replication_status.backup_running
    rdonly.call("StopReplication")
    rdonly.call("StartReplication")
    cluster.wait_following(rdonly, primary)
    with pytest.raises(wire.RpcError) as second:
        backup(rdonly, concurrency=2)
    assert "a backup is already running" in second.value.details()
    with pytest.raises(wire.RpcError) as restore:
        rdonly.manager.events("RestoreFromBackup", timeout=60)
    assert "being copied" in restore.value.details()
    faults.resume(worker)
    check_frozen(cluster, call.result(180))
    assert not rdonly.full_status().replication_status.backup_running


def test_another_worker_goes_on_with_the_copy_of_a_killed_one(tablets):
    cluster, _, rdonly = tablets
    call, worker = caught_copying(cluster, rdonly)
    faults.kill(worker)
    events = call.result(180)
    check_frozen(cluster, events)
    assert any("resumed: " in text for text in events), events
    assert rdonly.threads() == ("Yes", "Yes")
    restore_another(cluster, tablets[1], 105)


def test_a_worker_killed_twice_fails_the_backup_and_drops_the_image(tablets):
    cluster, _, rdonly = tablets
    call, worker = caught_copying(cluster, rdonly)
    assert len(images(rdonly)) == 1
    faults.kill(worker)
    second = faults.stop_worker(rdonly, call)
    assert second is not None
    faults.kill(second)
    assert isinstance(call.failure(180), wire.RpcError)
    assert cluster.complete_backups() == [] and images(rdonly) == []
    assert rdonly.threads() == ("Yes", "Yes")


def test_a_canceled_backup_drops_the_image_and_lists_nothing(tablets):
    cluster, _, rdonly = tablets
    pid = rdonly.mysqld_pid()
    call, _ = caught_copying(cluster, rdonly)
    job = rdonly.running_job()
    assert job.phase == "copy" and job.backup_name in cluster.backups(), job
    assert rdonly.cancel_job(job.id) == [job.id]
    assert call.failure(20).code() == wire.Code.CANCELLED
    assert cluster.backups() == [] and images(rdonly) == []
    assert rdonly.mysqld_pid() == pid and rdonly.threads() == ("Yes", "Yes")
    assert rdonly.type_name() == "rdonly"
    assert rdonly.jobs()[job.id].state == "canceled"


def test_an_agent_killed_while_it_copies_goes_on_at_its_next_start(tablets):
    cluster, primary, rdonly = tablets
    call, worker = caught_copying(cluster, rdonly)
    rdonly.agent.kill()
    faults.kill(worker)
    call.failure(180)
    assert rdonly.threads() == ("Yes", "Yes")
    (name,) = cluster.backups()
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    wait_for(lambda: cluster.complete_backups() == [name], "the same backup is complete", 180)
    wait_for(lambda: images(rdonly) == [], "the image is dropped")
    assert "resumed: " in rdonly.agent.log()
    restore_another(cluster, primary, 106)


def test_a_supervisor_that_starts_keeps_the_image_of_a_running_backup_and_no_other(tablets):
    cluster, _, rdonly = tablets
    call, worker = caught_copying(cluster, rdonly)
    (name,) = images(rdonly)
    rdonly.supervisor.kill()
    folder = os.path.join(rdonly.directory, "vtagent_image", "nobodys", "data")
    os.makedirs(folder)
    for path in (os.path.dirname(folder), folder):
        cluster.run.user.give(path)
    rdonly.start_supervisor()
    wait_for(lambda: images(rdonly) == [name], "what nobody owns is removed")
    faults.resume(worker)
    check_frozen(cluster, call.result(180))


# ---- killed while mysqld is paused: many files make the pause long enough to be met ----
@pytest.fixture
def slow_pause(tablets):
    cluster, primary, rdonly = tablets
    folder = os.path.join(rdonly.directory, "data", "many")
    os.mkdir(folder)
    cluster.run.user.give(folder)
    for number in range(2500):
        path = os.path.join(folder, str(number))
        with open(path, "wb") as file:
            file.write(b"x" * 4096)
        cluster.run.user.give(path)
    yield cluster, primary, rdonly
    shutil.rmtree(folder)


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


def kill_while_paused(cluster, tablet, victim, attempts=8):
    """Kills a process of the tablet while its mysqld is stopped; the backup call."""
    pid = tablet.mysqld_pid()
    for _ in range(attempts):
        call = Background(backup, tablet)
        while not call.done():
            if state_of(pid) == "T":
                os.kill(victim.pid, signal.SIGKILL)
                victim.wait(30)
                return call
        call.join(180)
        for name in cluster.backups():
            shutil.rmtree(cluster.backup_path(name))
    raise AssertionError(f"mysqld was not met while it was paused, {attempts} times")


def test_mysqld_goes_on_when_the_supervisor_is_killed_while_it_is_paused(slow_pause):
    cluster, _, rdonly = slow_pause
    pid = rdonly.mysqld_pid()
    call = kill_while_paused(cluster, rdonly, rdonly.supervisor)
    wait_for(lambda: state_of(pid) != "T", "mysqld goes on without its supervisor")
    assert rdonly.sql("SELECT 1") == [("1",)]
    rdonly.start_supervisor()
    events = call.result(180)  # the agent asked the next supervisor
    assert len(cluster.complete_backups()) == 1, events
    assert rdonly.mysqld_pid() == pid


def test_replication_runs_again_after_an_agent_that_was_killed_while_mysqld_was_paused(slow_pause):
    cluster, primary, rdonly = slow_pause
    call = kill_while_paused(cluster, rdonly, rdonly.agent)
    call.failure(180)
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    wait_for(lambda: images(rdonly) == [], "the image is dropped")
    assert cluster.backups() == []


# ---- proof ----
def damage(path):
    """Overwrites all pages but the first few: those of the file's own administration."""
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(5 * 16384)
        file.write(os.urandom(size - 5 * 16384))


@pytest.fixture
def at_rest(tablets):
    """The rdonly does not execute anything, and what it did is in its redo log."""
    cluster, _, rdonly = tablets
    rdonly.call("StopReplication")
    rdonly.sql("FLUSH LOCAL ENGINE LOGS")
    yield cluster, rdonly
    rdonly.call("StartReplication")


def test_the_proof_finds_a_damaged_image(at_rest):
    cluster, rdonly = at_rest
    with_supervisor = wire.supervisor(rdonly.control_socket)
    frozen = with_supervisor.call("Freeze", image_name="damaged")
    good = with_supervisor.call("ProveImage", timeout=180, image_name="damaged", checks_tables=True)
    assert good.problem == "" and good.tables > 2, good
    damage(os.path.join(frozen.image_path, "data", cluster.database, "filler.ibd"))
    proof = with_supervisor.call("ProveImage", timeout=180, image_name="damaged", checks_tables=True)
    assert "no good" in proof.problem and "filler" in proof.problem, proof
    print(proof.problem)
    with_supervisor.call("DropImage", image_name="damaged")
    assert images(rdonly) == []


def test_an_image_whose_position_is_not_the_recorded_one_is_no_good(at_rest):
    cluster, rdonly = at_rest
    with_supervisor = wire.supervisor(rdonly.control_socket)
    with_supervisor.call("Freeze", image_name="early")
    ahead = ("MariaDB/0-100-99999999" if cluster.flavor.is_mariadb else
             "MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5")
    proof = with_supervisor.call("ProveImage", timeout=180, image_name="early", position=ahead)
    assert "its position" in proof.problem, proof
    with_supervisor.call("DropImage", image_name="early")


def test_a_table_that_is_damaged_on_disk_fails_the_backup(tablets):
    cluster, primary, rdonly = tablets
    primary.sql("CREATE TABLE cold LIKE filler; INSERT INTO cold SELECT * FROM filler LIMIT 3000",
                database=cluster.database, deadline=180)
    wait_for(lambda: rdonly.rows("cold") == 3000, "the table is there")
    rdonly.sql("SET GLOBAL innodb_max_dirty_pages_pct = 0")
    wait_for(lambda: dirty_pages(rdonly) == 0, "its pages are on disk", 120)
    damage(os.path.join(rdonly.directory, "data", cluster.database, "cold.ibd"))
    restart_agent(rdonly, "--backup-prove=tables")
    try:
        with pytest.raises(wire.RpcError) as refused:
            backup(rdonly)
        assert refused.value.code() == wire.Code.DATA_LOSS, refused.value
        assert "cold" in refused.value.details()
        assert cluster.backups() == [] and images(rdonly) == []
        assert rdonly.threads() == ("Yes", "Yes")
    finally:
        restart_agent(rdonly)
        primary.sql("DROP TABLE cold", database=cluster.database)


def dirty_pages(tablet):
    return int(tablet.sql("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")[0][1])


# ---- a file system that is full ----
@pytest.fixture
def filler(tablets):
    """fill(left_bytes) takes all other room of the tablets' file system; without it: gives it back."""
    cluster, _, _ = tablets
    path = os.path.join(cluster.data_root, "filler")

    def fill(left_bytes=None):
        if os.path.exists(path):
            os.unlink(path)
        if left_bytes is not None:
            state = os.statvfs(cluster.data_root)
            with open(path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, state.f_bavail * state.f_frsize - left_bytes)
    yield fill
    fill()


def test_a_file_system_that_runs_full_while_it_copies_ends_the_backup_and_drops_the_image(tablets, filler):
    cluster, primary, rdonly = tablets
    restart_agent(rdonly, "--backup-rate-limit=10M")  # room is looked at about once a second
    try:
        call, worker = caught_copying(cluster, rdonly)
        filler(500 << 20)
        faults.resume(worker)
        error = call.failure(180)
        assert error.code() == wire.Code.RESOURCE_EXHAUSTED and "runs full" in error.details(), error
        assert cluster.complete_backups() == [] and images(rdonly) == []
        in_service(cluster, primary, rdonly)
    finally:
        restart_agent(rdonly)


def test_without_room_for_an_image_mysqld_is_stopped_instead(tablets, filler):
    cluster, _, rdonly = tablets
    filler(500 << 20)
    events = backup(rdonly)
    assert any("runs full" in text for text in events), events
    assert manifest(cluster, cluster.complete_backups()[0])["VtagentDetails"]["QuiesceMode"] == "stop"


def test_a_restore_that_met_a_full_disk_goes_on_when_there_is_room(tablets, filler):
    cluster, primary, rdonly = tablets
    backup(rdonly)
    marker = os.path.join(rdonly.directory, "restore_in_progress")
    call, worker = caught_in_the_middle(
        rdonly, lambda: rdonly.manager.events("RestoreFromBackup", timeout=180),
        lambda: os.path.exists(marker) and "--mode=restore-copy" in command_of(faults.worker_of(rdonly)),
        between=lambda: in_service(cluster, primary, rdonly))
    filler(64 << 10)
    faults.resume(worker)
    error = call.failure(180)
    assert "No space left" in error.details() or "full" in error.details(), error
    assert os.path.exists(marker)
    filler()
    rdonly.agent.stop()
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    assert not os.path.exists(marker)


# ---- the other way ----
def test_an_upgrade_safe_backup_stops_mysqld(tablets):
    cluster, _, rdonly = tablets
    pid = rdonly.mysqld_pid()
    events = backup(rdonly, upgrade_safe=True)
    assert any("upgrade-safe backup needs a shutdown" in text for text in events), events
    assert manifest(cluster, cluster.complete_backups()[0])["VtagentDetails"]["QuiesceMode"] == "stop"
    assert rdonly.mysqld_pid() != pid


def test_without_shared_blocks_mysqld_is_stopped_and_the_log_says_why(one_flavor):
    with Run("nofreeze") as run:
        cluster, primary, rdonly = shard_on(run, one_flavor, reflink=False)
        events = backup(rdonly)
        assert any("mysqld is stopped for the copy" in text and "cannot share blocks" in text
                   for text in events), events
        assert manifest(cluster, cluster.complete_backups()[0])["VtagentDetails"]["QuiesceMode"] == "stop"
        in_service(cluster, primary, rdonly)
        restart_agent(rdonly, "--backup-quiesce=freeze")
        with pytest.raises(wire.RpcError) as refused:
            backup(rdonly)
        assert refused.value.code() == wire.Code.FAILED_PRECONDITION
        assert "cannot share blocks" in refused.value.details()
        in_service(cluster, primary, rdonly)
