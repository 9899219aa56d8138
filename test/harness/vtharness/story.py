"""The walkthrough: a shard from nothing to backed up and restoring itself, step by step. The story test
and the demonstration tell the same one."""
import json
import os
import re
import time

from vtharness import wire
from vtharness.cluster import Cluster
from vtharness.wait import wait_for

KEYSPACE, CELL = "teru_keyspace", "vitess"
CREATE_TABLE = """CREATE TABLE messages (
  page BIGINT(20) UNSIGNED,
  time_created_ns BIGINT(20) UNSIGNED,
  message VARCHAR(10000),
  PRIMARY KEY (page, time_created_ns)
) ENGINE=InnoDB"""

# What a person types for each verb, in the spelling of 2018 and today's.
WORDS = {
    "2018": {
        "add_cell": ["AddCellInfo", "-server_address", "{address}", CELL],
        "list": ["ListAllTablets", CELL],
        "init": ["InitShardMaster", "-force", "{shard}", "{alias}"],
        "schema": ["ApplySchema", "-sql", "{sql}", KEYSPACE],
        "get_schema": ["GetSchema", "{alias}"],
        "backup": ["Backup", "{alias}"],
        "list_backups": ["ListBackups", "{shard}"],
        "remove_backup": ["RemoveBackup", "{shard}", "{backup}"],
        "reparent": ["PlannedReparentShard", "-keyspace_shard={shard}", "-new_master={alias}"],
        "keyspace_graph": ["RebuildKeyspaceGraph", KEYSPACE],
        "vschema_graph": ["RebuildVSchemaGraph"],
    },
    "today": {
        "add_cell": ["AddCellInfo", "--root", f"/vitess/{CELL}", "--server-address", "{address}", CELL],
        "keyspace": ["CreateKeyspace", "--durability-policy=semi_sync", KEYSPACE],
        "list": ["GetTablets", "--cell", CELL],
        "init": ["InitShardPrimary", "--force", "{shard}", "{alias}"],
        "schema": ["ApplySchema", "--sql", "{sql}", KEYSPACE],
        "get_schema": ["GetSchema", "{alias}"],
        "backup": ["Backup", "{alias}"],
        "list_backups": ["GetBackups", "{shard}"],
        "remove_backup": ["RemoveBackup", "{shard}", "{backup}"],
        "reparent": ["PlannedReparentShard", "--new-primary", "{alias}", "{shard}"],
        "keyspace_graph": ["RebuildKeyspaceGraph", KEYSPACE],
        "vschema_graph": ["RebuildVSchemaGraph"],
    },
}


class Story:
    """`report(title, words, result, seconds)` is called after each step."""

    def __init__(self, run, flavor, spelling="today", report=None):
        self.words, self.spelling = WORDS[spelling], spelling
        self.cluster = Cluster(run, flavor, cell=CELL, keyspace=KEYSPACE, uses_template=False)
        self._report = report or (lambda *_: None)
        self.written = 0

    # ---- telling ----
    def step(self, title, function, words=""):
        start = time.monotonic()
        try:
            result = function()
        except Exception as error:
            self._report(title, words, f"FAILED: {error}", time.monotonic() - start)
            raise
        self._report(title, words, result or "ok", time.monotonic() - start)

    def verb(self, name, check, title, **values):
        """One verb of the command line and what must be true after it."""
        values.setdefault("shard", f"{KEYSPACE}/0")
        words = [word.format(**values) for word in self.words[name]]
        shown = "vtagent ctl " + " ".join(
            word if " " not in word else '"$(cat create_test_table.sql)"' for word in words)
        self.step(title, lambda: check(self.cluster.ctl(*words)), shown)

    def tell(self):
        """All of it. Raises at the first step that is not as claimed."""
        self.two_etcds()
        self.three_tablets()
        self.first_primary()
        self.table()
        self.backup()
        self.fourth_tablet()
        self.routing()
        self.planned_reparent()
        self.killed_agent()
        self.housekeeping()

    # ---- chapters ----
    def two_etcds(self):
        cluster = self.cluster
        self.step("two etcd clusters", lambda: cluster.start_topology() and
                  f"global on {cluster.glob.address}, cell '{CELL}' on {cluster.cell.address}")
        self.verb("add_cell", lambda answer: self._is_silent(answer) and "the cell is registered",
                  "register the cell", address=f"http://{cluster.cell.address}")
        if "keyspace" in self.words:
            self.verb("keyspace", lambda answer: "durability policy semi_sync", "create the keyspace")

    def three_tablets(self):
        for uid, kind in ((100, "replica"), (101, "replica"), (102, "rdonly")):
            self.cluster.add(uid, kind, spelling=self.spelling)
        self.step("three tablets", lambda: self.cluster.start_all() and "mysqld and agent answer, 3 times",
                  "vtagent mysqld …; vtagent tablet …")
        self.verb("list", lambda answer: self._check_list(answer, ["replica", "replica", "rdonly"]),
                  "list them")

    def first_primary(self):
        tablets = self.cluster.tablets
        self.verb("init", self._check_primary, "choose the first primary", alias=tablets[100].alias)
        self.verb("list", lambda answer: self._check_list(answer, ["primary", "replica", "rdonly"]),
                  "list again")

    def table(self):
        self.verb("schema", lambda answer: self._is_silent(answer) and "the table is there",
                  "create a table", sql=CREATE_TABLE)
        for tablet in self.cluster.tablets.values():
            self.step(f"see it on {tablet.alias}", lambda tablet=tablet: self._check_schema(tablet),
                      f"vtagent ctl GetSchema {tablet.alias}")
        self.step("write rows", lambda: self._write(1000), "INSERT INTO messages … on the primary")

    def backup(self):
        tablet = self.cluster.tablets[102]
        self.step("drop the old binary logs", self._purge,
                  "PURGE BINARY LOGS: nobody can replicate from the beginning any more")
        self.verb("backup", lambda answer: self._check_backup(tablet), "back up the rdonly",
                  alias=tablet.alias)
        self.verb("list_backups", self._check_backups, "list backups")
        self.step("write more rows", lambda: self._write(500), "INSERT INTO messages … on the primary")

    def fourth_tablet(self):
        tablet = self.cluster.add(103, "replica", spelling=self.spelling)
        self.step("a fourth tablet, empty", lambda: tablet.start(waits=False) and "started",
                  "vtagent mysqld …; vtagent tablet … --restore-from-backup")
        self.step("it restores itself and catches up", lambda: self._check_restored(tablet))

    def routing(self):
        self.verb("keyspace_graph", lambda answer: self._is_silent(answer) and "SrvKeyspace is there",
                  "rebuild the keyspace graph")
        self.verb("vschema_graph", self._check_vschema, "rebuild the routing schema")

    def planned_reparent(self):
        self.verb("reparent", self._check_reparent, "planned reparent",
                  alias=self.cluster.tablets[101].alias)
        self.step("write through the new primary", lambda: self._write(100),
                  "INSERT INTO messages … on the primary")

    def killed_agent(self):
        self.step("kill an agent (SIGKILL)", self._kill_agent, "kill -9 of the primary's agent")
        self.step("start it again", self._start_agent, "vtagent tablet …")

    def housekeeping(self):
        self.verb("remove_backup", lambda answer: self._check_removed(), "remove the backup",
                  backup=self.cluster.backups()[0])

    # ---- checks; each returns a sentence for the report ----
    @staticmethod
    def _is_silent(answer):
        assert answer.out.strip() == "", f"nothing should be printed: {answer.out}"
        return True

    @property
    def primary(self):
        uid = self.cluster.shard_record().primary_alias.uid
        return self.cluster.tablets[uid]

    def _check_list(self, answer, kinds):
        lines = [line for line in answer.out.splitlines() if line.startswith(f"{CELL}-")]
        assert len(lines) == len(kinds), answer.out
        for (uid, tablet), kind, line in zip(sorted(self.cluster.tablets.items()), kinds, lines):
            words = line.split()
            assert words[:3] == [f"{CELL}-{uid:010d}", KEYSPACE, "0"], line
            assert words[3] == kind or (kind == "primary" and words[3] == "master"), line
            assert words[4] == f"127.0.0.1:{tablet.http_port}", line
            assert words[5] == f"127.0.0.1:{tablet.mysql_port}", line
        return ", ".join(kinds)

    def _check_primary(self, answer):
        cluster = self.cluster
        assert answer.err.lower().count("-force") >= 2 or "-force" in answer.text, answer.text
        cluster.wait_primary(cluster.tablets[100])
        for uid in (101, 102):
            cluster.wait_following(cluster.tablets[uid], cluster.tablets[100])
        return f"{cluster.tablets[100].alias} is primary, two follow"

    def _check_schema(self, tablet):
        def is_there():
            schema = json.loads(self.cluster.ctl("GetSchema", tablet.alias).out)
            assert "{{.DatabaseName}}" in schema["database_schema"]
            tables = [entry for entry in schema["table_definitions"] if entry["name"] == "messages"]
            return tables and tables[0]
        table = wait_for(is_there, f"the table is on {tablet.alias}")
        assert table["columns"] == ["page", "time_created_ns", "message"], table
        assert table["primary_key_columns"] == ["page", "time_created_ns"], table
        assert table["type"] == "BASE TABLE" and "CREATE TABLE" in table["schema"], table
        assert isinstance(table["data_length"], str) and isinstance(table["row_count"], str), table
        return "columns page, time_created_ns, message; key page, time_created_ns"

    def _write(self, count):
        rows = ", ".join(f"({index % 10}, {self.written + index}, REPEAT('m', 200))"
                         for index in range(count))
        self.primary.sql(f"INSERT INTO messages VALUES {rows}", database=self.cluster.database,
                         user="vt_app")
        self.written += count
        self._everybody_has_all()
        return f"{count} rows; {self.written} on every tablet"

    def _everybody_has_all(self):
        for tablet in self.cluster.tablets.values():
            if tablet.supervisor.is_alive():
                self.cluster.wait_rows(tablet, self.written, "messages", deadline=120)

    def _purge(self):
        primary = self.primary
        primary.sql("FLUSH BINARY LOGS")
        last = primary.sql("SHOW BINARY LOGS")[-1][0]

        def is_purged():
            primary.sql(f"PURGE BINARY LOGS TO '{last}'")
            return primary.sql("SHOW BINARY LOGS")[0][0] == last
        wait_for(is_purged, f"{last} is the first binary log")
        return f"{last} is the first one now"

    def _check_backup(self, tablet):
        cluster = self.cluster
        names = cluster.backups()
        assert len(names) == 1, names
        with open(cluster.backup_path(names[0], "MANIFEST"), encoding="utf-8") as file:
            manifest = json.load(file)
        size = sum(os.path.getsize(cluster.backup_path(names[0], name))
                   for name in os.listdir(cluster.backup_path(names[0])))
        cluster.wait_type(tablet, "rdonly")
        cluster.wait_following(tablet, self.primary)
        return (f"{len(manifest['FileEntries'])} files, {size / 1e6:.1f} MB, at {manifest['Position'][:60]};"
                " rdonly again and replicating")

    def _check_backups(self, answer):
        names = answer.out.split()
        assert names == self.cluster.backups(), (names, self.cluster.backups())
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d\.\d{{6}}\.{CELL}-0000000102", names[0]), names
        return names[0]

    def _check_restored(self, tablet):
        cluster = self.cluster
        wait_for(lambda: tablet.call("Ping", payload="x", timeout=5), f"{tablet.alias} answers", 120)
        cluster.wait_rows(tablet, self.written, "messages", deadline=180)
        cluster.wait_type(tablet, "replica", deadline=120)
        cluster.wait_following(tablet, self.primary, deadline=120)
        before = tablet.value(f"SELECT COUNT(*) FROM {cluster.database}.messages"
                              " WHERE time_created_ns < 1000")
        assert before == "1000", before
        return f"{before} rows from the backup + {self.written - 1000} replicated since"

    def _check_vschema(self, answer):
        self._is_silent(answer)
        value = self.cluster.cell.find("SrvVSchema")
        keyspaces = list(wire.message("vschema", "SrvVSchema").FromString(value).keyspaces)
        assert keyspaces == [KEYSPACE], keyspaces
        return f"SrvVSchema of '{CELL}' knows {KEYSPACE}"

    def _check_reparent(self, answer):
        cluster, tablets = self.cluster, self.cluster.tablets
        cluster.wait_primary(tablets[101])
        for uid in (100, 102, 103):
            cluster.wait_following(tablets[uid], tablets[101])
            assert tablets[uid].is_read_only(), f"{tablets[uid].alias} takes writes"
        cluster.wait_type(tablets[100], "replica")
        return f"{tablets[101].alias} is primary, three follow ({answer.seconds:.2f} s)"

    def _kill_agent(self):
        primary = self.primary
        self.killed, self.killed_mysqld = primary, primary.mysqld_pid()
        primary.agent.kill()
        return self._write(50) + "; mysqld did not notice"

    def _start_agent(self):
        tablet = self.killed
        tablet.start_agent()
        self.cluster.wait_primary(tablet)
        assert tablet.mysqld_pid() == self.killed_mysqld, "mysqld was restarted"
        return f"{tablet.alias} is primary as before, same mysqld"

    def _check_removed(self):
        assert self.cluster.backups() == []
        return "none left"
