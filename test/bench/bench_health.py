#!/usr/bin/python3
"""What health costs, and how soon it tells; exit status 1 when a target is missed."""
import json
import os
import select
import signal
import subprocess
import sys
import time

import bench
from bench import cpu_seconds, latency, resident_mb, row
from measure import Watch

from vtharness.cluster import shard_of
from vtharness.health import Listener, get, wait_ready
from vtharness.run import Run
from vtharness.wait import wait_for

ROUNDS = 5
SCRAPES_PER_SECOND, SUBSCRIBERS, LOAD_SECONDS = 1000, 500, 60
IDLE_SECONDS = 30
LOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "health_load.py")


def document(tablet):
    return json.loads(tablet.cluster.cell.find(f"vtagent/{tablet.alias}/Health"))


def measure_idle(tablets):
    before = [cpu_seconds(tablet.agent.pid) for tablet in tablets]
    start = time.monotonic()
    time.sleep(IDLE_SECONDS)
    spent = time.monotonic() - start
    for tablet, ticks in zip(tablets, before):
        row(f"resident memory, idle {tablet.type_name()}", resident_mb(tablet.agent.pid), "MB", 20)
        row(f"CPU, idle {tablet.type_name()}", 100 * (cpu_seconds(tablet.agent.pid) - ticks) / spent, "%", 0.5)


class Moments:
    """When each way of telling first said that a tablet does not serve."""

    def __init__(self, tablet, listener):
        self._tablet, self._listener, self.ready, self.etcd = tablet, listener, None, None
        self._watches = [Watch(self._look_ready, 0.002), Watch(self._look_etcd, 0.002)]

    def _look_ready(self):
        if self.ready is None and get(self._tablet, "/readyz")[0] == 503:
            self.ready = time.monotonic()

    def _look_etcd(self):
        if self.etcd is None and not document(self._tablet)["serving"]:
            self.etcd = time.monotonic()

    def wait(self, killed, ended):
        """Milliseconds from the end: StreamHealth, /readyz, etcd. A process that ends closes its
        connections before it is gone: 0 then."""
        wait_for(lambda: self.ready and self.etcd and not self._listener.last.serving, "all say so")
        for watch in self._watches:
            watch.stop()
        return [max(0, 1000 * (moment - ended))
                for moment in (self._listener.first(False, killed), self.ready, self.etcd)]


def kill_mysqld(tablet, listener):
    """The moment of its end, and what was told after it."""
    tablet.supervisor.signal(signal.SIGSTOP)  # who would start it again
    pid = tablet.mysqld_pid()
    watched = os.pidfd_open(pid)
    moments = Moments(tablet, listener)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    select.select([watched], [], [])
    ended = time.monotonic()
    os.close(watched)
    try:
        return moments.wait(killed, ended)
    finally:
        tablet.supervisor.signal(signal.SIGCONT)
        tablet.wait_mysqld()


def measure_telling(tablet):
    times = []
    with Listener(tablet) as listener:
        for _ in range(ROUNDS):
            wait_for(lambda: get(tablet, "/readyz")[0] == 200 and document(tablet)["serving"], "it serves")
            times.append(kill_mysqld(tablet, listener))
    for name, taken, target in zip(("StreamHealth", "/readyz", "etcd"), zip(*times), (50, 200, 200)):
        row(f"mysqld's end told by {name}, median of {ROUNDS}", sorted(taken)[ROUNDS // 2], "ms")
        row(f"mysqld's end told by {name}, worst of {ROUNDS}", max(taken), "ms", target)


def start_load(kind, port, amount):
    return subprocess.Popen([sys.executable, LOAD, kind, str(port), str(amount), str(LOAD_SECONDS)],
                            stdout=subprocess.PIPE, text=True)


def result_of(load):
    return json.loads(load.communicate(timeout=LOAD_SECONDS + 60)[0])


def measure_load(tablet):
    pid = tablet.agent.pid
    calm = latency(tablet, "Ping", 5000, "kept")
    before = resident_mb(pid)
    streams = start_load("streams", tablet.grpc_port, SUBSCRIBERS)
    start = time.monotonic()
    time.sleep(LOAD_SECONDS / 6)
    with_streams = latency(tablet, "Ping", 5000, "kept")
    scrapes = start_load("scrapes", tablet.http_port, SCRAPES_PER_SECOND)
    time.sleep(LOAD_SECONDS / 6)
    ticks, early, middle = cpu_seconds(pid), resident_mb(pid), time.monotonic()
    loaded = latency(tablet, "Ping", 5000, "kept")
    time.sleep(max(0, start + LOAD_SECONDS - 5 - time.monotonic()))
    late, spent = resident_mb(pid), 100 * (cpu_seconds(pid) - ticks) / (time.monotonic() - middle)
    told, scraped = result_of(streams), result_of(scrapes)
    row("StreamHealth subscribers that listen", told["listening"], "", SUBSCRIBERS, at_least=True)
    row("subscribers that were thrown out", told["ended early"], "", 0)
    row(f"scrapes of {scraped['page_bytes']} bytes", scraped["per_second"], "/s",
        0.95 * SCRAPES_PER_SECOND, at_least=True)
    row("scrapes that failed", scraped["failed"], "", 0)
    row("scrape p50", scraped["p50_ms"], "ms")
    row("scrape p99", scraped["p99_ms"], "ms")
    for name, at in (("p50", 0), ("p99", 2)):
        row(f"Ping {name} without load", calm[at], "µs")
        row(f"Ping {name}, {SUBSCRIBERS} subscribers", with_streams[at], "µs")
        row(f"Ping {name}, subscribers and {SCRAPES_PER_SECOND} scrapes/s", loaded[at], "µs")
    row("CPU under that load", spent, "%")
    row("resident memory without load", before, "MB")
    row("resident memory under load", late, "MB", 64)
    row("its growth over the last 35 s", late - early, "MB", 1)


def measure_all(flavor):
    with Run("bench-health") as run:
        cluster, primary, (replica,) = shard_of(run, flavor, agent_flags=["--heartbeat-enable"])
        wait_ready(cluster)
        parts = {"idle": lambda: measure_idle((primary, replica)), "load": lambda: measure_load(replica),
                 "telling": lambda: measure_telling(replica)}
        for name in os.environ.get("PARTS", " ".join(parts)).split():
            parts[name]()


if __name__ == "__main__":
    sys.exit(bench.report(measure_all))
