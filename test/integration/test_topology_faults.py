"""etcd away and back; agents that want the same name or the same port."""
import http.client
import time

import pytest

from vtharness import wire
from vtharness.cluster import Cluster, shard_of
from vtharness.wait import wait_for


@pytest.fixture
def shard(run, one_flavor):
    return shard_of(run, one_flavor, ("replica", "replica"))


def both_etcds(cluster):
    return (cluster.glob, cluster.cell)


def test_the_tablets_go_on_without_etcd_and_meet_again(shard):
    cluster, primary, (replica,) = shard
    for etcd in both_etcds(cluster):
        etcd.stop()
    for tablet in (primary, replica):
        assert tablet.call("Ping", payload="x", timeout=20).payload == "x"
        assert tablet.call("FullStatus", timeout=20).status.server_id > 0
    cluster.insert(primary, 5)
    cluster.wait_rows(replica, 5)
    for etcd in both_etcds(cluster):
        etcd.start()
    cluster.ctl("PlannedReparentShard", "--new-primary", replica.alias, cluster.shard_name)
    cluster.wait_primary(replica)
    cluster.wait_following(primary, replica)


def test_a_promotion_while_etcd_is_away_is_published_when_it_is_back(shard):
    cluster, primary, (replica,) = shard
    cluster.cell.stop()
    replica.call("StopReplication", timeout=60)
    replica.call("StartReplication", timeout=60)
    cluster.wait_following(replica, primary)
    replica.call("ChangeType", tablet_type=4, timeout=60)
    cluster.cell.start()
    cluster.wait_type(replica, "spare", 120)


def test_a_stop_without_etcd_is_bounded(shard):
    cluster, primary, _ = shard
    for etcd in both_etcds(cluster):
        etcd.stop()
    start = time.monotonic()
    assert primary.agent.stop(60) == 0
    assert time.monotonic() - start < 40


def test_a_start_without_etcd_answers_and_registers_when_etcd_comes(run, one_flavor):
    cluster = Cluster(run, one_flavor).start_topology().register()
    tablet = cluster.add(100)
    tablet.start_supervisor()
    for etcd in both_etcds(cluster):
        etcd.stop()
    tablet.start_agent(waits=False)
    tablet.wait_agent()
    for etcd in both_etcds(cluster):
        etcd.start()
    cluster.wait_registered(tablet)
    cluster.wait_type(tablet, "replica")


def test_a_start_without_etcd_for_longer_than_its_budget_ends_with_a_clear_error(run, one_flavor):
    cluster = Cluster(run, one_flavor).start_topology().register()
    tablet = cluster.add(100, agent_flags=["--init-timeout=5s"])
    tablet.start_supervisor()
    for etcd in both_etcds(cluster):
        etcd.stop()
    tablet.agent.start()
    assert tablet.agent.wait(120) not in (0, 2)
    assert cluster.glob.address in tablet.agent.log() or "etcd" in tablet.agent.log().lower()


def test_a_cell_that_is_not_registered_is_named(run, one_flavor):
    cluster = Cluster(run, one_flavor).start_topology()
    tablet = cluster.add(100, agent_flags=["--init-timeout=10s"])
    tablet.start_supervisor()
    tablet.agent.start()
    wait_for(lambda: "AddCellInfo" in tablet.agent.log() and "zone1" in tablet.agent.log(),
             "the log says what to do")
    if tablet.agent.is_alive():
        cluster.register()
        cluster.wait_registered(tablet)


def test_a_second_agent_on_a_port_in_use_ends_with_a_clear_error(shard):
    cluster, primary, (replica,) = shard
    third = cluster.add(120)
    third.agent.argv = [word.replace(f"--grpc-port={third.grpc_port}", f"--grpc-port={primary.grpc_port}")
                        for word in third.agent.argv]
    third.agent.start()
    assert third.agent.wait(60) not in (0, None)
    assert str(primary.grpc_port) in third.agent.log()
    del cluster.tablets[120]
    fourth = cluster.add(121)
    fourth.agent.argv = [word.replace(f"--port={fourth.http_port}", f"--port={primary.http_port}")
                         for word in fourth.agent.argv]
    fourth.agent.start()
    assert fourth.agent.wait(60) not in (0, None)
    assert str(primary.http_port) in fourth.agent.log()
    cluster.wait_primary(primary)
    cluster.wait_following(replica, primary)


def test_a_second_agent_with_the_same_alias_does_no_harm(shard):
    cluster, primary, (replica,) = shard
    twin = cluster.add(101)
    twin.agent.start()
    code = twin.agent.wait(90)
    assert code not in (0, None)
    assert primary.cluster.cell_name in twin.agent.log()
    assert replica.call("Ping", payload="x").payload == "x"
    cluster.wait_following(replica, primary)
    assert replica.record().port_map["grpc"] == replica.grpc_port


def test_an_agent_of_another_shard_may_not_take_the_alias(shard):
    cluster, primary, (replica,) = shard
    replica.agent.stop()
    argv = replica.agent.argv
    replica.agent.argv = [word.replace("--init-shard=0", "--init-shard=-80") for word in argv]
    replica.agent.start()
    assert replica.agent.wait(120) not in (0, None)
    replica.agent.argv = argv
    replica.start_agent()
    cluster.wait_following(replica, primary)


def test_a_tablet_whose_record_was_deleted_ends(shard):
    cluster, _, (replica,) = shard
    (key,) = [key for key in cluster.cell.files() if key.endswith(f"tablets/{replica.alias}/Tablet")]
    cluster.cell.delete(key)
    try:
        replica.call("ChangeType", tablet_type=3, timeout=30)
    except wire.RpcError:
        pass
    replica.agent.wait(120)
    assert not replica.agent.is_alive()


def test_readiness_says_why_not(run, one_flavor):
    cluster = Cluster(run, one_flavor).start_topology().register()
    tablet = cluster.add(100)
    tablet.agent.start()
    wait_for(lambda: get(tablet, "/livez")[0] == 200, "alive without mysqld")
    status, body = get(tablet, "/readyz")
    assert status == 503 and body.strip(), (status, body)
    tablet.start_supervisor()
    wait_for(lambda: get(tablet, "/readyz")[0] == 200, "ready", 120)


def get(tablet, path):
    connection = http.client.HTTPConnection("127.0.0.1", tablet.http_port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
