"""A real vtgate listens to our tablets: its list shows type, state and lag, and follows a reparent."""
import os
import signal

import pytest

from vtharness.cluster import shard_of
from vtharness.vitess import Control, Gate, http_get
from vtharness.wait import wait_for


@pytest.fixture(scope="module")
def shard(module_run, mysql):
    cluster, primary, (replica,) = shard_of(module_run, mysql, agent_flags=["--heartbeat-enable"])
    cluster.control = Control(cluster).start()
    cluster.control.client("RebuildKeyspaceGraph", cluster.keyspace)
    cluster.control.client("RebuildVSchemaGraph")
    cluster.gate = Gate(cluster)
    cluster.gate.process.start()
    wait_for(lambda: len(cluster.gate.sql("SHOW VITESS_TABLETS")) == 2, "vtgate lists both", 120)
    return cluster, primary, replica


def seen(cluster):
    """alias → (type, state, term) as vtgate lists them."""
    return {row[5]: (row[3], row[4], row[7]) for row in cluster.gate.sql("SHOW VITESS_TABLETS")}


def test_types_and_states_are_listed(shard):
    cluster, primary, replica = shard
    wait_for(lambda: seen(cluster)[primary.alias][:2] == ("PRIMARY", "SERVING"), "primary serves")
    wait_for(lambda: seen(cluster)[replica.alias][:2] == ("REPLICA", "SERVING"), "replica serves")
    assert seen(cluster)[primary.alias][2].startswith("20"), seen(cluster)


def test_lag_and_replication_are_shown(shard):
    cluster, _, replica = shard
    rows = wait_for(lambda: cluster.gate.sql("SHOW VITESS_REPLICATION_STATUS"), "replication status")
    assert any(replica.alias in row for row in rows), rows
    wait_for(lambda: replica.alias in http_get(cluster.gate.http_port, "/debug/status"),
             "vtgate's page names the replica")


def test_a_replica_that_stops_is_taken_out_and_comes_back(shard):
    cluster, _, replica = shard
    pid = replica.mysqld_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: seen(cluster)[replica.alias][1] == "NOT_SERVING", "it is out", 30)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: seen(cluster)[replica.alias][1] == "SERVING", "it is back", 30)


def test_the_list_follows_a_planned_reparent(shard):
    cluster, primary, replica = shard
    term = seen(cluster)[primary.alias][2]
    cluster.control.client("PlannedReparentShard", "--new-primary", replica.alias, cluster.shard_name)
    wait_for(lambda: seen(cluster)[replica.alias][:2] == ("PRIMARY", "SERVING"), "the new primary", 30)
    wait_for(lambda: seen(cluster)[primary.alias][:2] == ("REPLICA", "SERVING"), "the old one", 30)
    assert seen(cluster)[replica.alias][2] > term


def test_a_drained_tablet_is_not_listed_as_serving(shard):
    cluster, primary, _ = shard
    cluster.ctl("Drain", primary.alias)
    wait_for(lambda: seen(cluster)[primary.alias][1] == "NOT_SERVING", "it is out", 30)
