"""Real Vitess programs (v24) beside ours: vtctld, vtctldclient, vtorc, vtgate, vttablet, mysqlctld."""
import json
import os
import time
import urllib.request

from vtharness.cluster import Answer, CtlError
from vtharness.ports import free_port
from vtharness.process import Process
from vtharness.run import TOP
from vtharness.tablet import Tablet
from vtharness.wait import wait_for


def root():
    """The folder with bin/ and src/, or None where Vitess could not be built."""
    folder = os.path.realpath(os.path.join(TOP, "build", "vitess"))
    return folder if os.access(os.path.join(folder, "bin", "vtctld"), os.X_OK) else None


def program(name):
    return os.path.join(root(), "bin", name)


def http_get(port, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode(errors="replace")


class Control:
    """vtctld and its client."""

    def __init__(self, cluster, name="vtctld", flags=(), env=None):
        self.cluster, self.http_port, self.grpc_port = cluster, free_port(), free_port()
        self.process = Process(cluster.run, f"{cluster.prefix}{name}", [
            program("vtctld"), *cluster.topology_flags(), *cluster.storage_flags(),
            *(cluster.security.client_flags() if cluster.security else []),
            f"--cell={cluster.cell_name}", "--service-map=grpc-vtctl,grpc-vtctld",
            f"--port={self.http_port}", f"--grpc-port={self.grpc_port}", "--log-format=text", *flags], env)

    def start(self):
        self.process.start()
        wait_for(lambda: self.client("GetCellInfoNames", code=None).code == 0, "vtctld answers")
        return self

    def client(self, *words, code=0, deadline=180):
        """One vtctldclient command; CtlError unless it ends with `code` (None: any)."""
        start = time.monotonic()
        done = self.cluster.run.command(
            [program("vtctldclient"), f"--server=127.0.0.1:{self.grpc_port}",
             f"--action-timeout={deadline - 10}s", *words], deadline=deadline)
        answer = Answer(done, time.monotonic() - start)
        if code is not None and answer.code != code:
            raise CtlError(f"vtctldclient {' '.join(words)}: status {answer.code}, expected {code}\n"
                           f"{answer.text}")
        return answer

    def json(self, *words, **options):
        return json.loads(self.client(*words, **options).out)


class Orchestrator:
    """vtorc, quick to look and to act."""

    def __init__(self, cluster, *flags):
        self.cluster, self.http_port = cluster, free_port()
        self.process = Process(cluster.run, f"{cluster.prefix}vtorc", [
            program("vtorc"), *cluster.topology_flags(), f"--cell={cluster.cell_name}",
            f"--port={self.http_port}", "--instance-poll-time=1s", "--recovery-poll-duration=500ms",
            "--topo-information-refresh-duration=2s", "--log-format=text",
            "--wait-replicas-timeout=15s", *flags])

    def start(self):
        self.process.start()
        wait_for(lambda: http_get(self.http_port, "/debug/vars"), "vtorc serves")
        return self

    def variables(self):
        return json.loads(http_get(self.http_port, "/debug/vars"))

    def recoveries(self, variable="SuccessfulRecoveries"):
        """Recovery name → how often vtorc carried it out, successfully."""
        found = {}
        for key, count in self.variables().get(variable, {}).items():
            name = key.split(".")[0]
            found[name] = found.get(name, 0) + count
        return found

    def history(self, after=0):
        """vtorc's own account of what it did, oldest first: rows with recovery_id, alias, analysis,
        end_recovery, successor_alias and so on."""
        tables = json.loads(http_get(self.http_port, "/api/database-state"))
        rows = next(table["Rows"] for table in tables if table["TableName"] == "topology_recovery") or []
        return sorted((row for row in rows if int(row["recovery_id"]) > after),
                      key=lambda row: int(row["recovery_id"]))

    def last_recovery(self):
        return max((int(row["recovery_id"]) for row in self.history()), default=0)

    def problems(self):
        """(analysis, alias) of what it sees wrong now."""
        found = json.loads(http_get(self.http_port, "/api/detection-analysis")) or []
        return [(entry["Analysis"], entry["AnalyzedInstanceAlias"]) for entry in found]

    def may_recover(self, allowed):
        http_get(self.http_port, f"/api/{'enable' if allowed else 'disable'}-global-recoveries")


class Gate:
    """vtgate with its MySQL port."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.http_port, self.grpc_port, self.mysql_port = free_port(), free_port(), free_port()
        self.process = Process(cluster.run, f"{cluster.prefix}vtgate", [
            program("vtgate"), *cluster.topology_flags(), f"--cell={cluster.cell_name}",
            f"--cells-to-watch={cluster.cell_name}", "--tablet-types-to-wait=PRIMARY",
            "--service-map=grpc-vtgateservice", f"--port={self.http_port}",
            f"--grpc-port={self.grpc_port}", f"--mysql-server-port={self.mysql_port}",
            "--mysql-server-bind-address=127.0.0.1", "--mysql-auth-server-impl=none",
            "--enable-buffer", "--tablet-refresh-interval=1s", "--log-format=text"])

    def start(self):
        self.process.start()
        wait_for(lambda: self.sql("SELECT 1 FROM dual") == [("1",)], "vtgate answers", 120)
        return self

    def sql(self, statement, deadline=30):
        """Rows as tuples of text, as a client of vtgate sees them."""
        done = self.cluster.run.command(
            ["mariadb", "--no-defaults", "--skip-ssl", "-h", "127.0.0.1", "-P", str(self.mysql_port),
             "-u", "any", "-N", "-B", "-e", statement], deadline=deadline)
        assert done.returncode == 0, f"{statement}: {done.stderr}"
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


class MixedTablet(Tablet):
    """A tablet of which the agent, the supervisor or both are Vitess's own."""

    def __init__(self, cluster, uid, kind="replica", agent="vtagent", supervisor="vtagent", **options):
        super().__init__(cluster, uid, kind, **options)
        self.has_our_supervisor = supervisor == "vtagent"
        self.needs_server_first = agent == "vttablet"
        environment = dict(cluster.server_env, VTROOT=os.path.join(root(), "src"))
        if agent == "vttablet":
            self.agent.argv = [program("vttablet"), *self.agent.argv[2:],
                               "--service-map=grpc-queryservice,grpc-tabletmanager,grpc-updatestream",
                               "--health-check-interval=1s", "--log-format=text"]
            self.agent.env = cluster.run.environment(environment)
        if supervisor == "mysqlctld":
            self.takes_template = False
            init_sql = os.path.join(root(), "src", "config", "init_db.sql")
            self.supervisor.argv = [program("mysqlctld"), *self.supervisor.argv[2:],
                                    f"--init-db-sql-file={init_sql}", "--log-format=text"]
            self.supervisor.env = cluster.run.environment(environment)
        cluster.tablets[uid] = self

    def start(self, waits=True):
        """vttablet ends at once when there is no my.cnf yet."""
        if not self.needs_server_first:
            return super().start(waits)
        self.start_supervisor()
        self.start_agent(waits)
        return self

    def wait_mysqld(self, deadline=120):
        """mysqlctld opens its socket when the server is initialised."""
        if self.has_our_supervisor:
            return super().wait_mysqld(deadline)
        wait_for(lambda: os.path.exists(self.control_socket) and self.sql("SELECT 1") == [("1",)],
                 f"mysqld of {self.alias} answers", deadline)
        return None
