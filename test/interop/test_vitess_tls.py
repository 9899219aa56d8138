"""Real vtctld over TLS, mutual TLS and with a password: the short story, and who is refused."""
import pytest

from vtharness.cluster import Cluster
from vtharness.security import Security
from vtharness.vitess import Control
from vtharness.wait import wait_for


@pytest.fixture(scope="module")
def shard(module_run, mysql):
    cluster = Cluster(module_run, mysql, security=Security(module_run)).start_topology().register("none")
    for uid in (100, 101):
        cluster.add(uid)
    cluster.start_all()
    cluster.control = Control(cluster).start()
    return cluster


@pytest.fixture
def primary(shard):
    """Made by our own command line where a test runs alone."""
    if not shard.shard_record().primary_alias.uid:
        shard.make_primary(shard.tablets[100])
    return shard.tablets[shard.shard_record().primary_alias.uid]


@pytest.fixture
def replica(shard, primary):
    """Has its own flags again afterwards."""
    tablet = next(tablet for tablet in shard.tablets.values() if tablet is not primary)
    argv = list(tablet.agent.argv)
    yield tablet
    tablet.agent.stop()
    tablet.agent.argv = argv
    tablet.start_agent()


def other_control(shard, name, *flags):
    """A second vtctld; its flags come last and count."""
    return Control(shard, name, flags).start()


def restart(tablet, *more, without=()):
    """The agent with other flags."""
    tablet.agent.stop()
    tablet.agent.argv = [word for word in tablet.agent.argv if not word.startswith(without)] + list(more)
    tablet.start_agent(waits=False)


def ping(control, tablet):
    """Patience is short: vtctld repeats a connection that fails until its caller's time is over."""
    return control.client("PingTablet", tablet.alias, code=None, deadline=15)


def refused(control, tablet, *parts):
    answer = ping(control, tablet)
    assert answer.code != 0, answer.text
    assert any(part in answer.text for part in parts), answer.text


def test_the_short_story_over_mutual_tls(shard):
    control, first, second = shard.control, *shard.tablets.values()
    assert len(control.client("GetTablets").out.splitlines()) == 2
    control.client("InitShardPrimary", "--force", shard.shard_name, first.alias)
    shard.wait_primary(first)
    shard.wait_following(second, first)
    control.client("ApplySchema", "--sql", "CREATE TABLE t (id INT PRIMARY KEY)", shard.keyspace)
    control.client("ExecuteFetchAsDBA", first.alias, "INSERT INTO t VALUES (1)")
    shard.wait_rows(second, 1)
    control.client("PlannedReparentShard", "--new-primary", second.alias, shard.shard_name)
    shard.wait_primary(second)
    shard.wait_following(first, second)
    control.client("ValidateShard", "--ping-tablets", shard.shard_name)


def test_vtctld_with_a_wrong_password_is_refused(shard, primary):
    wrong = shard.run.write("wrong.json", '{"Username": "operator", "Password": "guessed"}', 0o600)
    control = other_control(shard, "vtctld-guessing", f"--grpc-auth-static-client-creds={wrong}")
    refused(control, primary, "auth failure")


def test_vtctld_without_a_certificate_is_let_in_where_none_is_asked_for(shard, primary, replica):
    control = other_control(shard, "vtctld-bare", "--tablet-manager-grpc-cert=",
                            "--tablet-manager-grpc-key=")
    refused(control, primary, "certificate required", "DeadlineExceeded", "deadline exceeded")
    restart(replica, without=("--grpc-ca=", "--grpc-crl="))
    wait_for(lambda: ping(control, replica).code == 0, "TLS without a client's certificate is enough")


def test_a_revoked_vtctld_is_refused_without_a_restart(shard, primary):
    security = shard.security
    certificate, key = security.authority.issue("vtctld-old")
    control = other_control(shard, "vtctld-old", f"--tablet-manager-grpc-cert={certificate}",
                            f"--tablet-manager-grpc-key={key}")
    assert ping(control, primary).code == 0
    security.authority.revoke(certificate)
    wait_for(lambda: ping(control, primary).code != 0, "the revoked vtctld is refused")
    refused(control, primary, "certificate revoked: 'CN=vtctld-old'")
    assert ping(shard.control, primary).code == 0


def test_vtctld_does_not_call_a_tablet_that_shows_another_name(shard, primary):
    control = other_control(shard, "vtctld-strict", "--tablet-manager-grpc-server-name=elsewhere.example")
    refused(control, primary, "certificate is valid for", "DeadlineExceeded", "deadline exceeded")


def test_with_mtls_the_name_in_the_certificate_decides(shard, replica):
    certificate, key = shard.security.authority.issue("vtctld", "/O=Example/OU=control/CN=vtctld")
    control = other_control(shard, "vtctld-named", f"--tablet-manager-grpc-cert={certificate}",
                            f"--tablet-manager-grpc-key={key}")
    restart(replica, "--grpc-auth-mode=mtls",
            "--grpc-auth-mtls-allowed-substrings=CN=vtorc:CN=vtctld,OU=control,O=Example")
    wait_for(lambda: ping(control, replica).code == 0, "the certificate's name is let in")
    refused(shard.control, replica, "client certificate not authorized")
