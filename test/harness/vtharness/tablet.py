"""One tablet of a cluster: its supervisor, its agent, its server."""
import os
import signal

from vtharness import sql, template, wire
from vtharness.ports import free_port
from vtharness.process import Process, is_running
from vtharness.wait import wait_for

SMALL_SERVER = """[mysqld]
loose_bind_address = 127.0.0.1
innodb_buffer_pool_size = 64M
loose_innodb_redo_log_capacity = 32M
loose_innodb_log_file_size = 16M
loose_innodb_buffer_pool_dump_at_shutdown = 0
"""


class Tablet:
    def __init__(self, cluster, uid, kind="replica", agent_flags=(), supervisor_flags=(),
                 restores=True, spelling="today"):
        self.cluster, self.uid, self.kind, self.spelling = cluster, uid, kind, spelling
        self.alias = f"{cluster.cell_name}-{uid:010d}"
        self.directory = os.path.join(cluster.data_root, f"vt_{uid:010d}")
        self.mysql_socket = os.path.join(self.directory, "mysql.sock")
        self.control_socket = os.path.join(cluster.data_root, f"ctl_{uid}.sock")
        self.http_port, self.grpc_port, self.mysql_port = free_port(), free_port(), free_port()
        self.takes_template = True
        self.supervisor = Process(cluster.run, self._name("mysqld"),
                                  self._supervisor_argv(supervisor_flags), cluster.server_env)
        self.agent = Process(cluster.run, self._name("tablet"),
                             self._agent_argv(agent_flags, restores), cluster.server_env)
        security = cluster.security.channel() if cluster.security else {}
        self.manager = wire.tablet_manager(self.grpc_port, **security)
        self.own_service = wire.agent(self.grpc_port, **security)

    def _name(self, face):
        return f"{self.cluster.prefix}{face}-{self.uid}"

    def _command(self, face, vitess_name, flags):
        """`vtagent FACE --a-b=v`, or as it was typed in 2018: `vttablet -a_b v`."""
        if self.spelling == "today":
            return [self.cluster.run.vtagent(), face, *flags]
        words = []
        for flag in flags:
            name, mark, value = flag.partition("=")
            words += ["-" + name.lstrip("-").replace("-", "_"), *([value] if mark else [])]
        return [self.cluster.run.vtagent(vitess_name), *words]

    def _supervisor_argv(self, flags):
        return self._command("mysqld", "mysqlctld", [
            f"--tablet-uid={self.uid}", f"--mysql-port={self.mysql_port}",
            f"--socket-file={self.control_socket}", "--shutdown-wait-time=60s", *flags])

    def _agent_argv(self, flags, restores):
        cluster = self.cluster
        return self._command("tablet", "vttablet", [
            *cluster.topology_flags(), *cluster.storage_flags(), f"--tablet-path={self.alias}",
            "--tablet-hostname=127.0.0.1", f"--init-keyspace={cluster.keyspace}",
            f"--init-shard={cluster.shard}", f"--init-tablet-type={self.kind}",
            f"--port={self.http_port}", f"--grpc-port={self.grpc_port}",
            f"--mysqlctl-socket={self.control_socket}",
            *(["--restore-from-backup"] if restores else []),
            *(cluster.security.agent_flags() if cluster.security else []), *cluster.agent_flags, *flags])

    # ---- life ----
    def start(self, waits=True):
        self.start_supervisor(waits=False)
        self.start_agent(waits=False)
        if waits:
            self.wait_mysqld()
            self.wait_agent()
        return self

    def start_supervisor(self, waits=True):
        if self.takes_template and self.cluster.uses_template:
            template.fill(self, self.cluster.template_tablet)
        self.supervisor.start()
        if waits:
            self.wait_mysqld()

    def start_agent(self, waits=True):
        self.agent.start()
        self.manager.reconnect()
        self.own_service.reconnect()
        if waits:
            self.wait_agent()

    def wait_mysqld(self, deadline=120):
        control = wire.supervisor(self.control_socket)

        def answers():
            assert self.supervisor.is_alive(), f"the supervisor of {self.alias} ended"
            control.reconnect()
            return control.call("Status", timeout=5).is_running and self.sql("SELECT 1") == [("1",)]
        wait_for(answers, f"mysqld of {self.alias} answers", deadline)
        control.close()

    def wait_agent(self, deadline=60):
        def answers():
            assert self.agent.is_alive(), f"the agent of {self.alias} ended"
            if self.cluster.security:  # a connection over TLS that was refused once rests for long
                self.manager.reconnect()
            return self.call("Ping", payload="x", timeout=5).payload == "x"
        wait_for(answers, f"the agent of {self.alias} answers", deadline)

    def stop(self):
        self.agent.stop()
        self.supervisor.stop(90)

    def mysqld_pid(self):
        with open(os.path.join(self.directory, "mysql.pid"), encoding="ascii") as file:
            return int(file.read())

    def kill_mysqld(self):
        pid = self.mysqld_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_running(pid), f"mysqld {pid} is gone")
        return pid

    # ---- talking to it ----
    def sql(self, statement, database=None, **options):
        return sql.query(self.mysql_socket, statement, database=database, **options)

    def value(self, statement, **options):
        return self.sql(statement, **options)[0][0]

    def replication(self):
        """The server's own replication status, by column; empty when it follows nobody."""
        word = "SHOW SLAVE STATUS" if self.cluster.flavor.is_mariadb else "SHOW REPLICA STATUS"
        return sql.labelled(self.mysql_socket, word)

    def call(self, method, timeout=60, **fields):
        return self.manager.call(method, timeout, **fields)

    def jobs(self):
        """Running and ended jobs, by id."""
        return {job.id: job for job in self.own_service.call("Jobs", timeout=20).jobs}

    def running_job(self):
        """The job that runs, or None."""
        return next((job for job in self.jobs().values() if job.state == "running"), None)

    def cancel_job(self, name="all"):
        """Ends jobs; the ids of those that had to be ended."""
        return [job.id for job in self.own_service.call("CancelJob", timeout=180, id=name).jobs]

    def full_status(self):
        return self.call("FullStatus").status

    def alias_message(self):
        return wire.message("topodata", "TabletAlias")(cell=self.cluster.cell_name, uid=self.uid)

    def record(self):
        """The Tablet record in the cell's topology."""
        value = self.cluster.cell.find(f"tablets/{self.alias}/Tablet")
        return wire.message("topodata", "Tablet").FromString(value)

    def type_name(self):
        return wire.module("topodata").TabletType.Name(self.record().type).lower()

    def is_read_only(self):
        return self.value("SELECT @@global.read_only") == "1"

    def threads(self):
        """(io, sql) as the server prints them: "Yes", "No", "Connecting"."""
        row = self.replication()
        return tuple(row.get(f"Replica_{name}_Running") or row.get(f"Slave_{name}_Running")
                     for name in ("IO", "SQL"))

    def follows(self, other):
        row = self.replication()
        port = row.get("Source_Port") or row.get("Master_Port")
        return bool(row) and int(port) == other.mysql_port and self.threads() == ("Yes", "Yes")

    def rows(self, table):
        return int(self.value(f"SELECT COUNT(*) FROM {self.cluster.database}.{table}"))
