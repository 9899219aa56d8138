#!/usr/bin/python3
"""Measures a running shard against the targets; exit status 1 when a target is missed."""
import json
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "harness"))

from vtharness import servers  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.cluster import shard_of  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.run import Run  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.wait import wait_for  # noqa: E402  pylint: disable=wrong-import-position

rows = []


def row(what, value, unit, target=None, at_least=False):
    is_met = target is None or (value >= target if at_least else value <= target)
    rows.append((what, value, unit, target, at_least, is_met))
    sign = "" if target is None else f"  target {'>=' if at_least else '<='} {target:g} {unit}"
    print(f"  {what:<44} {value:10.2f} {unit}{sign}{'' if is_met else '   MISSED'}", flush=True)


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latency(tablet, method, count, how):
    done = subprocess.run([os.path.join(TOP, "build", "bench", "rpc_bench"),
                           f"127.0.0.1:{tablet.grpc_port}", method, str(count), how],
                          stdout=subprocess.PIPE, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def measure_idle(tablet, seconds=30):
    agent, supervisor = tablet.agent.pid, tablet.supervisor.pid
    before = [cpu_seconds(pid) for pid in (agent, supervisor)]
    start = time.monotonic()
    time.sleep(seconds)
    spent = time.monotonic() - start
    row("resident memory of the agent, idle", resident_mb(agent), "MB", 20)
    row("resident memory of the supervisor, idle", resident_mb(supervisor), "MB", 15)
    row("CPU of the agent, idle", 100 * (cpu_seconds(agent) - before[0]) / spent, "%", 0.3)
    row("CPU of the supervisor, idle", 100 * (cpu_seconds(supervisor) - before[1]) / spent, "%", 0.3)


def measure_start(tablet):
    """From exec to the first answered Ping; the best of five, asked every millisecond."""
    times = []
    for _ in range(5):
        tablet.agent.stop()
        tablet.manager.reconnect()
        start = time.monotonic()
        tablet.agent.start()
        while True:
            try:
                tablet.call("Ping", payload="x", timeout=1)
                break
            except Exception:  # pylint: disable=broad-except
                tablet.manager.reconnect()
                time.sleep(0.001)
        times.append(1000 * (time.monotonic() - start))
        wait_for(lambda: tablet.type_name() != "unknown", "registered")
    row("start of the agent to an answered Ping", min(times), "ms", 100)


def measure_latency(tablet):
    for method, count, target in (("Ping", 5000, 190), ("FullStatus", 1000, 2000)):
        p50, p90, p99 = latency(tablet, method, count, "kept")
        row(f"{method} p50, kept connection", p50, "µs", target)
        row(f"{method} p90", p90, "µs")
        row(f"{method} p99", p99, "µs")
    row("Ping p50, fresh connection each", latency(tablet, "Ping", 300, "fresh")[0], "µs")


def fill(cluster, primary, megabytes):
    """Several tables of rows as applications have them: words, numbers, some noise."""
    for number in range(4):
        primary.sql(f"CREATE TABLE data{number} (id INT PRIMARY KEY AUTO_INCREMENT, page INT, at BIGINT,"
                    " message VARCHAR(2000), KEY (page)) ENGINE=InnoDB", database=cluster.database)
        primary.sql(f"INSERT INTO data{number} (page, at, message) VALUES (1, 2, 'seed')",
                    database=cluster.database)
    # One row is about 640 bytes on its page.
    wanted = int(megabytes * 1e6 / 4 / 640)
    for number in range(4):
        have = 1
        while have < wanted:
            more = min(have, wanted - have, 20000)
            primary.sql(
                f"INSERT INTO data{number} (page, at, message) SELECT id % 97, id * 1000003, CONCAT("
                "'user ', id, ' wrote ', HEX(RANDOM_BYTES(100)), REPEAT(CONCAT(' word', id % 1000), 30))"
                f" FROM data{number} LIMIT {more}", database=cluster.database, deadline=600)
            have += more
    return wanted


def data_bytes(tablet):
    total = 0
    for folder, _, names in os.walk(tablet.directory):
        if "/data" in folder or "/innodb" in folder:
            total += sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    return total


def copy_with_gzip(run, tablet):
    """The same files, stopped server, through `gzip -1`, two at a time, synced at the end."""
    target = run.folder("gzip-copy")
    script = ("find data innodb -type f -print0 | xargs -0 -P 2 -I{} sh -c "
              f"'gzip -1 <\"$1\" >{target}/$(echo \"$1\" | tr / _)' sh {{}} && sync -f {target}")
    start = time.monotonic()
    done = run.command(["sh", "-c", f"cd {tablet.directory} && {script}"], deadline=1200)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - start


def warm(tablet):
    """Both copies read from the page cache."""
    for part in ("data", "innodb"):
        for folder, _, names in os.walk(os.path.join(tablet.directory, part)):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb", buffering=0) as file:
                        while file.read(1 << 22):
                            pass


def unavailable_seconds(cluster):
    with open(cluster.backup_path(cluster.backups()[-1], "MANIFEST"), encoding="utf-8") as file:
        details = json.load(file).get("VtagentDetails", {})
    found = [value for key, value in details.items() if "navailable" in key]
    return found[0] / 1000 if found and found[0] >= 0 else None


def measure_backup(run, cluster, rdonly):
    size = data_bytes(rdonly) / 1e6
    warm(rdonly)
    start = time.monotonic()
    cluster.ctl("Backup", "--concurrency=2", rdonly.alias, deadline=1200)
    whole = time.monotonic() - start
    ours = float(re.findall(r"the files are copied after ([0-9.]+) s", rdonly.agent.log())[-1])
    down = unavailable_seconds(cluster)
    folder = cluster.backup_path(cluster.backups()[-1])
    stored = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)) / 1e6
    rdonly.agent.stop()
    rdonly.supervisor.stop(120)
    warm(rdonly)
    theirs = copy_with_gzip(run, rdonly)
    row("data of the tablet", size, "MB")
    row("backup, whole command", whole, "s")
    row("backup, copying", ours, "s")
    if down is not None:
        row("backup, mysqld unavailable", down, "s")
    row("stored", stored, "MB")
    row("throughput of the copying", size / ours, "MB/s")
    row("throughput of gzip -1, 2 processes", size / theirs, "MB/s")
    row("copying against gzip -1, 2 processes", theirs / ours, "×", 3, at_least=True)


def report(measure):
    """Calls measure(flavor) with the server of FLAVOR, or the first there is; the exit status."""
    wanted = os.environ.get("FLAVOR")
    flavor = servers.flavor_named(wanted) if wanted else next(iter(servers.flavors()), None)
    if flavor is None:
        print("no database server here", file=sys.stderr)
        return 2
    print(f"vtagent with {flavor.name} {flavor.version()}, {os.cpu_count()} processors")
    measure(flavor)
    missed = [what for what, _, _, _, _, is_met in rows if not is_met]
    print(f"{len(rows)} figures, {len(missed)} targets missed" + (f": {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


def measure_all(flavor):
    with Run("bench") as run:
        cluster, primary, (rdonly,) = shard_of(run, flavor, ("replica", "rdonly"))
        measure_start(rdonly)
        cluster.wait_following(rdonly, primary)
        measure_idle(rdonly)
        measure_latency(rdonly)
        wanted_rows = fill(cluster, primary, float(os.environ.get("BENCH_MB", "1100")))
        cluster.wait_rows(rdonly, wanted_rows, "data3", deadline=900)
        measure_backup(run, cluster, rdonly)


if __name__ == "__main__":
    sys.exit(report(measure_all))
