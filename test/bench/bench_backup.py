#!/usr/bin/python3
"""Backup and restore beside Vitess's own, in one run: one shard, a tablet of ours and one of Vitess's with
the same data, one storage folder, vtctldclient asks both. Best of ROUNDS interleaved rounds each; ratios are
judged, because seconds depend on the machine. Exit status 1 when a target is missed. BENCH_PARTS chooses
what is measured, BENCH_ENGINES which of Vitess's engines take part."""
import json
import os
import re
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "harness"))
sys.path.insert(0, os.path.join(TOP, "test", "bench"))

import backup_data  # noqa: E402
import bench_mariabackup  # noqa: E402
import measure  # noqa: E402
from vtharness import faults, filesystem, servers, vitess  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.cluster import Cluster  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.run import Run  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.vitess import Control, MixedTablet  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.wait import wait_for  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.writer import Writer  # noqa: E402  pylint: disable=wrong-import-position

ROUNDS = int(os.environ.get("ROUNDS", "2"))
MEGABYTES = float(os.environ.get("BENCH_MB", "1100"))
# The first is Vitess's default.
ENGINES = tuple(os.environ.get("BENCH_ENGINES", "pargzip,zstd,lz4,pgzip").split(","))
PARTS = os.environ.get("BENCH_PARTS", "backup,restore,delta,pause,mariabackup").split(",")
DEADLINE = 1800
SERVER = """[mysqld]
loose_bind_address = 127.0.0.1
innodb_buffer_pool_size = 256M
loose_innodb_redo_log_capacity = 256M
loose_innodb_buffer_pool_dump_at_shutdown = 0
"""
rows = []


def row(what, value, unit, most=None, base=None, at_least=None):
    """One line; a target is a share of `base`, or an absolute figure."""
    shown = value / base if base else value
    is_met = (most is None or shown <= most) and (at_least is None or shown >= at_least)
    if most is not None or at_least is not None:
        rows.append((what, is_met))
    ratio = f"{shown:6.2f} x" if base else " " * 8
    sign, target = ("<=", most) if most is not None else (">=", at_least)
    wanted = "" if target is None else f"{sign} {target:g} {'x' if base else unit}"
    verdict = "" if target is None else "ok" if is_met else "MISSED"
    print(f"  {what:<58} {value:10.2f} {unit:<4} {ratio}  {wanted:<10} {verdict}", flush=True)


# ---- the shard ----
def start(run, flavor):
    cluster = Cluster(run, flavor, small=SERVER)
    kind = "the machine's file system"
    if os.geteuid() == 0 and shutil.which("mkfs.xfs"):
        filesystem.mount_xfs(run, cluster.data_root, size=24 << 30)
        kind = "XFS"
    cluster.start_topology().register()
    cluster.control = Control(cluster).start()
    primary = cluster.add(100).start()
    cluster.wait_registered(primary)
    cluster.make_primary(primary)
    begin = time.monotonic()
    cluster.row_count = backup_data.fill(primary, cluster.database, MEGABYTES)
    print(f"  filled in {time.monotonic() - begin:.0f} s, on {kind}", flush=True)
    return cluster, primary


def backup(cluster, tablet, allows_primary=False):
    """Seconds of the command; what stays in the storage is the newest backup."""
    words = ["--allow-primary"] if allows_primary else []
    return cluster.control.client("Backup", *words, tablet.alias, deadline=DEADLINE).seconds


def newest(cluster):
    return cluster.backup_path(cluster.backups()[-1])


def details(cluster):
    with open(os.path.join(newest(cluster), "MANIFEST"), encoding="utf-8") as file:
        return json.load(file).get("VtagentDetails", {})


def data_files(tablet):
    return measure.files_below(*(os.path.join(tablet.directory, part) for part in ("data", "innodb")))


def add_tablets(cluster, primary, is_beside=True):
    """A rdonly of ours and, beside it, one of Vitess's (or None), from one backup of the primary."""
    backup(cluster, primary, allows_primary=True)
    ours = cluster.add(101, "rdonly")
    theirs = MixedTablet(cluster, 102, "rdonly", agent="vttablet", supervisor="mysqlctld") if is_beside else None
    for tablet in filter(None, (ours, theirs)):
        tablet.start()
        wait_for(lambda t=tablet: t.rows("data0") == cluster.row_count, f"{tablet.alias} has its rows", DEADLINE)
        cluster.wait_type(tablet, "rdonly", DEADLINE)
    return ours, theirs


def restart(tablet, *flags):
    """The agent with these flags instead of earlier ones."""
    names = tuple(flag.partition("=")[0] for flag in flags)
    tablet.agent.stop()
    tablet.agent.argv = [word for word in tablet.agent.argv if not word.startswith(names)] + list(flags)
    tablet.start_agent()
    tablet.cluster.wait_type(tablet, tablet.kind)
    wait_for(lambda: tablet.threads() == ("Yes", "Yes"), "replication runs")


# ---- backup ----
class Figures:
    """The best of several rounds of one kind."""

    def __init__(self):
        self.seconds, self.cpu, self.down, self.copying = [], [], [], []
        self.peak = 0.0

    @property
    def best(self):
        return min(self.seconds)


def take(cluster, tablet, figures, is_ours):
    os.sync()  # what the last one left to the kernel is not this one's
    for path in data_files(tablet):
        measure.read_all(path)
    outage = measure.Outage(tablet.mysql_socket)
    before = measure.cpu_seconds(tablet.agent.pid)
    seen = {}

    def look():
        pid = faults.worker_of(tablet) if is_ours else tablet.agent.pid
        if pid:
            seen[pid] = max(seen.get(pid, 0), measure.peak_mb(pid))
    watch = measure.Watch(look)
    figures.seconds.append(backup(cluster, tablet))
    watch.stop()
    figures.down.append(outage.stop())
    figures.cpu.append(measure.cpu_seconds(tablet.agent.pid) - before)
    figures.peak = max(figures.peak, *seen.values())
    if is_ours:
        figures.copying.append(float(re.findall(r"the files are copied after ([0-9.]+) s", tablet.agent.log())[-1]))
    cluster.wait_type(tablet, "rdonly")
    wait_for(lambda: tablet.threads() == ("Yes", "Yes"), "replication runs", 120)


def keep_newest(cluster, name):
    """The newest backup goes to a place of its own, for the restores."""
    target = os.path.join(cluster.run.folder("kept"), name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(newest(cluster), target)
    for other in cluster.backups():
        shutil.rmtree(cluster.backup_path(other))


def measure_backups(cluster, ours, theirs):
    """Figures by name: Vitess's engines, "freeze" and "stop"."""
    found = {}
    for turn in range(ROUNDS):
        for engine in ENGINES if turn == 0 else ENGINES[:2]:
            restart(theirs, f"--compression-engine-name={engine}")
            take(cluster, theirs, found.setdefault(engine, Figures()), is_ours=False)
            print(f"  round {turn + 1}: Vitess {engine} {found[engine].seconds[-1]:.1f} s", flush=True)
            keep_newest(cluster, engine)
            for mode in ("freeze", "stop") if engine in ENGINES[:2] else ():
                restart(ours, f"--backup-quiesce={mode}")
                try:
                    take(cluster, ours, found.setdefault(mode, Figures()), is_ours=True)
                except AssertionError as error:
                    print(f"  {mode}: {str(error).splitlines()[-1]}")
                    found.pop(mode, None)
                    continue
                print(f"  round {turn + 1}: ours, {mode} {found[mode].seconds[-1]:.1f} s", flush=True)
                keep_newest(cluster, mode)
    return found


def report_backups(found):
    default = found[ENGINES[0]]
    best_name = min(ENGINES, key=lambda engine: found[engine].best)
    best = found[best_name]
    for engine in ENGINES:
        row(f"backup, Vitess {engine}", found[engine].best, "s")
        row(f"  mysqld unavailable, Vitess {engine}", min(found[engine].down), "s")
    row("  processor time, Vitess pargzip", min(default.cpu), "s")
    row("  peak memory of vttablet", default.peak, "MB")
    least_down = min(min(found[engine].down) for engine in ENGINES)
    for mode, of_default, of_best in (("freeze", 0.20, 0.35), ("stop", 0.27, 0.45)):
        if mode not in found:
            print(f"  {mode}: not possible here")
            continue
        mine = found[mode]
        row(f"backup, {mode}, against Vitess's default", mine.best, "s", of_default, default.best)
        row(f"backup, {mode}, against its best ({best_name})", mine.best, "s", of_best, best.best)
        row(f"  processor time, {mode}, against its default", min(mine.cpu), "s", 0.25, min(default.cpu))
        row(f"  peak memory of the worker, {mode}", mine.peak, "MB", 64)
        if mode == "stop":
            row("  mysqld unavailable, stop, against Vitess's best", min(mine.down), "s", 0.45, least_down)


def measure_pause(cluster, primary):
    """Backup of the primary while it is written to; what its clients see, and no statement fails."""
    cluster.make_table(primary)
    restart_primary(cluster, primary, "--backup-quiesce=freeze")
    writer = Writer(cluster)
    try:
        writer.wait_more()
        outage = measure.Outage(primary.mysql_socket)
        backup(cluster, primary, allows_primary=True)
        seen = outage.stop()
    finally:
        writer.end()
    row("mysqld unavailable, freeze, primary under writes", details(cluster)["UnavailableMs"] / 1000, "s", 0.25)
    row("  longest time without an answer, as clients see it", seen, "s")
    shutil.rmtree(newest(cluster))


def restart_primary(cluster, primary, flag):
    primary.agent.stop()
    primary.agent.argv = primary.agent.argv + [flag]
    primary.start_agent()
    cluster.wait_primary(primary)


# ---- restore ----
def restore(cluster, name, uid, is_ours):
    """Seconds from the agent's start over an empty server until it serves with all rows."""
    path = cluster.backup_path(f"2026-01-01.000000.{cluster.cell_name}-0000000101")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.rename(os.path.join(cluster.run.directory, "kept", name), path)
    tablet = cluster.add(uid) if is_ours else MixedTablet(cluster, uid, agent="vttablet", supervisor="mysqlctld")
    tablet.start_supervisor()
    tablet.wait_mysqld()
    os.sync()
    for file in measure.files_below(path):
        measure.read_all(file)
    begin = time.monotonic()
    tablet.agent.start()
    wait_for(lambda: tablet.type_name() == "replica" and tablet.follows(cluster.tablets[100]), f"{tablet.alias} serves",
             DEADLINE, interval=0.02)
    seconds = time.monotonic() - begin
    assert tablet.rows("data0") == cluster.row_count
    tablet.stop()
    cluster.tablets.pop(uid)
    cluster.ctl("DeleteTablets", tablet.alias)
    shutil.rmtree(tablet.directory)
    os.rename(path, os.path.join(cluster.run.directory, "kept", name))
    return seconds


def measure_restores(cluster, found):
    best_name = min(ENGINES, key=lambda engine: found[engine].best)
    mine = "freeze" if "freeze" in found else "stop"
    names = list(dict.fromkeys((ENGINES[0], best_name)))
    uid, taken = 200, {}
    for _ in range(ROUNDS):
        for name in names:
            for source, is_ours in ((name, False), (name, True), (mine, True)):
                uid += 1
                taken.setdefault((source, is_ours), []).append(restore(cluster, source, uid, is_ours))
    theirs = {name: min(taken[(name, False)]) for name in names}
    ours = min(taken[(mine, True)])
    for name in names:
        row(f"restore to serving, Vitess {name}", theirs[name], "s")
        row(f"restore, Vitess's {name} backup by us, against Vitess", min(taken[(name, True)]), "s", 0.6, theirs[name])
    row("restore, ours, against Vitess's default", ours, "s", 0.25, theirs[ENGINES[0]])
    row(f"restore, ours, against Vitess's best ({best_name})", ours, "s", 0.4, min(theirs.values()))


# ---- delta ----
def seconds_to_data(cluster, tablet):
    """From the call until the data is in place; what follows is replication."""
    os.sync()
    cluster.control.client("RestoreFromBackup", tablet.alias, deadline=DEADLINE)
    wait_for(lambda: tablet.threads() == ("Yes", "Yes"), "replication runs", 120)
    wait_for(lambda: tablet.follows(cluster.tablets[100]), "replication has caught up", 120)
    return float(re.findall(r"the data is in place after ([0-9.]+) s", tablet.agent.log())[-1])


def measure_delta(cluster, primary, tablet):
    """The tablet goes back to its backup, from which 1 % of its pages differ: after each restore, replication
    makes the same changes again."""
    backup(cluster, tablet)
    for how in ("clustered", "scattered"):
        backup_data.change(primary, cluster.database, 0.01, how)
        wait_for(lambda: tablet.follows(primary), "the change has arrived", 300)
        figures = {}
        for flag in ("--restore-delta=false", "--restore-delta=true"):
            restart(tablet, flag)
            figures[flag] = min(seconds_to_data(cluster, tablet) for _ in range(ROUNDS))
        whole, delta = figures.values()
        row(f"restore over the data, whole, 1 % changed, {how}", whole, "s")
        row(f"restore over the data, delta, 1 % changed, {how}", delta, "s", 0.2, whole)


# ---- ceilings ----
def measure_ceilings(cluster, ours, found):
    largest = max(data_files(ours), key=os.path.getsize)
    size, cores = os.path.getsize(largest), os.cpu_count()
    begin = time.monotonic()
    subprocess.run(["dd", f"if={largest}", "of=/dev/null", "bs=4M"], check=True, stderr=subprocess.DEVNULL)
    read = size / 1e6 / (time.monotonic() - begin)
    done = subprocess.run([os.path.join(TOP, "build", "bench", "codec_bench"), largest, "pgzip", str(cores)],
                          stdout=subprocess.PIPE, text=True, check=True)
    encode, decode = (float(word) for word in done.stdout.split())
    mode = "freeze" if "freeze" in found else "stop"
    kept = os.path.join(cluster.run.directory, "kept", mode)
    stored = measure.size_of(measure.files_below(kept))
    plain = measure.size_of(data_files(ours))
    write = stored / measure.seconds_to_write(os.path.join(cluster.run.directory, "kept", "zeros"), stored) / 1e6
    row("data", plain / 1e6, "MB")
    row("stored, gzip", stored / 1e6, "MB")
    row("ceiling: dd reads", read, "MB/s")
    row(f"ceiling: ISA-L gzip in {cores} threads, memory to memory", encode, "MB/s")
    row(f"ceiling: decompression in {cores} threads", decode, "MB/s")
    row("ceiling: disk writes", write, "MB/s")
    ceiling = max(plain / 1e6 / read, plain / 1e6 / encode, stored / 1e6 / write)
    for name in ("freeze", "stop"):
        if name in found and found[name].copying:
            row(f"copying, {name}: share of the ceiling", ceiling / min(found[name].copying), "", at_least=0.7)


def measure_all(cluster, primary):
    is_beside = "backup" in PARTS or "restore" in PARTS
    ours, theirs = add_tablets(cluster, primary, is_beside)
    if is_beside:
        found = measure_backups(cluster, ours, theirs)
        report_backups(found)
        measure_ceilings(cluster, ours, found)
        theirs.stop()
    if "delta" in PARTS:
        measure_delta(cluster, primary, ours)
    ours.stop()
    if "restore" in PARTS:
        measure_restores(cluster, found)
    if "pause" in PARTS:
        measure_pause(cluster, primary)


def main():
    flavor = servers.flavor_named("mysql")
    if flavor is None or vitess.root() is None:
        print("no MySQL server or no Vitess programs here: nothing to compare", file=sys.stderr)
        return 2
    print(f"vtagent and Vitess v24.0.1, {flavor.name} {flavor.version()}, {os.cpu_count()} processors, load "
          f"{os.getloadavg()[0]:.1f}, {MEGABYTES:g} MB, best of {ROUNDS}")
    with Run("bench-backup") as run:
        cluster, primary = start(run, flavor)
        measure_all(cluster, primary)
    if "mariabackup" in PARTS:
        bench_mariabackup.run(MEGABYTES, ROUNDS, row)
    missed = [what for what, is_met in rows if not is_met]
    print(f"{len(rows)} targets, {len(missed)} missed" + (f": {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
