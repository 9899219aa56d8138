"""A shard: two etcds (global and cell apart), tablets, the operator's command line."""
import os
import time

from vtharness import servers, wire
from vtharness.etcd import Etcd
from vtharness.tablet import SMALL_SERVER, Tablet
from vtharness.wait import wait_for

GLOBAL_ROOT = "/vitess/global"


class CtlError(AssertionError):
    """The command line ended with another status than expected."""


class Answer:
    def __init__(self, done, seconds):
        self.code, self.out, self.err, self.seconds = done.returncode, done.stdout, done.stderr, seconds

    @property
    def text(self):
        return self.out + self.err


class Cluster:
    def __init__(self, run, flavor, cell="zone1", keyspace="commerce", shard="0", prefix="",
                 small=SMALL_SERVER, uses_template=True, agent_flags=(), security=None):
        self.agent_flags, self.security = tuple(agent_flags), security
        self.uses_template, self.small = uses_template, small
        self.run, self.flavor, self.prefix = run, flavor, prefix
        run.claim(prefix)
        self.cell_name, self.keyspace, self.shard = cell, keyspace, shard
        self.database = f"vt_{keyspace}"
        self.data_root = run.folder(f"{prefix}d")
        self.backup_root = run.folder(f"{prefix}backups")
        extra = run.write(f"{prefix}extra.cnf", small)
        self.server_env = {"VTDATAROOT": self.data_root, "EXTRA_MY_CNF": extra,
                           "VT_MYSQL_ROOT": servers.reachable_root(flavor, run)}
        self.glob = Etcd(run, f"{prefix}global", security)
        self.cell = Etcd(run, f"{prefix}{cell}", security)
        self.tablets = {}

    # ---- topology ----
    def start_topology(self):
        self.glob.start()
        self.cell.start()
        return self

    def register(self, durability=None):
        """AddCellInfo and CreateKeyspace."""
        self.ctl("AddCellInfo", "--root", f"/vitess/{self.cell_name}", "--server-address",
                 self.cell.url, self.cell_name)
        policy = [f"--durability-policy={durability}"] if durability else []
        self.ctl("CreateKeyspace", *policy, self.keyspace)
        return self

    def topology_flags(self):
        return ["--topo-implementation=etcd2", f"--topo-global-server-address={self.glob.address}",
                f"--topo-global-root={GLOBAL_ROOT}",
                *(self.security.topology_flags() if self.security else [])]

    def storage_flags(self):
        return ["--backup-storage-implementation=file", f"--file-backup-storage-root={self.backup_root}"]

    def start_shard(self, kinds=("replica", "replica"), durability=None):
        """From no topology to a shard whose first tablet is primary of a table `t`: (primary, others)."""
        self.start_topology().register(durability)
        tablets = [self.add(100 + index, kind) for index, kind in enumerate(kinds)]
        self.start_all()
        primary = self.make_primary(tablets[0])
        for other in tablets[1:]:
            self.wait_following(other, primary)
        self.make_table(primary)
        return primary, tablets[1:]

    # ---- tablets ----
    def add(self, uid, kind="replica", **options):
        """A tablet that is not started yet."""
        self.tablets[uid] = Tablet(self, uid, kind, **options)
        return self.tablets[uid]

    def template_tablet(self, run):
        """A tablet in another run, for making the template of a data directory."""
        return Cluster(run, self.flavor, small=self.small, uses_template=False).add(1)

    def start_all(self):
        """All tablets at once, then waits for each."""
        for tablet in self.tablets.values():
            tablet.start(waits=False)
        for tablet in self.tablets.values():
            tablet.wait_mysqld()
            tablet.wait_agent()
            self.wait_registered(tablet)
            self.wait_type(tablet, tablet.kind)
        return self

    def wait_registered(self, tablet):
        """Its record is there with a MySQL port: others can follow it."""
        wait_for(lambda: tablet.record().mysql_port == tablet.mysql_port,
                 f"{tablet.alias} is in the topology with its MySQL port")

    @property
    def shard_name(self):
        return f"{self.keyspace}/{self.shard}"

    def shard_record(self):
        value = self.glob.find(f"keyspaces/{self.keyspace}/shards/{self.shard}/Shard")
        return wire.message("topodata", "Shard").FromString(value)

    def make_primary(self, tablet):
        self.ctl("InitShardPrimary", "--force", self.shard_name, tablet.alias)
        self.wait_primary(tablet)
        return tablet

    def wait_primary(self, tablet, deadline=60):
        """Shard and tablet records agree, the server takes writes, the others follow."""
        wait_for(lambda: self.shard_record().primary_alias.uid == tablet.uid,
                 f"the shard record names {tablet.alias}", deadline)
        wait_for(lambda: tablet.type_name() in ("primary", "master"), f"{tablet.alias} is primary",
                 deadline)
        wait_for(lambda: not tablet.is_read_only(), f"{tablet.alias} takes writes", deadline)

    def wait_following(self, tablet, primary, deadline=60):
        wait_for(lambda: tablet.follows(primary), f"{tablet.alias} follows {primary.alias}", deadline)

    def wait_type(self, tablet, name, deadline=60):
        wait_for(lambda: tablet.type_name() == name, f"{tablet.alias} is {name}", deadline)

    def wait_replicating(self, tablet, primary):
        """Its server is up, its type is rdonly, and it follows."""
        tablet.wait_mysqld()
        self.wait_type(tablet, "rdonly", 120)
        self.wait_following(tablet, primary, 120)

    def wait_in_service(self, tablet, primary):
        """A rdonly as before a backup or a restore, and able to follow a new write."""
        self.wait_replicating(tablet, primary)
        self.insert(primary)
        wait_for(lambda: tablet.rows("t") == primary.rows("t"), "new rows arrive")

    # ---- data ----
    def make_table(self, primary):
        primary.sql("CREATE TABLE IF NOT EXISTS t (id BIGINT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))"
                    " ENGINE=InnoDB", database=self.database)

    def insert(self, primary, count=1, value="x"):
        rows = ", ".join([f"('{value}')"] * count)
        primary.sql(f"INSERT INTO t (v) VALUES {rows}", database=self.database)

    def wait_rows(self, tablet, count, table="t", deadline=60):
        wait_for(lambda: tablet.rows(table) == count, f"{tablet.alias} has {count} rows in {table}",
                 deadline)

    # ---- command line ----
    def ctl_argv(self, *words):
        return [self.run.vtagent(), "ctl", *self.topology_flags(), *self.storage_flags(),
                *(self.security.client_flags() if self.security else []), *words]

    def ctl(self, *words, code=0, deadline=180):
        """Runs one verb; CtlError unless it ends with `code` (None: any)."""
        start = time.monotonic()
        done = self.run.command(self.ctl_argv(*words), deadline=deadline)
        answer = Answer(done, time.monotonic() - start)
        if code is not None and answer.code != code:
            raise CtlError(f"ctl {' '.join(words)}: status {answer.code}, expected {code}\n"
                           f"{answer.text}")
        return answer

    def backups(self):
        """Names of the shard's backup folders, oldest first."""
        folder = os.path.join(self.backup_root, self.keyspace, self.shard)
        if not os.path.isdir(folder):
            return []
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))  # a probe is none

    def complete_backups(self):
        """Those of them that have a MANIFEST."""
        return [name for name in self.backups() if os.path.exists(self.backup_path(name, "MANIFEST"))]

    def backup_path(self, name, *names):
        return os.path.join(self.backup_root, self.keyspace, self.shard, name, *names)


def shard_of(run, flavor, kinds=("replica", "replica"), durability=None, **options):
    """A running shard whose first tablet is primary of a table `t`; (cluster, primary, others)."""
    cluster = Cluster(run, flavor, **options)
    return cluster, *cluster.start_shard(kinds, durability)
