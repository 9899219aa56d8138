"""Nothing open: etcd and tablets over mutual TLS, calls with a password, secrets that stay secret."""
import http.client
import json
import os
import socket
import ssl

import pytest

from vtharness import wire
from vtharness.cluster import Cluster
from vtharness.faults import caught_in_the_middle, resume
from vtharness.health import TWO_INTERVALS, get, leaves_and_returns
from vtharness.process import command_of, pids_with_environment
from vtharness.run import MARKER, Run
from vtharness.security import Authority, Security
from vtharness.wait import wait_for

REPLICATION_PASSWORD = "battery-staple-9"
PAGES = ("/", "/debug/status", "/debug/vars", "/debug/health", "/healthz", "/livez", "/readyz", "/metrics")


def _give_passwords(cluster):
    """The replication account gets one on each server, unlogged."""
    for tablet in cluster.tablets.values():
        lock = "read_only" if cluster.flavor.is_mariadb else "super_read_only"
        tablet.sql(f"SET sql_log_bin = 0; SET GLOBAL {lock} = 0; ALTER USER vt_repl@'%' IDENTIFIED BY "
                   f"'{REPLICATION_PASSWORD}'; SET GLOBAL {lock} = 1")


@pytest.fixture(scope="module")
def shard(flavor):
    with Run("security") as run:
        accounts = run.write("accounts.json", json.dumps({"vt_repl": [REPLICATION_PASSWORD]}), 0o600)
        cluster = Cluster(run, flavor, security=Security(run), agent_flags=[
            f"--db-credentials-file={accounts}"]).start_topology().register()
        tablets = [cluster.add(100), cluster.add(101)]
        cluster.start_all()
        _give_passwords(cluster)
        cluster.make_primary(tablets[0])
        cluster.wait_following(tablets[1], tablets[0])
        cluster.make_table(tablets[0])
        yield cluster


@pytest.fixture
def primary(shard):
    return shard.tablets[shard.shard_record().primary_alias.uid]


@pytest.fixture
def replica(shard, primary):
    return next(tablet for tablet in shard.tablets.values() if tablet is not primary)


def ping(tablet, tls, user):
    service = wire.tablet_manager(tablet.grpc_port, tls=tls, user=user)
    try:
        return service.call("Ping", payload="x", timeout=60).payload
    finally:
        service.close()


def refused(code, tablet, tls, user):
    with pytest.raises(wire.RpcError) as caught:
        ping(tablet, tls, user)
    assert caught.value.code() in (code if isinstance(code, tuple) else (code,)), caught.value


def reparent(cluster, elect):
    cluster.ctl("PlannedReparentShard", "--new-primary", elect.alias, cluster.shard_name)
    cluster.wait_primary(elect)
    for tablet in cluster.tablets.values():
        if tablet is not elect:
            cluster.wait_following(tablet, elect)


def test_operators_and_tablets_work_as_ever(shard, primary, replica):
    """ctl calls tablets and etcd; a tablet asks its new source before it follows."""
    reparent(shard, replica)
    reparent(shard, primary)
    shard.insert(primary, 3)
    shard.ctl("ValidateShard", "--ping-tablets", shard.shard_name)
    shard.ctl("Backup", replica.alias)
    fresh = shard.add(102).start()
    shard.wait_rows(fresh, 3, deadline=120)
    shard.wait_type(fresh, "replica")
    fresh.stop()
    shard.ctl("DeleteTablets", fresh.alias)
    del shard.tablets[102]


def test_plaintext_is_refused(shard, primary):
    refused(wire.Code.UNAVAILABLE, primary, None, shard.security.user)
    answer = shard.run.command([shard.run.vtagent(), "ctl", *shard.topology_flags(),
                                f"--grpc-auth-static-client-creds={shard.security.client_file}",
                                "--action-timeout=5s", "PingTablet", primary.alias])
    assert answer.returncode != 0, answer.stdout


def test_a_caller_without_a_certificate_is_refused(shard, primary):
    refused(wire.Code.UNAVAILABLE, primary, lambda: wire.credentials(shard.security.trusted),
            shard.security.user)


def test_a_caller_of_another_authority_is_refused(shard, primary):
    stranger = Authority(shard.run, "stranger")
    certificate, key = stranger.issue("caller")
    refused(wire.Code.UNAVAILABLE, primary,
            lambda: wire.credentials(shard.security.trusted, certificate, key), shard.security.user)


def test_a_revoked_caller_is_refused_even_on_an_open_connection(shard, primary):
    security = shard.security
    pair = security.authority.issue("leaver")
    kept = wire.tablet_manager(primary.grpc_port, user=security.user,
                               tls=lambda: wire.credentials(security.trusted, *pair))
    assert kept.call("Ping", payload="x").payload == "x"
    security.authority.revoke(pair[0])

    def is_out():
        with pytest.raises(wire.RpcError) as caught:
            kept.call("Ping", payload="x")
        return caught.value.code() == wire.Code.UNAUTHENTICATED and "CN=leaver" in caught.value.details()
    wait_for(is_out, "the revoked certificate is refused")
    kept.close()
    refused(wire.Code.UNAUTHENTICATED, primary, lambda: wire.credentials(security.trusted, *pair),
            security.user)
    assert ping(primary, security.credentials, security.user) == "x"


def test_a_tablet_with_a_revoked_certificate_is_not_called(shard, primary):
    authority = shard.security.authority
    flag = f"--tablet-manager-grpc-crl={authority.revoke(into='suspicion')}"
    ask = ("--action-timeout=5s", "PingTablet", primary.alias)
    shard.ctl(flag, *ask)
    authority.revoke(shard.security.certificate, into="suspicion")
    answer = shard.ctl(flag, *ask, code=None)
    assert answer.code != 0 and "no connection to" in answer.text and "revoked" in answer.text, answer.text


def test_a_revocation_list_that_cannot_be_read_changes_nothing(shard, primary):
    security = shard.security
    pair = security.authority.issue("another-leaver")
    security.authority.revoke(pair[0])

    def tls():
        return wire.credentials(security.trusted, *pair)
    refused(wire.Code.UNAUTHENTICATED, primary, tls, security.user)
    try:
        for text in ("", "nonsense", "-----BEGIN X509 CRL-----\nxx\n-----END X509 CRL-----\n"):
            with open(security.revoked, "w", encoding="ascii") as file:
                file.write(text)
            refused(wire.Code.UNAUTHENTICATED, primary, tls, security.user)
            assert ping(primary, security.credentials, security.user) == "x"
    finally:
        security.authority.revoke()


@pytest.fixture
def by_name(replica):
    """The replica, letting in by certificates' names instead of passwords."""
    argv = replica.agent.argv
    replica.agent.stop()
    replica.agent.argv = [*argv, "--grpc-auth-mode=mtls",
                          "--grpc-auth-mtls-allowed-substrings=CN=tablet:OU=operations"]
    replica.start_agent()
    yield replica
    replica.agent.stop()
    replica.agent.argv = argv
    replica.start_agent()


def test_with_mtls_only_certificates_of_known_names_may_call(shard, primary, by_name):
    security = shard.security
    assert ping(by_name, security.credentials, None) == "x"
    known = security.authority.issue("anybody", "/O=Example/OU=operations/CN=anybody")
    assert ping(by_name, lambda: wire.credentials(security.trusted, *known), None) == "x"
    unknown = security.authority.issue("intruder", "/O=operations/CN=intruder")
    refused(wire.Code.UNAUTHENTICATED, by_name, lambda: wire.credentials(security.trusted, *unknown),
            security.user)
    refused(wire.Code.UNAVAILABLE, by_name, lambda: wire.credentials(security.trusted), None)
    shard.wait_following(by_name, primary)


def test_a_tablet_of_another_authority_is_not_trusted(shard, primary):
    stranger = Authority(shard.run, "stranger")
    for flag, verb in (("--tablet-manager-grpc-ca", ("PingTablet", primary.alias)),
                       ("--topo-etcd-tls-ca", ("GetTablets",))):
        answer = shard.ctl(f"{flag}={stranger.certificate}", "--action-timeout=5s", *verb, code=None)
        assert answer.code != 0, answer.text


def test_a_wrong_password_is_refused(shard, primary):
    credentials = shard.security.credentials
    refused(wire.Code.UNAUTHENTICATED, primary, credentials, None)
    for user in (("operator", "wrong"), ("nobody", shard.security.user[1]), ("", ""), ("operator", "")):
        refused((wire.Code.PERMISSION_DENIED, wire.Code.UNAUTHENTICATED), primary, credentials, user)
    assert ping(primary, shard.security.credentials, shard.security.user) == "x"


def test_the_list_of_users_is_read_again(shard, primary):
    security, second = shard.security, ("second", "another-word-5")
    refused(wire.Code.PERMISSION_DENIED, primary, security.credentials, second)
    security.set_users([security.user, second])
    wait_for(lambda: ping(primary, security.credentials, second) == "x", "the new user is let in")
    security.set_users([security.user])

    def is_out():
        refused(wire.Code.PERMISSION_DENIED, primary, security.credentials, second)
        return True
    wait_for(is_out, "the user who was taken off the list is refused")
    assert ping(primary, security.credentials, security.user) == "x"


def test_a_list_of_users_that_cannot_be_read_lets_nobody_new_in(shard, primary):
    security = shard.security
    with open(security.users_file, "w", encoding="utf-8") as file:
        file.write("[{")
    refused(wire.Code.PERMISSION_DENIED, primary, security.credentials, ("operator", "wrong"))
    security.set_users([security.user])
    wait_for(lambda: ping(primary, security.credentials, security.user) == "x", "all is well again")


def test_a_certificate_that_expires_is_told_before_and_leaves_serving(shard, replica):
    authority, seconds = shard.security.authority, 10
    name = os.path.basename(shard.security.certificate)

    def spoil():
        authority.issue("tablet", seconds=seconds)
        wait_for(lambda: "expires at" in get(replica, "/debug/status")[1], "it is told before", seconds)
        assert get(replica, "/readyz")[0] == 200
    leaves_and_returns(replica, spoil, lambda: authority.issue("tablet"), f"{name}' expired at",
                       seconds + TWO_INTERVALS)
    for tablet in shard.tablets.values():
        tablet.manager.reconnect()


def served_certificate(cluster, tablet):
    context = ssl.create_default_context(cafile=cluster.security.trusted)
    context.load_cert_chain(cluster.security.certificate, cluster.security.key)
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", tablet.grpc_port), timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            return connection.getpeercert(binary_form=True)


def test_replaced_certificates_are_used_without_a_restart(shard, primary, replica):
    """First one of the same authority, then all of a new one."""
    security = shard.security
    pids = [tablet.agent.pid for tablet in shard.tablets.values()]
    before = served_certificate(shard, primary)
    security.authority.issue("tablet")
    wait_for(lambda: served_certificate(shard, primary) != before, "the new certificate is served")
    reparent(shard, replica)
    successor = Authority(shard.run, "successor")
    with open(successor.certificate, encoding="ascii") as file:
        both = file.read()
    with open(security.trusted, encoding="ascii") as file:
        both += file.read()
    made = shard.run.write("both.new", both)
    os.replace(made, security.trusted)
    before = served_certificate(shard, primary)
    successor.issue("tablet")
    wait_for(lambda: served_certificate(shard, primary) != before, "the successor's is served")
    wait_for(lambda: ping(primary, security.credentials, security.user) == "x", "the tests are let in")
    for tablet in shard.tablets.values():
        tablet.manager.reconnect()
    reparent(shard, primary)
    assert [tablet.agent.pid for tablet in shard.tablets.values()] == pids


def secrets(cluster):
    found = [cluster.security.user[1], REPLICATION_PASSWORD, "another-word-5"]
    with open(cluster.security.key, encoding="ascii") as file:
        found.append(file.read().splitlines()[1])
    return found


def test_no_secret_is_on_a_command_line_even_of_a_worker(shard, replica):
    job, pid = caught_in_the_middle(replica, lambda: shard.ctl("Backup", replica.alias))
    try:
        commands = [" ".join(command_of(one))
                    for one in pids_with_environment(f"{MARKER}={shard.run.directory}")]
    finally:
        resume(pid)
    job.result()
    shard.wait_type(replica, "replica")
    assert len(commands) > 6
    for command in commands:
        for secret in secrets(shard):
            assert secret not in command, command


def test_no_secret_is_in_a_log(shard):
    folder = os.path.join(shard.run.directory, "logs")
    names = os.listdir(folder)
    assert len(names) >= 6
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            text = file.read()
        for secret in secrets(shard):
            assert secret not in text, f"{name} has {secret}"


def test_no_secret_is_on_a_page_or_in_the_printed_configuration(shard, primary):
    for page in PAGES:
        connection = http.client.HTTPConnection("127.0.0.1", primary.http_port, timeout=30)
        connection.request("GET", page)
        text = connection.getresponse().read().decode(errors="replace")
        connection.close()
        for secret in secrets(shard):
            assert secret not in text, f"{page} has {secret}"
    printed = shard.run.command([*primary.agent.argv, "--db-dba-password=very-secret-1", "--print-config"],
                                env=shard.server_env)
    assert printed.returncode == 0, printed.stderr
    for secret in [*secrets(shard), "very-secret-1"]:
        assert secret not in printed.stdout + printed.stderr, secret
