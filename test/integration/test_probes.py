"""What orchestrators ask and do: is it alive, is it ready, may it go."""
import http.client
import os
import signal
import time

import pytest

from vtharness.cluster import shard_of
from vtharness.faults import Background, stopped_thread, thread_named
from vtharness.fixtures import primary, replica  # noqa: F401
from vtharness.health import Listener, get, wait_ready
from vtharness.run import Run
from vtharness.wait import wait_for


@pytest.fixture(scope="module")
def shard(flavor):
    with Run("probes") as run:
        cluster, *_ = shard_of(run, flavor, agent_flags=["--stuck-after=2s"])
        wait_ready(cluster)
        yield cluster


def test_what_an_action_mended_serves_at_once(replica):
    with Listener(replica) as listener:
        replica.call("StopReplication")
        listener.wait_serving(False)
        start = time.monotonic()
        replica.call("StartReplication")
        listener.wait_serving()
        took = listener.first(True, start) - start
        assert took <= 0.9, f"after {took:.2f} s, more than the pause of others"
        assert listener.changes(start) == 1


def test_an_agent_whose_action_does_not_end_is_not_alive(replica):
    sleeping = Background(replica.call, "Sleep", timeout=2, duration=60_000_000_000)
    wait_for(lambda: replica.call("Ping", payload="x").payload == "x", "it answers meanwhile")
    with stopped_thread(thread_named(replica.agent.pid, "action")):
        assert get(replica, "/livez")[0] == 200
        sleeping.failure()
        assert "'Sleep' should have ended" in wait_for(
            lambda: get(replica, "/livez")[0] == 503 and get(replica, "/livez")[1], "it is stuck", 5)
        assert get(replica, "/readyz")[0] == 200  # it serves on
    wait_for(lambda: get(replica, "/livez")[0] == 200, "it is alive again", 5)


def test_an_agent_whose_loop_does_not_turn_is_not_alive(replica):
    connection = http.client.HTTPConnection("127.0.0.1", replica.http_port, timeout=3)
    with stopped_thread(replica.agent.pid):
        connection.request("GET", "/livez")
        with pytest.raises(TimeoutError):
            connection.getresponse()
    connection.close()
    assert get(replica, "/livez")[0] == 200


def test_an_agent_is_alive_without_mysqld_and_etcd(shard, replica):
    pids = [replica.mysqld_pid(), shard.cell.process.pid, shard.glob.process.pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: get(replica, "/readyz")[0] == 503, "it is not ready")
        wait_for(lambda: "etcd does not know" in get(replica, "/debug/status")[1], "etcd is missed", 30)
        assert get(replica, "/livez")[0] == 200
        assert get(replica, "/startupz")[0] == 200
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: get(replica, "/readyz")[0] == 200, "it is ready again")


def refuses_to_drain(shard, primary, replica, reason):
    """Within its time, with a reason; the primary is and serves as before."""
    answer = shard.ctl("Drain", "--timeout=6s", primary.alias, code=1)
    assert answer.seconds < 6 + 2, answer.seconds
    assert reason in answer.err, answer.text
    assert primary.type_name() == "primary" and not primary.is_read_only()
    assert shard.shard_record().primary_alias.uid == primary.uid
    wait_for(lambda: get(primary, "/readyz")[0] == 200, "the primary serves")
    assert replica.type_name() == "replica"


def test_a_primary_without_a_healthy_replica_does_not_drain(shard, primary, replica):
    pid = replica.mysqld_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        refuses_to_drain(shard, primary, replica, replica.alias)
    finally:
        os.kill(pid, signal.SIGCONT)
    replica.agent.stop()
    refuses_to_drain(shard, primary, replica, replica.alias)
    replica.start_agent()
    wait_for(lambda: get(replica, "/readyz")[0] == 200, "the replica is ready again")
