#!/usr/bin/python3
"""Our agent and supervisor beside Vitess's vttablet and mysqlctld: same servers, same topology, same
vtctldclient, turn by turn. Exit status 1 when a target is missed."""
import os
import statistics
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "harness"))
sys.path.insert(0, os.path.join(TOP, "test", "bench"))

import bench  # noqa: E402
from vtharness import servers, vitess  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.cluster import Cluster  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.run import Run  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.vitess import Control, MixedTablet  # noqa: E402  pylint: disable=wrong-import-position

ROUNDS = int(os.environ.get("ROUNDS", "7"))
results = []


def row(what, unit, ours, theirs, most_ratio=None, most=None):
    """One line of the table, from the medians; a target is a ratio or an absolute figure."""
    left, right = statistics.median(ours), statistics.median(theirs)
    ratio = left / right if right else 0
    is_met = (most_ratio is None or ratio <= most_ratio) and (most is None or left <= most)
    results.append((what, is_met))
    wanted = f"<= {most_ratio:g} x" if most_ratio is not None else f"<= {most:g} {unit}" if most else ""
    print(f"  {what:<46} {left:10.1f} {right:10.1f} {unit:<3} {ratio:6.2f} x  {wanted:<12}"
          f"{'' if is_met else 'MISSED'}", flush=True)


class Prober(threading.Thread):
    """Writes one row after another to whichever server takes it; the longest pause between two
    acknowledged ones is how long writes were blocked."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self._cluster, self._ends, self._sessions = cluster, threading.Event(), {}
        self.longest, self.count, self._last = 0.0, 0, None
        self.start()

    def _session(self, tablet):
        session = self._sessions.get(tablet.uid)
        if session is None or session.poll() is not None:
            session = self._sessions[tablet.uid] = subprocess.Popen(
                ["mariadb", "--no-defaults", "--force", "--unbuffered", "--skip-reconnect", "-N", "-B", "-S",
                 tablet.mysql_socket, "-u", "vt_app", self._cluster.database],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return session

    def _write(self, tablet):
        session = self._session(tablet)
        try:
            session.stdin.write("INSERT INTO t (v) VALUES ('p'); SELECT ROW_COUNT();\n")
            session.stdin.flush()
            return session.stdout.readline().strip() == "1"
        except OSError:
            return False

    def run(self):
        tablets = list(self._cluster.tablets.values())[:2]
        while not self._ends.is_set():
            if self._write(tablets[0]):
                now = time.monotonic()
                if self._last is not None:
                    self.longest = max(self.longest, now - self._last)
                self._last, self.count = now, self.count + 1
            else:
                tablets.reverse()

    def end(self):
        """Milliseconds of the longest pause."""
        self._ends.set()
        self.join(60)
        for session in self._sessions.values():
            session.kill()
            session.communicate()
        return 1000 * self.longest


def start(run, flavor):
    """Two shards of three on one topology: (ours, theirs)."""
    ours = Cluster(run, flavor, keyspace="ours", prefix="o-").start_topology().register("semi_sync")
    theirs = Cluster(run, flavor, keyspace="theirs", prefix="t-")
    theirs.glob, theirs.cell = ours.glob, ours.cell
    theirs.ctl("CreateKeyspace", "--durability-policy=semi_sync", theirs.keyspace)
    ours.control = theirs.control = Control(ours).start()
    for number in range(3):
        ours.add(100 + number)
        MixedTablet(theirs, 200 + number, agent="vttablet", supervisor="mysqlctld")
    for cluster in (ours, theirs):
        cluster.start_all()
    return ours, theirs


def settle(cluster, primary):
    cluster.wait_primary(primary)
    for tablet in cluster.tablets.values():
        if tablet is not primary:
            cluster.wait_following(tablet, primary)
            cluster.wait_type(tablet, "replica")


def measure_memory(both):
    """Resident, after a minute without calls but the health checks; agent, supervisor, sum."""
    time.sleep(float(os.environ.get("IDLE_SECONDS", "60")))
    used = [[(bench.resident_mb(tablet.agent.pid), bench.resident_mb(tablet.supervisor.pid))
             for tablet in cluster.tablets.values()] for cluster in both]
    row("resident, agent", "MB", *([agent for agent, _ in one] for one in used))
    row("resident, supervisor", "MB", *([supervisor for _, supervisor in one] for one in used))
    row("resident, agent + supervisor", "MB", *([sum(pair) for pair in one] for one in used), most_ratio=0.3)


def measure_init(both, rounds=3):
    times = [[], []]
    for _ in range(rounds):
        for cluster, taken in zip(both, times):
            first = next(iter(cluster.tablets.values()))
            answer = cluster.control.client("InitShardPrimary", "--force", cluster.shard_name, first.alias)
            taken.append(1000 * answer.seconds)
            settle(cluster, first)
    row("InitShardPrimary --force", "ms", *times, most_ratio=1.0)


def reparent(cluster, elect, has_prober):
    """(milliseconds of the command, milliseconds that writes were blocked)."""
    prober = Prober(cluster) if has_prober else None
    if prober:
        end = time.monotonic() + 60
        while prober.count < 20 and time.monotonic() < end:
            time.sleep(0.01)
    answer = cluster.control.client("PlannedReparentShard", "--new-primary", elect.alias, cluster.shard_name)
    settle(cluster, elect)
    return 1000 * answer.seconds, prober.end() if prober else 0


def measure_reparents(both):
    idle, busy, blocked = ([], []), ([], []), ([], [])
    for turn in range(2 * ROUNDS):
        for index, cluster in enumerate(both):
            tablets = list(cluster.tablets.values())
            elect = tablets[1] if turn % 2 == 0 else tablets[0]
            has_prober = turn >= ROUNDS
            taken, pause = reparent(cluster, elect, has_prober)
            (busy if has_prober else idle)[index].append(taken)
            if has_prober:
                blocked[index].append(pause)
    row("PlannedReparentShard, idle shard of 3", "ms", *idle, most_ratio=0.35)
    row("PlannedReparentShard, under a writer", "ms", *busy)
    row("writes blocked by it", "ms", *blocked, most=300)


def measure_calls(both, rounds=15):
    """Of a replica: its third tablet, which was never primary."""
    for method, kept, fresh, most in (("Ping", 1000, 200, 1.0), ("FullStatus", 200, 100, 0.4),
                                      ("ExecuteFetchAsDba", 200, 100, 1.0)):
        for how, count in (("kept", kept), ("fresh", fresh)):
            p50 = [[], []]
            for _ in range(rounds):
                for cluster, found in zip(both, p50):
                    found.append(bench.latency(list(cluster.tablets.values())[2], method, count, how)[0])
            row(f"{method} p50, {how} connection", "µs", *p50, most_ratio=most)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def measure_churn(both, count=5000):
    """What so many connections, one call each, leave behind in the agent."""
    more = [[], []], [[], []]
    for index, cluster in enumerate(both):
        tablet = list(cluster.tablets.values())[2]
        bench.latency(tablet, "Ping", count // 10, "fresh")
        before = descriptors(tablet.agent.pid), bench.resident_mb(tablet.agent.pid)
        bench.latency(tablet, "Ping", count, "fresh")
        end = time.monotonic() + 10
        while descriptors(tablet.agent.pid) > before[0] and time.monotonic() < end:
            time.sleep(0.1)
        more[0][index].append(descriptors(tablet.agent.pid) - before[0])
        more[1][index].append(bench.resident_mb(tablet.agent.pid) - before[1])
    row(f"descriptors more after {count} fresh connections", "", *more[0], most=2)
    row(f"resident more after {count} fresh connections", "MB", *more[1], most=1)


def main():
    flavor = servers.flavor_named("mysql")
    if flavor is None or vitess.root() is None:
        print("no MySQL server or no Vitess programs here: nothing to compare", file=sys.stderr)
        return 2
    print(f"vtagent and Vitess v24.0.1, {flavor.name} {flavor.version()}, {os.cpu_count()} processors, load "
          f"{os.getloadavg()[0]:.1f}")
    print(f"  {'':<46} {'ours':>10} {'theirs':>10} {'':<3} {'ratio':>6}    target")
    with Run("bench-vitess") as run:
        both = start(run, flavor)
        measure_init(both)
        for cluster in both:
            cluster.make_table(next(iter(cluster.tablets.values())))
        measure_memory(both)
        measure_reparents(both)
        measure_calls(both)
        measure_churn(both)
    missed = [what for what, is_met in results if not is_met]
    print(f"{len(results)} figures, {len(missed)} targets missed" + (f": {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
