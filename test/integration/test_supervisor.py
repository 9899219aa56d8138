"""The supervisor alone: no topology, no agent."""
import os
import signal

import pytest

from vtharness import wire
from vtharness.cluster import Cluster
from vtharness.process import children_of, command_of, is_running
from vtharness.sql import SqlError
from vtharness.wait import holds_for, wait_for

ACCOUNTS = {"vt_dba", "vt_app", "vt_appdebug", "vt_allprivs", "vt_repl", "vt_filtered", "vt_monitoring"}


class Supervised:
    def __init__(self, run, flavor, uid=100, uses_template=False, **options):
        self.cluster = Cluster(run, flavor, uses_template=uses_template)
        self.tablet = self.cluster.add(uid, **options)
        self.control = wire.mysqlctl(self.tablet.control_socket)
        self.own = wire.supervisor(self.tablet.control_socket)

    def start(self):
        self.tablet.start_supervisor()
        return self

    def status(self):
        return self.own.call("Status")

    def path(self, *names):
        return os.path.join(self.tablet.directory, *names)


@pytest.fixture(scope="module")
def shared(module_run, flavor):
    supervised = Supervised(module_run, flavor).start()
    yield supervised
    supervised.tablet.supervisor.stop(90)


@pytest.fixture
def supervised(run, flavor):
    return Supervised(run, flavor)


def variable(tablet, name):
    return tablet.value(f"SELECT @@global.{name}")


def test_a_new_server_has_the_layout_and_the_settings_of_a_tablet(shared, flavor):
    for name in ("my.cnf", "data", "innodb/data", "innodb/logs", "relay-logs", "bin-logs", "tmp"):
        assert os.path.exists(shared.path(name)), name
    tablet = shared.tablet
    assert variable(tablet, "read_only") == "1"
    assert variable(tablet, "log_bin") == "1"
    assert variable(tablet, "binlog_format") == "ROW"
    assert int(variable(tablet, "server_id")) > 0
    assert variable(tablet, "port") == str(tablet.mysql_port)
    assert variable(tablet, "innodb_buffer_pool_size") == str(64 << 20), "EXTRA_MY_CNF is not honoured"
    if flavor.is_mariadb:
        assert variable(tablet, "gtid_strict_mode") == "1"
        assert variable(tablet, "log_slave_updates") == "1"
        assert tablet.sql("SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_master_enabled'")
    else:
        assert variable(tablet, "super_read_only") == "1"
        assert variable(tablet, "gtid_mode") == "ON"
        assert variable(tablet, "log_replica_updates") == "1"
        assert tablet.sql("SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_%_enabled'")


def test_a_new_server_has_the_accounts_and_no_others_that_can_log_in_from_outside(shared):
    rows = shared.tablet.sql("SELECT user, host FROM mysql.user")
    users = {user for user, _ in rows}
    assert ACCOUNTS <= users, ACCOUNTS - users
    assert "" not in users
    assert {user for user, host in rows if host == "%"} <= {"vt_repl"}, rows
    with pytest.raises(SqlError):
        shared.tablet.sql("CREATE DATABASE not_allowed", user="vt_app")
    assert shared.tablet.sql("SHOW DATABASES LIKE 'test'") == []


def test_initialising_leaves_no_transactions_behind(shared, flavor):
    name = "gtid_binlog_pos" if flavor.is_mariadb else "gtid_executed"
    assert variable(shared.tablet, name) in ("", None)


def test_it_reports_itself(shared, flavor):
    status = shared.status()
    assert status.is_running and status.mysqld_pid == shared.tablet.mysqld_pid()
    assert status.flavor == ("mariadb" if flavor.is_mariadb else "mysql")
    assert status.restarts == 0 and status.last_exit == ""
    assert not status.can_freeze and status.freeze_reason
    assert flavor.version().split("-")[0] in shared.control.call("VersionString").version
    metrics = shared.control.call("HostMetrics").metrics
    assert 0 <= metrics["datadir-used-ratio"].value <= 1
    assert metrics["loadavg"].value >= 0


@pytest.mark.parametrize("method", ["ApplyBinlogFile", "ReadBinlogFilesTimestamps"])
def test_methods_that_are_not_there_name_themselves(shared, method):
    with pytest.raises(wire.RpcError) as caught:
        shared.control.call(method)
    if caught.value.code() == wire.Code.UNIMPLEMENTED:
        assert method in caught.value.details()


def test_an_unknown_method_is_unimplemented(shared):
    with pytest.raises(wire.RpcError) as caught:
        shared.control.channel.raw("/mysqlctl.MysqlCtl/Juggle", b"", 30)
    assert caught.value.code() == wire.Code.UNIMPLEMENTED
    assert "Juggle" in caught.value.details()


def test_a_killed_mysqld_comes_back_and_the_reason_is_told(supervised):
    supervised.start()
    old = supervised.tablet.kill_mysqld()
    supervised.tablet.wait_mysqld()
    wait_for(lambda: supervised.tablet.mysqld_pid() != old, "another mysqld runs")
    status = wait_for(lambda: supervised.status() if supervised.status().restarts else None, "counted")
    assert status.restarts == 1
    assert "signal 9" in status.last_exit or "SIGKILL" in status.last_exit, status.last_exit


def test_shutdown_and_start_by_rpc_are_obeyed_and_idempotent(supervised):
    supervised.start()
    tablet, pid = supervised.tablet, supervised.tablet.mysqld_pid()
    supervised.control.call("Shutdown", wait_for_mysqld=True, timeout=90)
    assert not is_running(pid)
    assert not os.path.exists(tablet.mysql_socket)
    supervised.control.call("Shutdown", wait_for_mysqld=True, timeout=90)
    holds_for(lambda: not os.path.exists(tablet.mysql_socket), "mysqld stays down", 3)
    supervised.control.call("Start", timeout=90)
    tablet.wait_mysqld()
    supervised.control.call("Shutdown", wait_for_mysqld=True, timeout=90)
    supervised.control.call("Start", timeout=90, mysqld_args=["--skip-networking"])
    tablet.wait_mysqld()
    assert variable(tablet, "skip_networking") == "1"


def test_reinit_config_takes_a_new_server_id_and_refresh_keeps_it(supervised):
    supervised.start()
    old = variable(supervised.tablet, "server_id")
    supervised.control.call("Shutdown", wait_for_mysqld=True, timeout=90)
    supervised.control.call("ReinitConfig")
    supervised.control.call("RefreshConfig")
    supervised.control.call("Start", timeout=90)
    supervised.tablet.wait_mysqld()
    new = variable(supervised.tablet, "server_id")
    assert new not in (old, "0")
    supervised.control.call("RefreshConfig")
    assert variable(supervised.tablet, "port") == str(supervised.tablet.mysql_port)
    supervised.control.call("RunMysqlUpgrade", timeout=120)


def test_a_new_supervisor_adopts_the_mysqld_that_outlived_the_old_one(supervised):
    supervised.start()
    tablet, pid = supervised.tablet, supervised.tablet.mysqld_pid()
    tablet.supervisor.kill()
    assert is_running(pid), "mysqld ended with its supervisor"
    tablet.start_supervisor()
    wait_for(lambda: supervised.status().mysqld_pid == pid, "adopted")
    assert tablet.mysqld_pid() == pid
    assert tablet.kill_mysqld() == pid
    wait_for(lambda: tablet.mysqld_pid() != pid and tablet.sql("SELECT 1"), "an adopted one is restarted")
    last = tablet.mysqld_pid()
    assert tablet.supervisor.stop(90) == 0
    assert not is_running(last)


def test_sigterm_stops_mysqld_cleanly_and_nothing_is_left(supervised, run):
    supervised.start()
    supervised.tablet.sql("SET GLOBAL read_only = 0")
    assert supervised.tablet.supervisor.stop(90) == 0
    assert run.leftovers() == []
    assert not os.path.exists(supervised.tablet.mysql_socket)
    assert not os.path.exists(supervised.path("mysql.pid"))
    supervised.start()
    with open(supervised.path("error.log"), encoding="utf-8", errors="replace") as file:
        text = file.read()
    assert "Crash recovery" not in text and "Starting crash recovery" not in text


def test_a_server_that_cannot_start_is_not_started_for_ever_and_the_log_says_why(supervised, run):
    run.write("extra.cnf", "[mysqld]\nno_such_variable_at_all = 1\n")
    supervised.tablet.supervisor.start()
    code = supervised.tablet.supervisor.wait(180)
    assert code not in (0, None)
    assert "no_such_variable_at_all" in supervised.tablet.supervisor.log().replace("-", "_")
    assert run.leftovers() == []


def test_a_server_that_dies_in_its_first_start_is_started_again(run, flavor):
    supervised = Supervised(run, flavor, uses_template=True)
    tablet = supervised.tablet
    tablet.start_supervisor(waits=False)
    first = wait_for(lambda: next(pid for pid in children_of(tablet.supervisor.pid) if any(
        word.startswith("--defaults-file") for word in command_of(pid))), "mysqld starts", interval=0.005)
    os.kill(first, signal.SIGKILL)
    tablet.wait_mysqld()
    assert tablet.mysqld_pid() != first
    status = supervised.status()
    assert status.restarts == 1 and "signal 9" in status.last_exit, status
    assert "starting it again" in tablet.supervisor.log()


def test_a_server_that_never_starts_is_tried_seldom_and_the_log_says_why(run, flavor):
    supervised = Supervised(run, flavor, uses_template=True)
    run.write("extra.cnf", "[mysqld]\nno_such_variable_at_all = 1\n")
    tablet = supervised.tablet
    tablet.start_supervisor(waits=False)
    wait_for(lambda: "it stays down but for a try every" in tablet.supervisor.log(), "given up")
    assert "no_such_variable_at_all" in tablet.supervisor.log().replace("-", "_")
    assert tablet.supervisor.stop(90) == 0
    assert run.leftovers() == []


def test_a_server_that_dies_again_and_again_is_given_up(supervised, run):
    supervised.start()
    tablet = supervised.tablet

    def is_given_up():
        return "it stays down but for a try every" in tablet.supervisor.log()

    def pid_or_end():
        return -1 if is_given_up() else is_running(tablet.mysqld_pid()) and tablet.mysqld_pid()
    for _ in range(40):
        pid = wait_for(pid_or_end, "mysqld runs or was given up", 120)
        if pid == -1:
            break
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        wait_for(lambda pid=pid: not is_running(pid), "dead")
    assert is_given_up(), "restarted 40 times"
    assert tablet.supervisor.is_alive()
    tablet.supervisor.stop(90)
    assert run.leftovers() == []


def test_stale_socket_and_lock_files_do_not_block_a_start(supervised):
    supervised.start()
    tablet = supervised.tablet
    tablet.supervisor.kill()
    tablet.kill_mysqld()
    with open(tablet.mysql_socket + ".lock", "w", encoding="ascii") as file:
        file.write("1\n")
    tablet.start_supervisor()
    assert tablet.value("SELECT 1") == "1"


def test_an_unfinished_restore_keeps_mysqld_down(supervised):
    supervised.start()
    tablet = supervised.tablet
    assert tablet.supervisor.stop(90) == 0
    supervised.cluster.run.write(os.path.relpath(supervised.path("restore_in_progress"),
                                                 supervised.cluster.run.directory), "")
    tablet.supervisor.start()
    wait_for(lambda: supervised.control.reconnect() or supervised.control.call("VersionString", timeout=5),
             "the supervisor answers")
    holds_for(lambda: not os.path.exists(tablet.mysql_socket), "mysqld stays down", 3)
    supervised.control.call("Start", timeout=90)
    tablet.wait_mysqld()


def test_an_init_file_of_ones_own_is_used(run, flavor):
    text = ("CREATE USER IF NOT EXISTS 'vt_dba'@'localhost';\n"
            "GRANT ALL ON *.* TO 'vt_dba'@'localhost' WITH GRANT OPTION;\n"
            "CREATE USER 'somebody'@'localhost';\n")
    path = run.write("init.sql", text)
    supervised = Supervised(run, flavor, supervisor_flags=[f"--init-db-sql-file={path}"]).start()
    rows = supervised.tablet.sql("SELECT user FROM mysql.user WHERE user = 'somebody'")
    assert rows == [("somebody",)]


@pytest.mark.skipif(os.geteuid() != 0, reason="a new process tree needs root")
def test_as_the_first_process_of_a_container_it_reaps_orphans(run, one_flavor):
    supervised = Supervised(run, one_flavor)
    argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"] + run.user.prefix() + \
        supervised.tablet.supervisor.argv
    supervised.tablet.supervisor.argv = argv
    user, run.user = run.user, type("Root", (), {"prefix": lambda self: []})()
    try:
        supervised.tablet.supervisor.start()
    finally:
        run.user = user
    supervised.tablet.wait_mysqld()
    inside = next(pid for pid in run.leftovers() if _first_of_namespace(pid))
    orphan_maker = "(sleep 1 &) ; exit"
    run_in = ["nsenter", "-t", str(inside), "-p", "-m", "bash", "-c", orphan_maker]
    os.spawnvp(os.P_WAIT, "nsenter", run_in)
    wait_for(lambda: not _zombies_of(inside), "no zombies below the first process")
    os.kill(inside, signal.SIGTERM)
    supervised.tablet.supervisor.wait(90)
    assert run.leftovers() == []


def _first_of_namespace(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        line = next(line for line in file if line.startswith("NSpid:"))
    return line.split()[-1] == "1" and len(line.split()) > 2


def _zombies_of(pid):
    zombies = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    state, parent = file.read().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == pid and state == "Z":
                zombies.append(int(name))
    return zombies
