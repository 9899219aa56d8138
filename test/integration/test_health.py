"""What breaks shows at once, with its cause, once, and is forgotten when it is mended."""
import json
import os
import signal
import time

import pytest

from vtharness.cluster import shard_of
from vtharness.fixtures import primary, replica  # noqa: F401
from vtharness.health import Listener, get, leaves_and_returns, wait_ready
from vtharness.run import Run
from vtharness.wait import wait_for


@pytest.fixture(scope="module")
def shard(flavor):
    with Run("health") as run:
        cluster, *_ = shard_of(run, flavor, agent_flags=["--heartbeat-enable"])
        wait_ready(cluster)
        yield cluster


def test_a_mysqld_that_hangs_is_noticed(replica):
    pid = replica.mysqld_pid()
    leaves_and_returns(replica, lambda: os.kill(pid, signal.SIGSTOP),
                       lambda: os.kill(pid, signal.SIGCONT), "mysqld has not answered for")


def test_a_mysqld_that_ended_is_noticed_at_once(replica):
    def spoil():
        replica.supervisor.signal(signal.SIGSTOP)  # who would start it again
        os.kill(replica.mysqld_pid(), signal.SIGKILL)

    def mend():
        replica.supervisor.signal(signal.SIGCONT)
        replica.wait_mysqld()
        replica.call("StartReplication")  # a server starts without
    took = leaves_and_returns(replica, spoil, mend, "mysqld does not answer")
    print(f"noticed after {took * 1000:.0f} ms")
    assert took <= 1.0


def test_an_sql_thread_that_stops_is_noticed(replica):
    word = "SLAVE" if replica.cluster.flavor.is_mariadb else "REPLICA"
    leaves_and_returns(replica, lambda: replica.sql(f"STOP {word} SQL_THREAD"),
                       lambda: replica.sql(f"START {word} SQL_THREAD"), "the SQL thread is stopped")


def test_lag_is_measured_by_the_primary_s_heartbeats(primary, replica):
    beats = primary.value("SELECT ts FROM _vt.heartbeat")
    wait_for(lambda: primary.value("SELECT ts FROM _vt.heartbeat") != beats, "the primary writes it")
    assert "s behind 127.0.0.1" in wait_for(
        lambda: get(replica, "/debug/status")[1], "the replica says how far behind it is")
    with Listener(primary) as listener:
        assert listener.last.target.tablet_type == 1
        assert listener.last.primary_term_start_timestamp > 0
        assert listener.last.realtime_stats.replication_lag_seconds == 0


def test_everybody_hears_at_least_every_five_seconds_and_when_asked(replica):
    with Listener(replica) as listener:
        wait_for(lambda: len(listener.messages) >= 2, "a second message", 7)
        count = len(listener.messages)
        replica.call("RunHealthCheck")
        wait_for(lambda: len(listener.messages) > count, "another one at once", 1, 0.01)


def document(tablet):
    """What the tablet says of itself in its cell's etcd."""
    return json.loads(tablet.cluster.cell.find(f"vtagent/{tablet.alias}/Health"))


def test_etcd_holds_the_state_and_the_command_line_shows_it(shard, primary, replica):
    def is_told():
        found = document(replica)
        return found["serving"] and found["lag_seconds"] is not None and found["position"]
    wait_for(is_told, "the replica's document says that it serves")
    assert document(primary)["type"] == "primary" and document(primary)["term_start"]
    shown = shard.ctl("Health", shard.shard_name).out
    assert replica.alias in shown and "replica, serving" in shown, shown
    assert "primary, serving, writable" in shown, shown
    assert len(json.loads(shard.ctl("Health", "--json", shard.shard_name).out)) == 2


def test_without_etcd_it_serves_on_says_so_and_catches_up(shard, replica):
    shard.cell.process.signal(signal.SIGSTOP)
    try:
        wait_for(lambda: "etcd does not know since" in get(replica, "/debug/status")[1],
                 "the page says that etcd is away", 30)
        assert get(replica, "/readyz")[0] == 200
    finally:
        shard.cell.process.signal(signal.SIGCONT)
    wait_for(lambda: "etcd does not know" not in get(replica, "/debug/status")[1], "it is over")
    wait_for(lambda: document(replica)["serving"], "the document is there")


def test_drain_hands_over_leaves_serving_and_may_be_repeated(shard, primary, replica):
    shard.ctl("Drain", primary.alias)
    shard.wait_primary(replica)
    shard.wait_type(primary, "spare")
    assert get(primary, "/debug/status")[1].count("not serving: type SPARE") >= 1
    start = time.monotonic()
    shard.ctl("Drain", primary.alias)
    assert time.monotonic() - start < 25
    shard.ctl("Drain", "--tablet-path", primary.alias)  # as a hook of the pod, which knows no more
    shard.ctl("ChangeTabletType", primary.alias, "replica")
    shard.wait_following(primary, replica)


def test_an_agent_that_stops_takes_its_document_along(shard, primary):
    primary.agent.stop()
    with pytest.raises(KeyError):
        document(primary)
    primary.start_agent()
    wait_for(lambda: document(primary)["serving"], "the document is back")
