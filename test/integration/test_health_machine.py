"""What breaks around a server: the way from the primary, the disk. In a network of its own; the replica
has a disk of its own."""
import contextlib
import os
import signal

import pytest

from vtharness import wire
from vtharness.cluster import Cluster
from vtharness.filesystem import filled, frozen, mount_xfs
from vtharness.fixtures import primary, replica  # noqa: F401
from vtharness.health import TWO_INTERVALS, Listener, get, leaves_and_returns, wait_ready
from vtharness.network import own_network, silent
from vtharness.run import Run
from vtharness.wait import holds_for, wait_for

DISK = 1 << 30
LEFT = 12 << 20  # below the reserve: 3 % of the disk
DISK_TIMEOUT = 1.0


@pytest.fixture(scope="module")
def shard(flavor):
    with own_network(), Run("machine") as run:
        cluster = Cluster(run, flavor, agent_flags=[
            "--heartbeat-enable", "--disk-write-interval=500ms", f"--disk-write-timeout={DISK_TIMEOUT}s"])
        cluster.start_topology().register()
        primary, replica = cluster.add(100), cluster.add(101)
        mount_xfs(run, run.folder(os.path.relpath(replica.directory, run.directory)), size=DISK)
        cluster.start_all()
        cluster.make_primary(primary)
        cluster.wait_following(replica, primary)
        cluster.make_table(primary)
        wait_ready(cluster)
        yield cluster


def with_trouble(tablet, trouble, cause, budget=TWO_INTERVALS, meanwhile=lambda: None):
    """`trouble` is a context manager."""
    with contextlib.ExitStack() as stack:
        def mend():
            meanwhile()
            stack.close()
        return leaves_and_returns(tablet, lambda: stack.enter_context(trouble), mend, cause, budget)


def test_an_io_thread_that_hears_nothing_is_noticed(primary, replica):
    """The server itself believes for a minute that all is well."""
    def meanwhile():
        assert replica.threads() == ("Yes", "Yes")
        assert get(primary, "/readyz")[0] == 200
    with_trouble(replica, silent(primary.mysql_port), "nothing arrives from 127.0.0.1", TWO_INTERVALS + 1,
                 meanwhile)


def test_a_primary_that_falls_silent_does_not_take_its_replicas_along(primary, replica):
    """Nothing arrives because there is nothing: a replica that has it all serves on."""
    pid = primary.mysqld_pid()
    with Listener(replica) as listener:
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for(lambda: get(primary, "/readyz")[0] == 503, "the primary does not serve")
            holds_for(lambda: listener.last.serving, "the replica serves", 5)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert listener.changes(0) == 0
    wait_for(lambda: get(primary, "/readyz")[0] == 200, "the primary serves")


def test_a_disk_that_is_full_is_noticed(replica):
    with_trouble(replica, filled(replica.directory, LEFT), "the disk of the data directory is 9")


def test_a_file_system_that_is_frozen_is_noticed_and_hangs_nobody(shard, primary, replica):
    def meanwhile():
        assert replica.call("Ping", payload="x", timeout=5).payload == "x"
        assert get(replica, "/livez")[0] == 200
        control = wire.supervisor(replica.control_socket)
        assert control.call("Status", timeout=5).is_running
        control.close()
        assert get(primary, "/readyz")[0] == 200
        shard.insert(primary)
    with_trouble(replica, frozen(replica.directory), "the disk of the data directory is stalled",
                 TWO_INTERVALS + DISK_TIMEOUT, meanwhile)
    wait_for(lambda: replica.rows("t") == primary.rows("t"), "what was written meanwhile arrives")
