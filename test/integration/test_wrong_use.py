"""Wrong use: one clear line, the right exit status, nothing touched. Status 2 is wrong use, 1 a failure."""
import os

import pytest

from vtharness.cluster import Cluster
from vtharness.servers import flavors


@pytest.fixture(scope="module")
def cluster(module_run):
    return Cluster(module_run, flavors()[-1]).start_topology().register()


def vtagent(cluster, *words, env=None):
    return cluster.run.command([cluster.run.vtagent(), *words], env={**cluster.server_env, **(env or {})})


def one_line(done, *expected):
    """A single line on stderr that names what was wrong; nothing on stdout."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert done.stdout == "", done.stdout
    for word in expected:
        assert word in lines[0], (word, lines[0])


@pytest.mark.parametrize("face", ["tablet", "mysqld"])
def test_an_unknown_flag_is_an_error_that_names_the_nearest(cluster, face):
    flag = {"tablet": "--tablet-pth=zone1-1", "mysqld": "--tablet-uidd=1"}[face]
    done = vtagent(cluster, face, flag)
    assert done.returncode == 2
    assert {"tablet": "tablet-path", "mysqld": "tablet-uid"}[face] in done.stderr, done.stderr


@pytest.mark.parametrize("words, expected", [
    ((), "verb"),
    (("NoSuchVerb",), "NoSuchVerb"),
    (("GetTablet",), "GetTablet"),
    (("GetTablet", "zone1-100", "more"), "GetTablet"),
    (("GetTablet", "not_an_alias"), "not_an_alias"),
    (("GetTablet", "zone1-99999999999"), "zone1-99999999999"),
    (("GetShard", "commerce"), "commerce"),
    (("GetShard", "com merce/0"), "com merce"),
    (("CreateKeyspace", "bad/name"), "bad/name"),
    (("CreateKeyspace", "x" * 65), "x" * 20),
    (("CreateKeyspace", "--durability-policy=wishful", "other"), "wishful"),
    (("InitShardPrimary", "--force", "commerce/0"), "InitShardPrimary"),
    (("PlannedReparentShard", "--new-primary=zone1", "commerce/0"), "zone1"),
    (("PlannedReparentShard", "--wait-replicas-timeout=soon", "commerce/0"), "soon"),
    (("ApplySchema", "commerce"), "sql"),
    (("GetTablets", "--no-such-flag"), "no-such-flag"),
    (("AddCellInfo", "--server-address", "http://127.0.0.1:1", "bad/cell"), "bad/cell"),
    (("AddCellInfo", "zone9"), "server"),
])
def test_wrong_words_after_ctl_are_answered_with_one_line_and_status_2(cluster, words, expected):
    answer = cluster.ctl(*words, code=None)
    assert answer.code == 2, answer.text
    one_line(type("Done", (), {"stdout": answer.out, "stderr": answer.err}), expected)


@pytest.mark.parametrize("words, expected", [
    (("GetTablet", "zone1-424242"), "zone1-0000424242"),
    (("GetShard", "commerce/80-"), "commerce/80-"),
    (("GetShard", "nothing/0"), "nothing"),
    (("GetTablet", "nocell-1"), "nocell"),
    (("CreateKeyspace", "commerce"), "commerce"),
    (("InitShardPrimary", "--force", "commerce/0", "zone1-424242"), "commerce"),
    (("Backup", "zone1-424242"), "424242"),
    (("ApplySchema", "--sql", "SELECT 1", "nothing"), "nothing"),
])
def test_right_words_about_things_that_are_not_there_fail_with_status_1(cluster, words, expected):
    answer = cluster.ctl(*words, code=None)
    assert answer.code == 1, answer.text
    one_line(type("Done", (), {"stdout": answer.out, "stderr": answer.err}), expected)


def test_an_unreachable_topology_is_named_and_the_wait_is_bounded(cluster):
    done = vtagent(cluster, "ctl", "--topo-global-server-address=127.0.0.1:1", "--topo-global-root=/x",
                   "GetKeyspaces")
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr, done.stderr


@pytest.mark.parametrize("face", [(), ("tablet",), ("mysqld",), ("ctl",)])
def test_help_goes_to_stdout_with_status_0(cluster, face):
    done = vtagent(cluster, *face, "--help")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 5 and done.stderr == ""


def test_each_verb_has_help(cluster):
    done = vtagent(cluster, "ctl", "PlannedReparentShard", "--help")
    assert done.returncode == 0 and "new-primary" in done.stdout


def test_an_unknown_face_is_wrong_use(cluster):
    done = vtagent(cluster, "juggle")
    assert done.returncode == 2 and "juggle" in done.stderr


def agent(cluster, **changes):
    """Runs an agent whose flags are changed; it must end by itself."""
    tablet = cluster.add(300)
    del cluster.tablets[300]
    argv = []
    for word in tablet.agent.argv:
        name = word.lstrip("-").partition("=")[0].replace("-", "_")
        if name not in changes:
            argv.append(word)
        elif changes[name] is not None:
            argv.append(word.partition("=")[0] + "=" + changes[name])
    done = cluster.run.command(argv, env=cluster.server_env, deadline=90)
    assert done.returncode not in (0, None), done.stderr
    return done


@pytest.mark.parametrize("changes, expected", [
    ({"tablet_path": "nonsense"}, "nonsense"),
    ({"tablet_path": None}, "tablet-path"),
    ({"init_keyspace": "bad name"}, "bad name"),
    ({"init_keyspace": None}, "init-keyspace"),
    ({"init_shard": "80-40"}, "80-40"),
    ({"init_shard": "zz-"}, "zz-"),
    ({"init_tablet_type": "primary"}, "primary"),
    ({"init_tablet_type": "boss"}, "boss"),
    ({"grpc_port": "70000"}, "grpc-port"),
    ({"grpc_port": "many"}, "many"),
    ({"topo_global_server_address": None}, "topo-global-server-address"),
    ({"backup_storage_implementation": "tape"}, "tape"),
])
def test_an_agent_with_wrong_flags_ends_at_once_and_says_what_is_wrong(cluster, changes, expected):
    done = agent(cluster, **changes)
    assert expected in done.stderr, done.stderr
    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("flags, expected", [
    (["--tablet-uid=0"], "tablet-uid"),
    (["--tablet-uid=x"], "x"),
    (["--mysql-port=99999"], "mysql-port"),
    (["--wait-time=soon"], "soon"),
    (["--init-db-sql-file=/no/such/file"], "/no/such/file"),
])
def test_a_supervisor_with_wrong_flags_ends_and_says_what_is_wrong(cluster, flags, expected):
    argv = cluster.add(301).supervisor.argv
    del cluster.tablets[301]
    done = cluster.run.command([*argv, *flags], env=cluster.server_env, deadline=90)
    assert done.returncode not in (0, None)
    assert expected in done.stderr, done.stderr
    assert cluster.run.leftovers() == [cluster.glob.process.pid, cluster.cell.process.pid]


def test_a_missing_server_is_named(cluster):
    argv = cluster.add(302).supervisor.argv
    del cluster.tablets[302]
    done = cluster.run.command(argv, env={**cluster.server_env, "VT_MYSQL_ROOT": "/no/such/root"}, deadline=90)
    assert done.returncode == 1
    assert "/no/such/root" in done.stderr, done.stderr


def test_a_data_root_that_is_not_there_or_not_writable_is_named(cluster):
    argv = cluster.add(303).supervisor.argv
    del cluster.tablets[303]
    for root in ("/no/such/root", "/proc"):
        done = cluster.run.command(argv, env={**cluster.server_env, "VTDATAROOT": root}, deadline=90)
        assert done.returncode == 1
        assert root[:3] in done.stderr and "VTDATAROOT" in done.stderr, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="another owner needs root")
def test_a_data_directory_of_another_user_is_refused_and_not_touched(cluster):
    tablet = cluster.add(304)
    del cluster.tablets[304]
    data = os.path.join(cluster.run.folder("d", "vt_0000000304"), "data")
    os.makedirs(data)
    with open(os.path.join(data, "ibdata1"), "w", encoding="ascii") as file:
        file.write("precious")
    os.chmod(data, 0o755)
    done = cluster.run.command(tablet.supervisor.argv, env=cluster.server_env, deadline=120)
    assert done.returncode == 1
    assert "vt_0000000304" in done.stderr, done.stderr
    with open(os.path.join(data, "ibdata1"), encoding="ascii") as file:
        assert file.read() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be refused as root")
def test_as_root_the_supervisor_drops_to_a_user_or_says_how(cluster):
    tablet = cluster.add(305)
    del cluster.tablets[305]
    user, cluster.run.user = cluster.run.user, type("Root", (), {"prefix": lambda self: []})()
    try:
        data = os.path.join(cluster.run.directory, "root-data")
        os.mkdir(data)
        done = cluster.run.command(["timeout", "60", *tablet.supervisor.argv],
                                   env={**cluster.server_env, "VTDATAROOT": data}, deadline=120)
    finally:
        cluster.run.user = user
    assert done.returncode in (1, 2), (done.returncode, done.stderr)
    assert "root" in done.stderr, done.stderr
