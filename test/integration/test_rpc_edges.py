"""The gRPC port at its edges: deadlines, cancels, strange callers."""
import concurrent.futures
import http.client
import json
import os
import socket
import time

import pytest

from vtharness import wire
from vtharness.cluster import Cluster
from vtharness.wait import wait_for

SERVICE = "/tabletmanagerservice.TabletManager/"


@pytest.fixture(scope="module")
def tablet(module_run, one_flavor):
    cluster = Cluster(module_run, one_flavor).start_topology().register()
    made = cluster.add(100)
    cluster.start_all()
    cluster.make_primary(made)
    return made


@pytest.fixture(autouse=True)
def still_well(tablet):
    """Whatever a test does, the tablet answers afterwards and its action lock is free."""
    yield
    assert tablet.agent.is_alive()
    assert tablet.call("Ping", payload="after").payload == "after"
    tablet.call("RefreshState", timeout=60)
    assert tablet.full_status().tablet_type == 1


def refused(code, function, *arguments, **named):
    with pytest.raises(wire.RpcError) as caught:
        function(*arguments, **named)
    assert caught.value.code() == code, caught.value
    return caught.value.details()


def unreachable(tablet):
    if tablet.cluster.flavor.is_mariadb:
        return "MariaDB/0-1-99999999"
    return "MySQL56/11111111-2222-3333-4444-555555555555:1-5"


def open_files(tablet):
    return len(os.listdir(f"/proc/{tablet.agent.pid}/fd"))


def test_ping_gives_back_what_it_was_given(tablet):
    for payload in ("", "payload", "ü" * 1000, "x" * (5 << 20)):
        assert tablet.call("Ping", payload=payload).payload == payload


def test_a_message_of_20_megabytes_is_refused_and_nothing_else_happens(tablet):
    refused(wire.Code.RESOURCE_EXHAUSTED, tablet.call, "Ping", payload="x" * (20 << 20))


@pytest.mark.parametrize("method", ["Juggle", "CreateVReplicationWorkflow", "VDiff"])
def test_a_method_that_is_not_there_is_unimplemented_and_named(tablet, method):
    details = refused(wire.Code.UNIMPLEMENTED, tablet.manager.channel.raw, SERVICE + method, b"", 30)
    assert method in details


def test_a_service_that_is_not_there_is_unimplemented(tablet):
    refused(wire.Code.UNIMPLEMENTED, tablet.manager.channel.raw, "/some.Service/Method", b"", 30)


def test_bytes_that_are_no_message_are_refused(tablet):
    with pytest.raises(wire.RpcError) as caught:
        tablet.manager.channel.raw(SERVICE + "Ping", b"\xff\xff\xff\xff\x07nonsense", 30)
    assert caught.value.code() in (wire.Code.INVALID_ARGUMENT, wire.Code.INTERNAL)


def test_a_deadline_ends_a_wait(tablet):
    start = time.monotonic()
    refused(wire.Code.DEADLINE_EXCEEDED, tablet.call, "WaitForPosition", timeout=2,
            position=unreachable(tablet))
    assert time.monotonic() - start < 30


def test_a_cancelled_wait_is_over_at_the_tablet_too(tablet):
    waits = [tablet.manager.future("WaitForPosition", position=unreachable(tablet)) for _ in range(3)]
    wait_for(lambda: waiting_statements(tablet) >= 1, "the server waits")
    for call in waits:
        call.cancel()
    wait_for(lambda: waiting_statements(tablet) == 0, "nothing waits any more")


def waiting_statements(tablet):
    rows = tablet.sql("SELECT info FROM information_schema.processlist WHERE info IS NOT NULL")
    return sum("WAIT" in row[0].upper() and "processlist" not in row[0] for row in rows)


def sleepers(tablet):
    rows = tablet.sql("SELECT info FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(%'")
    return len(rows)


def test_a_statement_is_killed_at_its_callers_deadline(tablet):
    refused(wire.Code.DEADLINE_EXCEEDED, tablet.call, "ExecuteFetchAsDba", timeout=3,
            query=b"SELECT SLEEP(300)", max_rows=10)
    wait_for(lambda: sleepers(tablet) == 0, "the statement is gone from the server")


def test_a_statement_is_killed_when_its_caller_goes_away(tablet):
    call = tablet.manager.future("ExecuteFetchAsDba", query=b"SELECT SLEEP(300)", max_rows=10)
    wait_for(lambda: sleepers(tablet) == 1, "the statement runs")
    call.cancel()
    wait_for(lambda: sleepers(tablet) == 0, "the statement is gone from the server")


@pytest.mark.parametrize("position", ["nonsense", "MySQL56/x:y", "MariaDB/1-2", "Unknown/1", "/"])
def test_a_position_that_cannot_be_read_is_an_error_and_no_more(tablet, position):
    with pytest.raises(wire.RpcError) as caught:
        tablet.call("WaitForPosition", timeout=30, position=position)
    assert caught.value.code() not in (wire.Code.DEADLINE_EXCEEDED, wire.Code.UNAVAILABLE), caught.value
    with pytest.raises(wire.RpcError) as caught:
        tablet.call("PopulateReparentJournal", timeout=30, time_created_ns=1, action_name="x",
                    replication_position=position)
    assert caught.value.code() not in (wire.Code.DEADLINE_EXCEEDED, wire.Code.UNAVAILABLE), caught.value


def test_the_health_service_answers(tablet):
    service = wire.health(tablet.grpc_port)
    assert service.call("Check").status == 1
    refused(wire.Code.NOT_FOUND, service.call, "Check", service="no.such.Service")
    service.close()


def test_many_callers_at_once_are_all_answered(tablet):
    def ask(number):
        service = wire.tablet_manager(tablet.grpc_port)
        try:
            assert service.call("Ping", payload=str(number)).payload == str(number)
            return service.call("FullStatus").status.server_id
        finally:
            service.close()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(100))) == {int(tablet.value("SELECT @@server_id"))}


def test_silent_and_half_spoken_connections_cost_nothing_after_they_close(tablet):
    before = open_files(tablet)
    connections = []
    for number in range(300):
        connection = socket.create_connection(("127.0.0.1", tablet.grpc_port), timeout=30)
        if number % 3 == 1:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\4\4\0")
        if number % 3 == 2:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        connections.append(connection)
    assert tablet.call("Ping", payload="meanwhile").payload == "meanwhile"
    for connection in connections:
        connection.close()
    wait_for(lambda: open_files(tablet) <= before + 10, "descriptors are given back", 120)


def test_fresh_connections_leave_nothing_behind(tablet):
    def once():
        service = wire.tablet_manager(tablet.grpc_port)
        service.call("Ping", payload="x")
        service.close()
    once()
    before = open_files(tablet)
    for _ in range(200):
        once()
    wait_for(lambda: open_files(tablet) <= before + 5, "descriptors are given back", 120)


def get(tablet, path):
    connection = http.client.HTTPConnection("127.0.0.1", tablet.http_port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_http_port_answers_probes_and_variables(tablet):
    assert get(tablet, "/livez")[0] == 200
    assert get(tablet, "/readyz")[0] == 200
    status, body = get(tablet, "/debug/vars")
    assert status == 200
    assert {"BuildHost", "BuildUser", "BuildTimestamp", "BuildGitRev"} <= set(json.loads(body))
    assert get(tablet, "/no/such/page")[0] == 404


def test_an_http_request_that_never_ends_does_not_block_others(tablet):
    with socket.create_connection(("127.0.0.1", tablet.http_port), timeout=30) as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        assert get(tablet, "/livez")[0] == 200
