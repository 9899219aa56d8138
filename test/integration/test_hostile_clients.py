"""Callers that mean no good, or go away at the worst moment."""
import os
import resource
import socket
import time

import pytest

from vtharness import wire
from vtharness.cluster import shard_of
from vtharness.wait import wait_for

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
IDLE_CONNECTIONS = 2000
FRESH_CONNECTIONS = 5000
DELAYS_MS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
MOST_GROWTH_KB = 3000


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    return shard_of(module_run, flavor, ("replica", "replica"))


@pytest.fixture(autouse=True, scope="module")
def many_files():
    """Our own side of two thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_files(tablet):
    return len(os.listdir(f"/proc/{tablet.agent.pid}/fd"))


def resident_kb(tablet):
    with open(f"/proc/{tablet.agent.pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS:")).split()[1])


def connect(tablet):
    return socket.create_connection(("127.0.0.1", tablet.grpc_port), timeout=60)


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def ping_frames():
    """One Ping("x") by hand: the headers as literals, then the message."""
    headers = b"\x83\x86"
    for name, value in ((b":path", b"/tabletmanagerservice.TabletManager/Ping"),
                        (b":authority", b"tablet"), (b"content-type", b"application/grpc"),
                        (b"te", b"trailers")):
        headers += b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    return frame(1, 4, 1, headers) + frame(0, 1, 1, b"\0\0\0\0\x03\x0a\x01x")


REQUEST = PREFACE + SETTINGS + ping_frames()


def ping_on_fresh_connection(tablet):
    with connect(tablet) as connection:
        connection.sendall(REQUEST)
        answer = b""
        while b"\0\0\0\0\x03\x0a\x01x" not in answer:
            more = connection.recv(4096)
            assert more, f"closed after {answer!r}"
            answer += more


@pytest.mark.parametrize("sent", [b"", PREFACE + b"\0\0\x30\4"], ids=["nothing", "half a frame"])
def test_two_thousand_connections_that_stay_silent(shard, sent):
    _, primary, _ = shard
    before, connections = open_files(primary), []
    try:
        for number in range(IDLE_CONNECTIONS):
            connections.append(connect(primary))
            connections[-1].sendall(sent)
            if number % 500 == 499:
                assert primary.call("Ping", payload="x").payload == "x"
        primary.manager.reconnect()
        assert primary.call("Ping", payload="still").payload == "still"
        assert primary.full_status().tablet_type == 1
        primary.call("RefreshState")
    finally:
        for connection in connections:
            connection.close()
    wait_for(lambda: open_files(primary) <= before + 10, "descriptors are given back", 120)


def test_fresh_connections_leave_memory_and_descriptors_flat(shard):
    _, primary, _ = shard
    for _ in range(FRESH_CONNECTIONS // 5):
        ping_on_fresh_connection(primary)
    files, memory = open_files(primary), resident_kb(primary)
    for _ in range(FRESH_CONNECTIONS):
        ping_on_fresh_connection(primary)
    wait_for(lambda: open_files(primary) <= files + 5, "descriptors are given back", 120)
    assert resident_kb(primary) <= memory + MOST_GROWTH_KB, f"{memory} KB before"


def cancelled(tablet, delay_ms, method, **fields):
    call = tablet.manager.future(method, timeout=60, **fields)
    time.sleep(delay_ms / 1000)
    call.cancel()
    try:
        call.result()
    except (wire.grpc.FutureCancelledError, wire.RpcError):
        pass


def at_rest(cluster, primary, replica):
    """One primary, known to everybody; the other follows it."""
    cluster.wait_primary(primary)
    cluster.wait_following(replica, primary)
    cluster.wait_type(replica, "replica")
    wait_for(replica.is_read_only, f"{replica.alias} is read-only")
    assert primary.full_status().tablet_type == 1 and replica.full_status().tablet_type == 2


@pytest.mark.parametrize("delay_ms", DELAYS_MS)
def test_a_promotion_nobody_waits_for_then_back_to_the_old_primary(shard, delay_ms):
    cluster, old, elect = shard[0], shard[1], shard[2][0]
    elect.call("WaitForPosition", position=old.call("DemotePrimary").primary_status.position)
    cancelled(elect, delay_ms, "PromoteReplica")
    wait_for(lambda: cluster.ctl("PlannedReparentShard", "--new-primary", old.alias, cluster.shard_name,
                                 code=None).code == 0, "the old primary takes over again", interval=0.5)
    at_rest(cluster, old, elect)
    cluster.insert(old)
    wait_for(lambda: elect.rows("t") == old.rows("t"), "the row arrives")


@pytest.mark.parametrize("delay_ms", DELAYS_MS)
def test_a_promotion_nobody_waits_for_then_once_more(shard, delay_ms):
    """The same, to the one that was cut off; then back."""
    cluster, old, elect = shard[0], shard[1], shard[2][0]
    elect.call("WaitForPosition", position=old.call("DemotePrimary").primary_status.position)
    cancelled(elect, delay_ms, "PromoteReplica")
    for target, other in ((elect, old), (old, elect)):
        wait_for(lambda target=target: cluster.ctl(
            "PlannedReparentShard", "--new-primary", target.alias, cluster.shard_name,
            code=None).code == 0, f"{target.alias} takes over", interval=0.5)
        at_rest(cluster, target, other)
        cluster.insert(target)
