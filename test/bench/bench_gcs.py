#!/usr/bin/python3
"""Backup and restore in a bucket that is far away (20 ms, 80 MB/s a connection), beside real vttablet's own
GCS backend in one run, and with 5 % of the requests failing. Ratios are judged, because seconds depend on
the machine; so does the emulator, whose own speed and processor time are printed. Exit status 1 when a
target is missed. Arguments: "speed", "faults"; none: both."""
import datetime
import json
import os
import shutil
import statistics
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "harness"))
sys.path.insert(0, os.path.join(TOP, "test", "bench"))

import backup_data  # noqa: E402
import bench_backup as base  # noqa: E402
import measure  # noqa: E402
from slow_gcs import DELAY_MS, MB_PER_S, SlowGcs  # noqa: E402
from vtharness import faults, filesystem, gcs, servers, vitess  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.gcs import GcsCluster  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.run import Run  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.tokens import TokenServer  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.vitess import Control, MixedTablet  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.wait import wait_for  # noqa: E402  pylint: disable=wrong-import-position

MEGABYTES = float(os.environ.get("BENCH_MB", "1100"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
FAULT_ROUNDS = int(os.environ.get("FAULT_ROUNDS", "50"))
FAULT_MB = float(os.environ.get("FAULT_MB", "100"))
FAULTS = 5.0  # % of requests
MOST_MEMORY_MB = 96


# ---- the shard ----
def start(run, flavor, megabytes):
    """(cluster, primary) with that much data; its bucket is behind the proxy."""
    bucket = SlowGcs(run).go()
    cluster = GcsCluster(run, flavor, bucket=bucket, small=base.SERVER)
    if os.geteuid() == 0 and shutil.which("mkfs.xfs"):
        filesystem.mount_xfs(run, cluster.data_root, size=24 << 30)
    cluster.server_env.update(TokenServer(run).environment())
    cluster.start_topology().register()
    cluster.control = Control(cluster, env=cluster.server_env).start()
    primary = cluster.add(100).start()
    cluster.wait_registered(primary)
    cluster.make_primary(primary)
    cluster.row_count = backup_data.fill(primary, cluster.database, megabytes)
    return cluster, primary


class Figures:
    """Rounds of one kind: seconds of the command, the emulator's processor time, the worker's peak memory;
    of restores also the seconds that are not copying."""

    def __init__(self):
        self.seconds, self.emulator, self.around, self.peak = [], [], [], 0.0

    @property
    def mean(self):
        return statistics.mean(self.seconds)


def watch_worker(tablet, figures):
    def look():
        pid = faults.worker_of(tablet)
        if pid:
            figures.peak = max(figures.peak, measure.peak_mb(pid))
    return measure.Watch(look)


def timed(cluster, tablet, figures, is_ours, action):
    watch = watch_worker(tablet, figures) if is_ours else None
    before, begin = cluster.gcs.cpu_seconds(), time.monotonic()
    action()
    figures.seconds.append(time.monotonic() - begin)
    figures.emulator.append(cluster.gcs.cpu_seconds() - before)
    if watch:
        watch.stop()


def copying_seconds(log):
    """Between two lines of the agent's log."""
    times = [json.loads(line)["time"] for line in log.splitlines()
             if '"copying backup ' in line or '"restored: not serving' in line]
    first, last = (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) for text in times)
    return (last - first).total_seconds()


def back_up(cluster, tablet, figures, is_ours):
    for path in base.data_files(tablet):
        measure.read_all(path)
    for name in cluster.backups():
        cluster.ctl("RemoveBackup", cluster.shard_name, name)
    timed(cluster, tablet, figures, is_ours, lambda: base.backup(cluster, tablet))
    cluster.wait_type(tablet, "rdonly")
    wait_for(lambda: tablet.threads() == ("Yes", "Yes"), "replication runs", 120)


def restore(cluster, uid, figures, is_ours):
    """From the agent's start over an empty server until it serves with all rows."""
    tablet = cluster.add(uid) if is_ours else MixedTablet(cluster, uid, agent="vttablet", supervisor="mysqlctld")
    tablet.start_supervisor()

    def act():
        tablet.agent.start()
        wait_for(lambda: tablet.type_name() == "replica" and tablet.follows(cluster.tablets[100]),
                 f"{tablet.alias} serves", base.DEADLINE, interval=0.02)
    timed(cluster, tablet, figures, is_ours, act)
    assert tablet.rows("data0") == cluster.row_count
    if is_ours:
        figures.around.append(figures.seconds[-1] - copying_seconds(tablet.agent.log()))
    tablet.stop()
    cluster.tablets.pop(uid)
    cluster.ctl("DeleteTablets", tablet.alias)
    shutil.rmtree(tablet.directory)


# ---- side by side ----
def report_emulator(run):
    """Both of its backends; the quicker one to write to, memory, is used. Real buckets compose without moving a
    byte; the emulator copies and sums up all of it, and for a session everything so far with each step."""
    for backend in ("memory", "filesystem"):
        bucket = SlowGcs(run, backend)
        found = bucket.raw_speed()
        bucket.process.stop()
        print(f"  the emulator by itself, in {backend}, without the proxy: " + ", ".join(
            f"{name} {value:.0f} MB/s" for name, value in found.items()), flush=True)


def report_ceilings(cluster, ours, mine):
    size = measure.size_of(base.data_files(ours))
    seconds = measure.seconds_to_write(os.path.join(cluster.data_root, "zeros"), size)
    base.row("ceiling: the disk takes the data", seconds, "s")
    base.row("  of our restore: mysqld ends, and starts again", min(mine.around), "s")


def report_kind(name, mine, theirs):
    base.row(f"{name}, Vitess", min(theirs.seconds), "s")
    base.row("  of it the emulator's processor time", min(theirs.emulator), "s")
    base.row(f"{name}, ours, against Vitess", min(mine.seconds), "s", 0.3, min(theirs.seconds))
    base.row("  of it the emulator's processor time", min(mine.emulator), "s")
    base.row("  against Vitess, had its requests cost the emulator nothing", min(mine.seconds), "s", None,
             max(0.1, min(theirs.seconds) - min(theirs.emulator)))
    base.row("  peak memory of the worker", mine.peak, "MB", MOST_MEMORY_MB)


def measure_speed(cluster, ours, theirs):
    """Figures of (backup, restore) without faults, ours."""
    kinds = {key: Figures() for key in ("b1", "b0", "r1", "r0")}
    uid = 200
    for _ in range(ROUNDS):
        for tablet, is_ours in ((theirs, False), (ours, True)):
            uid += 1
            back_up(cluster, tablet, kinds[f"b{is_ours:d}"], is_ours)
            restore(cluster, uid, kinds[f"r{is_ours:d}"], is_ours)
            print(f"  {'ours' if is_ours else 'Vitess'}: backup {kinds[f'b{is_ours:d}'].seconds[-1]:.1f} s, "
                  f"restore {kinds[f'r{is_ours:d}'].seconds[-1]:.1f} s", flush=True)
    report_kind("backup", kinds["b1"], kinds["b0"])
    report_kind("restore", kinds["r1"], kinds["r0"])
    report_ceilings(cluster, ours, kinds["r1"])
    return kinds["b1"], kinds["r1"]


def measure_large_faults(cluster, ours, calm):
    backup, restored = Figures(), Figures()
    cluster.gcs.go(FAULTS)
    for turn in range(ROUNDS):
        back_up(cluster, ours, backup, True)
        restore(cluster, 300 + turn, restored, True)
    print_faults(cluster.gcs.go().counts)
    base.row(f"backup, {FAULTS:g} % of the requests fail, mean", backup.mean, "s", 1.3, calm[0].mean)
    base.row(f"restore, {FAULTS:g} % of the requests fail, mean", restored.mean, "s", 1.3, calm[1].mean)


def speed(flavor):
    with Run("bench-gcs") as run:
        report_emulator(run)
        cluster, primary = start(run, flavor, MEGABYTES)
        ours, theirs = base.add_tablets(cluster, primary)
        calm = measure_speed(cluster, ours, theirs)
        theirs.stop()
        measure_large_faults(cluster, ours, calm)


# ---- faults ----
def print_faults(counts):
    print("  requests: " + ", ".join(f"{name} {count}" for name, count in counts.items()), flush=True)


def one_round(cluster, tablet):
    """Seconds of a backup and its verification; whether it is good."""
    begin = time.monotonic()
    cluster.ctl("Backup", tablet.alias, deadline=600)
    (name,) = cluster.backups()
    answer = cluster.ctl("VerifyBackup", cluster.shard_name, name, code=None, deadline=600)
    seconds = time.monotonic() - begin
    is_good = answer.code == 0 and "is good" in answer.text
    if not is_good:
        print(f"  not verified: {answer.text[-400:]}", flush=True)
    left = [path for path in cluster.objects() if ".part." in path]
    cluster.ctl("RemoveBackup", cluster.shard_name, name)
    return seconds, is_good and not left


def faulty(flavor):
    with Run("bench-gcs") as run:
        cluster, primary = start(run, flavor, FAULT_MB)
        tablet = cluster.add(101, "rdonly", agent_flags=["--backup-quiesce=stop"])
        cluster.ctl("Backup", "--allow-primary", primary.alias)
        tablet.start()
        cluster.wait_type(tablet, "rdonly", 120)
        cluster.ctl("RemoveBackup", cluster.shard_name, *cluster.backups())
        calm, found = [], []
        for turn in range(FAULT_ROUNDS):
            if turn % 5 == 0:
                cluster.gcs.go()
                calm.append(one_round(cluster, tablet))
                cluster.gcs.go(FAULTS)
            found.append(one_round(cluster, tablet))
        print_faults(cluster.gcs.go().counts)
    good = sum(is_good for _, is_good in found)
    base.row(f"verified results of {FAULT_ROUNDS} with {FAULTS:g} % of the requests failing", good, "", None, None,
             FAULT_ROUNDS)
    base.row(f"  backup and verification of {FAULT_MB:g} MB, mean", statistics.mean(s for s, _ in found), "s", 1.3,
             statistics.mean(s for s, _ in calm))
    base.row("  the slowest round", max(s for s, _ in found), "s")


def main():
    flavor = servers.flavor_named("mysql")
    if flavor is None or vitess.root() is None or gcs.program() is None:
        print("no MySQL server, no Vitess programs or no fake-gcs-server here: nothing to compare", file=sys.stderr)
        return 2
    wanted = sys.argv[1:] or ["speed", "faults"]
    print(f"vtagent and Vitess v24.0.1 with a bucket {DELAY_MS} ms away, {MB_PER_S} MB/s a connection; "
          f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {MEGABYTES:g} MB, {ROUNDS} rounds")
    for word in wanted:
        {"speed": speed, "faults": faulty}[word](flavor)
    missed = [what for what, is_met in base.rows if not is_met]
    print(f"{len(base.rows)} targets, {len(missed)} missed" + (f": {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
