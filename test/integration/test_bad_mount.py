"""Backups on a mount that misbehaves (a FUSE file system plays it): whatever it does, mysqld serves
again, and what is listed as complete can be restored."""
import contextlib
import json
import os
import re
import time

import pytest

from vtharness import wire
from vtharness.badmount import BadMount
from vtharness.cluster import Cluster
from vtharness.faults import Background, Repeated
from vtharness.health import get
from vtharness.wait import wait_for

pytestmark = pytest.mark.skipif(not BadMount.can_be_had(), reason="FUSE needs root and /dev/fuse")
STORAGE_TIMEOUT = 2.0


@pytest.fixture(scope="module")
def shard(module_run, one_flavor):
    """A primary and a rdonly; the backups of both are on the bad mount."""
    cluster = Cluster(module_run, one_flavor, agent_flags=[
        "--backup-quiesce=stop", "--backup-verify=full", "--onterm-timeout=20s",
        f"--storage-timeout={STORAGE_TIMEOUT:g}s"])
    backing = module_run.folder("backing")
    with BadMount(backing, cluster.backup_root) as mount:
        cluster.start_shard(("replica", "rdonly"))
        yield cluster, mount, backing


@contextlib.contextmanager
def hanging(mount, *operations, **how):
    """For a while; a failure's report would hang too."""
    for operation in operations:
        mount.set(operation, "hang", **how)
    try:
        yield
    finally:
        mount.clear()


@pytest.fixture
def rdonly(shard):
    """In service before each test and after it, and no backups before."""
    cluster, mount, _ = shard
    mount.clear()
    for name in cluster.backups():
        cluster.ctl("RemoveBackup", cluster.shard_name, name)
    yield cluster.tablets[101]
    mount.clear()
    in_service(cluster)
    wait_for(lambda: not stuck(cluster.tablets[101]), "the kernel lets go of the workers")


def in_service(cluster):
    cluster.wait_in_service(cluster.tablets[101], cluster.tablets[100])
    assert cluster.tablets[101].is_read_only()


def back_up(tablet):
    return tablet.manager.events("Backup", timeout=180, concurrency=2)


def stuck(tablet):
    return list(tablet.own_service.call("Jobs", timeout=10).stuck_workers)


def is_held(pid):
    """Whether the kernel holds one of its threads; the first thread may be gone already."""
    states = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii", errors="replace") as file:
                states.append(file.read().rpartition(")")[2].split()[0])
    return "D" in states


def all_are_good(cluster):
    """What is listed as complete passes a verification of every byte; their number."""
    names = cluster.complete_backups()
    for name in names:
        cluster.ctl("VerifyBackup", cluster.shard_name, name)
    return len(names)


FAILING = {
    "write EIO": ("write", "EIO", {"after": 4}, "Input/output error"),
    "sync EIO": ("sync", "EIO", {"after": 1}, "Input/output error"),
    "close EIO": ("flush", "EIO", {"after": 1}, "Input/output error"),
    "write ENOSPC": ("write", "ENOSPC", {"after": 4}, "backup storage is full"),
    "close EDQUOT": ("flush", "EDQUOT", {"after": 1}, "quota"),
    "write ESTALE": ("write", "ESTALE", {"after": 3}, "mount it again"),
    "mkdir EROFS": ("mkdir", "EROFS", {}, "mount the backup storage read-write"),
    "create EACCES": ("create", "EACCES", {"after": 1}, "we are uid"),
    "lost writes": ("write", "lose", {"after": 2}, "has lost them"),
    "writes that left holes": ("write", "hole", {"after": 2, "times": 2}, "stored wrongly"),
    "torn rename of the MANIFEST": ("link", "torn", {"only": "MANIFEST"}, "Input/output error"),
}


@pytest.mark.parametrize("fault", FAILING)
def test_a_backup_that_fails_is_not_listed_and_nothing_stays_stopped(shard, rdonly, fault):
    cluster, mount, _ = shard
    operation, what, how, text = FAILING[fault]
    mount.set(operation, what, **how)
    with pytest.raises(wire.RpcError) as failure:
        back_up(rdonly)
    assert text in failure.value.details(), failure.value.details()
    assert mount.counts()[operation] > 0
    mount.clear()
    in_service(cluster)
    assert all_are_good(cluster) == 0


def test_answers_that_only_a_network_file_system_gives_are_understood(shard, rdonly):
    cluster, mount, _ = shard
    mount.set("mkdir", "twice", only="zone1-")
    mount.set("link", "twice", only="MANIFEST")
    mount.set("remove", "twice")
    mount.set("create", "ESTALE", times=1, after=1)
    mount.set("read", "ESTALE", times=2, after=2)
    mount.set("sync", "slow", times=3)
    before = mount.counts()
    back_up(rdonly)
    happened = {name for name, count in mount.counts().items() if count > before.get(name, 0)}
    assert happened == {"mkdir", "link", "remove", "create", "read", "sync"}
    mount.clear()
    assert all_are_good(cluster) == 1


def is_reported(tablet):
    """Jobs, metric and the sentence of health all know of one stuck worker."""
    workers, metrics = stuck(tablet), get(tablet, "/metrics")[1]
    sentence = get(tablet, "/debug/status?format=text")[1].split("state ")[1].split("\n")[0]
    return (len(workers) >= 1 and re.search(r"^vtagent_job_stuck_workers [1-9]", metrics, re.M)
            and "hang in the backup storage" in sentence and workers[0].pid)


@pytest.mark.parametrize("operation", ["write", "mkdir"])
def test_a_mount_that_hangs_fails_the_backup_and_holds_up_nobody(shard, rdonly, operation):
    cluster, mount, _ = shard
    asked = [Repeated(lambda: rdonly.call("Ping", payload="x", timeout=10)),
             Repeated(lambda: rdonly.own_service.call("Jobs", timeout=10)),
             Repeated(lambda: get(rdonly, "/healthz"))]
    begin = time.monotonic()
    how = {"only": "zone1-"} if operation == "mkdir" else {"after": 2}
    with hanging(mount, operation, **how):
        call = Background(back_up, rdonly)
        wait_for(mount.waiting, "somebody waits for the mount", 60, interval=0.05)
        hung = time.monotonic()
        error = call.failure(60)
        assert time.monotonic() - hung < STORAGE_TIMEOUT + 25
        assert "does not answer" in error.details()
        assert operation.replace("mkdir", "create folder") in error.details()
        in_service(cluster)
        rdonly.call("FullStatus", timeout=10)
        wait_for(lambda: is_reported(rdonly), "the stuck worker is reported")
        pid = stuck(rdonly)[0].pid
        assert is_held(pid)
        for repeated in asked:
            repeated.stop()
            assert repeated.count > time.monotonic() - begin and repeated.longest < 5.0
    wait_for(lambda: not is_held(pid) and not stuck(rdonly), "the kernel has let go, and nobody is reported")
    assert "has ended after" in rdonly.agent.log()
    assert all_are_good(cluster) == 0


def test_an_agent_stops_in_time_and_starts_while_its_storage_hangs(shard, rdonly):
    cluster, mount, _ = shard
    with hanging(mount, "write", after=2):
        call = Background(back_up, rdonly)
        wait_for(mount.waiting, "somebody waits for the mount", 60, interval=0.05)
        begin = time.monotonic()
        rdonly.agent.stop(40)
        assert time.monotonic() - begin < 25
        call.failure(60)
        with hanging(mount, "lookup", "list"):
            rdonly.start_agent()
            in_service(cluster)
    assert all_are_good(cluster) == 0
    back_up(rdonly)
    assert all_are_good(cluster) == 1


def doctor(cluster, tablet, *flags):
    """(exit status, verdict by check, everything it says)."""
    done = cluster.run.command([cluster.run.vtagent(), "doctor", "--json", *tablet.agent.argv[2:], *flags],
                               env=cluster.server_env, deadline=60)
    checks = json.loads(done.stdout)["checks"]
    return done.returncode, {check["name"]: check["verdict"] for check in checks}, done.stdout


ROWS = {"data-files", "data-mount", "data-reflinks", "storage-open", "backups", "storage-mount", "storage-own-disk", "storage-list",
        "storage-create", "storage-read", "storage-delete", "storage-speed", "storage-space", "server-connect",
        "server-account-dba", "server-account-app", "server-account-repl", "server-binlog",
        "server-binlog-retention"}


def test_the_doctor_says_what_is_wrong_and_changes_nothing(shard, rdonly):
    cluster, mount, _ = shard
    code, verdicts, text = doctor(cluster, rdonly)
    assert set(verdicts) == ROWS and "failed" not in verdicts.values() and code == 1, text
    assert verdicts["backups"] == "warning" and "fuse.bad" in text
    back_up(rdonly)
    before = rdonly.value("SELECT @@global.binlog_expire_logs_seconds")
    rdonly.sql("SET GLOBAL binlog_expire_logs_seconds = 1")
    code, verdicts, text = doctor(cluster, rdonly)
    rdonly.sql(f"SET GLOBAL binlog_expire_logs_seconds = {before}")
    assert (code, verdicts["backups"], verdicts["server-binlog-retention"]) == (2, "ok", "failed"), text
    for operation, what, row in (("create", "EACCES", "storage-create"), ("write", "ENOSPC", "storage-create"),
                                 ("sync", "EIO", "storage-create"), ("read", "EIO", "storage-read"),
                                 ("list", "EIO", "storage-list"), ("remove", "EACCES", "storage-delete")):
        mount.set(operation, what, only=".probe" if operation in ("create", "remove") else "")
        code, verdicts, text = doctor(cluster, rdonly)
        mount.clear()
        assert code == 2 and verdicts[row] == "failed" and verdicts["server-account-dba"] == "ok", (row, text)
    assert "lacks SUPER" in doctor(cluster, rdonly, "--db-dba-user=vt_app")[2]


def test_the_doctor_is_not_held_up_by_a_mount_that_hangs(shard, rdonly):
    cluster, mount, _ = shard
    begin = time.monotonic()
    with hanging(mount, "sync"):
        code, verdicts, text = doctor(cluster, rdonly)
    assert code == 2 and verdicts["storage-answer"] == "failed" and "does not answer" in text, text
    assert verdicts["server-account-dba"] == "ok" and time.monotonic() - begin < STORAGE_TIMEOUT + 15


def test_a_list_of_backups_ends_although_the_mount_hangs(shard, rdonly):
    cluster, mount, _ = shard
    back_up(rdonly)
    with hanging(mount, "list"):
        listing = cluster.run.start("list", cluster.ctl_argv("--storage-timeout=1s", "GetBackups",
                                                             cluster.shard_name))
        assert listing.wait(20) == 1
    assert "does not answer: list" in listing.log()


def test_a_fresh_manifest_that_the_cache_of_the_mount_hides_is_waited_for(shard, rdonly):
    cluster, mount, backing = shard
    back_up(rdonly)
    (name,) = cluster.backups()
    path = os.path.join(backing, cluster.shard_name, name, "MANIFEST")
    os.rename(path, path + ".away")
    mount.cache(5)
    try:
        assert not os.path.exists(cluster.backup_path(name, "MANIFEST"))
        os.rename(path + ".away", path)
        assert not os.path.exists(cluster.backup_path(name, "MANIFEST")), "the cache does not hide it"
        cluster.ctl("VerifyBackup", cluster.shard_name, name)
    finally:
        mount.cache(0)
    assert all_are_good(cluster) == 1
