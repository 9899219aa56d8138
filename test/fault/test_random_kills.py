"""SIGKILL at random moments of backups and restores: the worker, the agent, the supervisor, the guard of a
pause, mysqld. Whatever was hit, afterwards mysqld serves, the type is right, replication runs, and a backup
is listed as complete only when every byte of it is right. FAULT_ROUNDS rounds in all, shared by the servers;
FAULT_SEED repeats a run."""
import os
import random
import shutil
import threading
import time

import pytest

from vtharness import faults, servers
from vtharness.cluster import Cluster
from vtharness.filesystem import mount_xfs
from vtharness.process import children_of, command_of
from vtharness.run import Run
from vtharness.wait import wait_for

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "200"))
SEED = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(1 << 30))
JOBS = ("freeze", "stop", "restore")
VICTIMS = ("worker", "agent", "supervisor", "guard", "mysqld", "agent and worker")
PATIENCE = 240


@pytest.fixture(scope="module")
def shard(flavor):
    with Run("kills") as run:
        cluster = Cluster(run, flavor)
        try:
            mount_xfs(run, cluster.data_root)
        except pytest.skip.Exception:
            print("no file system that shares blocks here: mysqld is stopped for every backup")
        primary, (rdonly,) = cluster.start_shard(("replica", "rdonly"))
        cluster.insert(primary, 50, "y" * 150)
        cluster.wait_rows(rdonly, 50)
        yield cluster, primary, rdonly


def begin(tablet, job):
    if job == "restore":
        return tablet.manager.events("RestoreFromBackup", timeout=PATIENCE)
    # An upgrade-safe backup needs a shutdown: mysqld is stopped for it on every file system.
    return tablet.manager.events("Backup", timeout=PATIENCE, concurrency=2, upgrade_safe=job == "stop")


def guard_of(tablet):
    for pid in children_of(tablet.supervisor.pid):
        if command_of(pid)[1:2] == ["guard"]:
            return pid
    return None


def kill(tablet, victim, call):
    """True when there was something to kill."""
    found = []
    if victim == "guard":
        while not found and not call.done():
            found = [guard_of(tablet)] if guard_of(tablet) else []
    elif victim == "mysqld":
        try:
            found = [tablet.mysqld_pid()]
        except (OSError, ValueError):
            pass
    elif victim in ("worker", "agent and worker"):
        found = [faults.worker_of(tablet)]
    found = [pid for pid in found if pid]
    if victim.startswith("agent"):
        tablet.agent.kill()
    if victim == "supervisor":
        tablet.supervisor.kill()
    for pid in found:
        faults.kill(pid)
    return bool(found) or victim.startswith(("agent", "supervisor"))


def answer(tablet, call):
    """What the machinery around it does: starts again what ended; an unfinished restore is begun anew."""
    if not tablet.supervisor.is_alive():
        tablet.start_supervisor(waits=False)
    call.join(PATIENCE)
    assert call.done(), "the call has no end"
    marker = os.path.join(tablet.directory, "restore_in_progress")
    if tablet.agent.is_alive() and not os.path.exists(marker):
        return
    tablet.agent.stop()
    tablet.start_agent()


def in_service(cluster, primary, tablet):
    tablet.wait_mysqld(PATIENCE)
    cluster.wait_type(tablet, "rdonly", PATIENCE)
    cluster.wait_following(tablet, primary, PATIENCE)
    cluster.insert(primary)
    wait_for(lambda: tablet.rows("t") == primary.rows("t"), "new rows arrive", PATIENCE)
    wait_for(lambda: faults.worker_of(tablet) is None and not tablet.full_status().replication_status.backup_running,
             "no job is left", PATIENCE)


def complete(cluster):
    return [name for name in cluster.backups() if os.path.exists(cluster.backup_path(name, "MANIFEST"))]


def check_backups(cluster, primary):
    """Complete ones are right in every byte; and the shard's storage stays small."""
    for name in complete(cluster):
        done = cluster.run.command([
            cluster.run.vtagent(), "job", "--mode=read-back", "--verify=full", "--concurrency=2", f"--name={name}",
            "--storage-implementation=file", f"--file-root={cluster.backup_root}",
            f"--keyspace={cluster.keyspace}", f"--shard={cluster.shard}", f"--alias={primary.alias}"])
        assert done.returncode == 0, f"{name} is listed as complete\n{done.stdout}"
    for name in complete(cluster)[:-2]:
        shutil.rmtree(cluster.backup_path(name))


def one_round(cluster, primary, tablet, chooser, typical):
    job, victim = chooser.choice(JOBS), chooser.choice(VICTIMS)
    delay = chooser.uniform(0, typical[job])
    if victim == "guard":  # it lives for some milliseconds, and is waited for
        job, delay = "freeze", 0
    call = faults.Background(begin, tablet, job)
    threading.Event().wait(delay)  # the one thing that is not a condition: any moment will do
    was_hit = kill(tablet, victim, call)
    answer(tablet, call)
    in_service(cluster, primary, tablet)
    check_backups(cluster, primary)
    outcome = "ended well" if call.error is None else str(getattr(call.error, "details", lambda: call.error)())
    return f"{job}, {victim} {'killed' if was_hit else 'not there'} after {delay:.2f} s: {outcome[:150]}"


def measure(cluster, primary, tablet):
    """Seconds that each job takes when nothing happens to it."""
    typical = {}
    for job in JOBS:
        start = time.monotonic()
        begin(tablet, job)
        typical[job] = time.monotonic() - start
        in_service(cluster, primary, tablet)
    print(", ".join(f"{job} {seconds:.1f} s" for job, seconds in typical.items()))
    return typical


def test_whatever_is_killed_the_tablet_serves_again_and_no_listed_backup_is_wrong(shard):
    cluster, primary, tablet = shard
    chooser = random.Random(SEED)
    rounds = max(1, ROUNDS // max(1, len(servers.flavors())))
    print(f"seed {SEED}, {rounds} rounds")
    typical = measure(cluster, primary, tablet)
    for number in range(rounds):
        try:
            text = one_round(cluster, primary, tablet, chooser, typical)
        except BaseException:
            print(f"round {number + 1} of seed {SEED} went wrong")
            raise
        print(f"{number + 1}: {text}")
    begin(tablet, "freeze")
    in_service(cluster, primary, tablet)
    check_backups(cluster, primary)
    assert complete(cluster)
