"""Every vtctldclient command that reaches a tablet, on one running shard: what was sent, what came back.

COMMANDS is the table. A check gets the shard and the answer; it leaves the shard as it found it."""
import json
import re

import pytest

from vtharness.cluster import Cluster
from vtharness.vitess import Control
from vtharness.wait import wait_for

HOOK = "#!/bin/sh\necho \"hook of $TABLET_ALIAS: $*\"\n[ \"$1\" != fail=yes ]\n"


class Shard:
    """Three tablets by their roles, and the words that stand for them in a command."""

    def __init__(self, cluster):
        self.cluster, self.control = cluster, cluster.control
        self.primary, self.replica, self.rdonly = (cluster.tablets[uid] for uid in (100, 101, 102))

    def run(self, command, code=0):
        words = [word.format(primary=self.primary.alias, replica=self.replica.alias,
                             rdonly=self.rdonly.alias, keyspace=self.cluster.keyspace,
                             shard=self.cluster.shard_name, cell=self.cluster.cell_name)
                 if "{" in word and not word.startswith("SELECT") else word for word in command]
        return self.control.client(*words, code=code)

    def settle(self, primary=None):
        primary = primary or self.primary
        self.cluster.wait_primary(primary)
        for tablet in (self.primary, self.replica, self.rdonly):
            if tablet is not primary:
                self.cluster.wait_following(tablet, primary)
                self.cluster.wait_type(tablet, tablet.kind)


@pytest.fixture(scope="module")
def shard(module_run, mysql):
    cluster = Cluster(module_run, mysql)
    cluster.server_env["VTROOT"] = module_run.folder("root")
    module_run.folder("root", "vthook")
    module_run.write("root/vthook/tell.sh", HOOK, 0o755)
    cluster.start_topology().register()
    for uid, kind in ((100, "replica"), (101, "replica"), (102, "rdonly")):
        cluster.add(uid, kind)
    cluster.start_all()
    cluster.control = Control(cluster).start()
    made = Shard(cluster)
    made.run(["InitShardPrimary", "--force", "{shard}", "{primary}"])
    made.settle()
    made.run(["ApplySchema", "--sql", "CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, "
              "v VARCHAR(200)); CREATE VIEW seen AS SELECT v FROM t", "{keyspace}"])
    cluster.insert(made.primary, 3)
    cluster.wait_rows(made.rdonly, 3)
    return made


# ---- checks ----
def says(*patterns):
    def check(_, answer):
        for pattern in patterns:
            assert re.search(pattern, answer.text), f"no {pattern!r} in:\n{answer.text}"
    return check


def silent(_, answer):
    assert answer.out.strip() in ("", "{}"), answer.text


def no_results(_, answer):
    """A validation that found nothing, of a shard or of a keyspace."""
    found = json.loads(answer.out) or {}
    assert not found.get("results"), answer.text
    for shard in found.get("results_by_shard", {}).values():
        assert not shard.get("results"), answer.text


def shows(path, expected):
    """The JSON's value at path; `expected` may be a function of shard and value."""
    def check(shard, answer):
        value = json.loads(answer.out)
        for name in path:
            value = value[name]
        assert expected(shard, value) if callable(expected) else value == expected, (path, value)
    return check


def all_of(*checks):
    def check(shard, answer):
        for one in checks:
            one(shard, answer)
    return check


def number(text):
    return lambda _, value: int(value) == text


def type_is(role, name):
    def check(shard, _):
        shard.cluster.wait_type(getattr(shard, role), name)
    return check


def follows(role):
    def check(shard, _):
        shard.cluster.wait_following(getattr(shard, role), shard.primary)
    return check


def threads_are(*states):
    def check(shard, _):
        assert shard.replica.threads() == states, shard.replica.replication()
    return check


def read_only(value):
    def check(shard, _):
        assert shard.replica.is_read_only() is value
    return check


def undo(*commands):
    """Commands that put the shard back."""
    def check(shard, _):
        for command in commands:
            shard.run(command.split())
    return check


def has_own_permissions(_, answer):
    permissions = json.loads(answer.out[answer.out.index("{"):])
    users = {entry["user"] for entry in permissions["user_permissions"]}
    assert {"vt_dba", "vt_app", "vt_repl"} <= users, users
    assert not re.search(r"authentication_string.{0,5}[*$]", answer.out)


def names_all_tablets(shard, answer):
    for tablet in (shard.primary, shard.replica, shard.rdonly):
        assert tablet.alias in answer.out, answer.text


def three_positions(shard, answer):
    lines = answer.out.strip().splitlines()
    assert len(lines) == 3, answer.text
    names_all_tablets(shard, answer)
    uuid = shard.primary.value("SELECT @@server_uuid")
    assert all(uuid in line for line in lines), answer.text


def replica_keeps_tags(shard, _):
    wait_for(lambda: dict(shard.replica.record().tags).get("rack") == "r1", "the record has the tag")
    shard.run(["ChangeTabletTags", "--replace", "{replica}", "other=x"])
    wait_for(lambda: dict(shard.replica.record().tags) == {"other": "x"}, "the tags were replaced")


def lasted_a_second(_, answer):
    assert answer.seconds >= 1, answer.seconds


def has_throttler(enabled):
    """The primary sees what the keyspace says."""
    def check(shard, _):
        def agrees():
            status = shard.control.json("GetThrottlerStatus", shard.primary.alias)["status"]
            return status["is_enabled"] is enabled and status["default_threshold"] == 7.5
        wait_for(agrees, f"the throttler is {'on' if enabled else 'off'}")
    return check


def semi_sync_after_repoint(value):
    def check(shard, _):
        shard.run(["ReparentTablet", "{replica}"])
        wait_for(lambda: shard.replica.value("SELECT @@rpl_semi_sync_replica_enabled") == value,
                 f"semi-sync of the replica is {value}")
        shard.cluster.wait_following(shard.replica, shard.primary)
    return check


def backup_is_there(count):
    def check(shard, _):
        assert len(shard.cluster.backups()) == count
        shard.settle()
    return check


def elected(role):
    def check(shard, answer):
        shard.settle(getattr(shard, role))
        assert getattr(shard, role).alias in answer.text, answer.text
    return check


def restored(shard, answer):
    assert shard.rdonly.alias in answer.out or "estore" in answer.text, answer.text
    shard.cluster.wait_rows(shard.rdonly, 3)
    shard.settle()


# ---- the table: command, what is checked (after !: it fails with status 1) ----
COMMANDS = (
    ("PingTablet {replica}", silent),
    ("GetFullStatus {replica}", all_of(
        shows(("read_only",), True), shows(("super_read_only",), True),
        shows(("replication_status", "source_host"), "127.0.0.1"),
        shows(("server_id",), lambda s, v: int(v) == int(s.replica.value("SELECT @@server_id"))),
        shows(("gtid_mode",), "ON"), shows(("tablet_type",), "REPLICA"))),
    ("GetFullStatus {primary}", all_of(
        shows(("read_only",), False), shows(("tablet_type",), "PRIMARY"),
        shows(("primary_status", "position"), lambda _, v: v.startswith("MySQL56/")))),
    ("GetPermissions {primary}", has_own_permissions),
    ("ExecuteHook {replica} tell.sh a=b", says("hook of zone1-0000000101: a=b")),
    ("ExecuteHook {replica} tell.sh fail=yes", says('"exit_status": *"?1')),
    ("ExecuteHook {replica} nothing.sh", says('"exit_status": *"?-1', "missing hook")),
    ("!ExecuteHook {replica} ../vthook/tell.sh", says("hook name cannot have|hook")),
    ("ExecuteFetchAsDBA --json {primary}|SELECT 7 AS seven, NULL AS nothing", all_of(
        says("seven"), says('"?7"?'))),
    ("ExecuteFetchAsDBA {rdonly}|SELECT id FROM t ORDER BY id", says(r"\| 1 +\|", r"\| 3 +\|")),
    ("!ExecuteFetchAsDBA {primary}|SELEKT 1", says("errno 1064")),
    ("!ExecuteFetchAsDBA --max-rows 1 {primary}|SELECT 1 UNION SELECT 2", says("count exceeded|rows")),
    ("ExecuteFetchAsDBA --disable-binlogs --reload-schema {replica}|FLUSH STATUS", silent),
    ("ExecuteFetchAsApp --json {primary}|SELECT CURRENT_USER() AS who", says("vt_app@localhost")),
    ("ExecuteFetchAsApp --use-pool {primary}|SELECT COUNT(*) AS n FROM t", says(r"\| 3 +\|")),
    ("ExecuteMultiFetchAsDBA --json {primary}|SELECT 11 AS a; SELECT 22 AS b", says("11", "22")),
    ("GetSchema {replica}", all_of(
        shows(("table_definitions", 0, "name"), "t"),
        shows(("table_definitions", 0, "primary_key_columns"), ["id"]))),
    ("GetSchema --include-views --table-names-only {replica}", all_of(says("seen", r"\bt\b"))),
    ("GetSchema --table-sizes-only {replica}", says("row_count")),
    ("GetSchema --tables /^t/ --table-schema-only {primary}", says("CREATE TABLE")),
    ("ReloadSchema {replica}", silent),
    ("ReloadSchemaShard {shard}", says(r"(?i)|reload")),
    ("ReloadSchemaKeyspace {keyspace}", says(r"(?i)|reload")),
    ("ValidateSchemaShard {shard}", no_results),
    ("ValidateSchemaKeyspace {keyspace}", no_results),
    ("ValidatePermissionsShard {shard}", silent),
    ("ValidatePermissionsKeyspace {keyspace}", silent),
    ("ValidateVersionShard {shard}", no_results),
    ("ValidateVersionKeyspace {keyspace}", no_results),
    ("GetTabletVersion {replica}", says("vtagent")),
    ("Validate --ping-tablets", says("no issues found")),
    ("ValidateKeyspace --ping-tablets {keyspace}", says("no issues found")),
    ("ValidateShard --ping-tablets {shard}", says("no issues found")),
    ("ShardReplicationPositions {shard}", three_positions),
    ("CopySchemaShard {rdonly} {shard}", silent),
    ("ChangeTabletType --dry-run {rdonly} spare", all_of(
        says("DRY RUN", r"(?m)^- .* rdonly ", r"(?m)^\+ .* spare "), type_is("rdonly", "rdonly"))),
    ("ChangeTabletType {rdonly} spare", all_of(
        type_is("rdonly", "spare"), undo("ChangeTabletType {rdonly} rdonly"), type_is("rdonly", "rdonly"),
        follows("rdonly"))),
    ("ChangeTabletType {rdonly} drained", all_of(
        type_is("rdonly", "drained"), undo("ChangeTabletType {rdonly} rdonly"),
        type_is("rdonly", "rdonly"))),
    ("!ChangeTabletType {replica} primary", says("type change|not allowed|not a trivial|cannot")),
    ("!ChangeTabletType {primary} replica", says("type change|not allowed|not a trivial|cannot")),
    ("ChangeTabletTags {replica} rack=r1", all_of(says("rack"), replica_keeps_tags)),
    ("SetWritable {replica} true", all_of(read_only(False), undo("SetWritable {replica} false"),
                                          read_only(True), undo("ReparentTablet {replica}"))),
    ("StopReplication {replica}", all_of(threads_are("No", "No"), undo("StartReplication {replica}"),
                                         follows("replica"))),
    ("StartReplication {replica}", follows("replica")),
    ("ReparentTablet {replica}", all_of(says("zone1"), follows("replica"))),
    ("RefreshState {replica}", says("Refreshed state on zone1-0000000101")),
    ("RefreshStateByShard {shard}", says("")),
    ("RefreshStateByShard --cells {cell} {shard}", says("")),
    ("RunHealthCheck {replica}", silent),
    ("SleepTablet {replica} 1s", lasted_a_second),
    ("GetThrottlerStatus {primary}", says("zone1|keyspace")),
    ("UpdateThrottlerConfig --enable --threshold 7.5 {keyspace}", has_throttler(True)),
    ("CheckThrottler --app-name online-ddl {primary}", all_of(
        says("response_code"), shows(("Check", "metrics"), lambda _, v: "lag" in v))),
    ("UpdateThrottlerConfig --disable {keyspace}", has_throttler(False)),
    ("SetKeyspaceDurabilityPolicy --durability-policy=semi_sync {keyspace}", semi_sync_after_repoint("1")),
    ("SetKeyspaceDurabilityPolicy --durability-policy=none {keyspace}", semi_sync_after_repoint("0")),
    ("ApplySchema --sql|CREATE TABLE u (a INT PRIMARY KEY)|{keyspace}", lambda s, _: wait_for(
        lambda: s.rdonly.rows("u") == 0, "the rdonly has the new table")),
    ("PlannedReparentShard --avoid-primary {primary} {shard}", elected("replica")),
    ("!PlannedReparentShard --expected-primary {primary} --new-primary {primary} {shard}",
     says("is not equal to expected alias")),
    ("PlannedReparentShard --expected-primary {replica} --new-primary {primary} {shard}",
     elected("primary")),
    ("EmergencyReparentShard --new-primary {replica} {shard}", elected("replica")),
    ("EmergencyReparentShard --expected-primary {replica} --new-primary {primary} {shard}",
     elected("primary")),
    ("TabletExternallyReparented {primary}", lambda s, _: s.settle()),
    ("BackupShard {shard}", backup_is_there(1)),
    ("Backup --concurrency 2 {rdonly}", backup_is_there(2)),
    ("!Backup {primary}", says("type PRIMARY cannot take backup|cannot take backup")),
    ("GetBackups {shard}", lambda s, a: s.cluster.backups() == a.out.split() or pytest.fail(a.text)),
    ("RestoreFromBackup {rdonly}", restored),
    ("!RestoreFromBackup {primary}", says("cannot restore from backup|PRIMARY")),
    ("!Workflow --keyspace {keyspace} show --workflow w", says("ReadVReplicationWorkflows")),
    ("!DistributedTransaction unresolved-list --keyspace {keyspace}", says("GetUnresolvedTransactions")),
)


# Commands that no tablet hears of: the topology's, the routing's, the backup storage's.
OF_THE_TOPOLOGY = """
    AddCellInfo AddCellsAlias ApplyKeyspaceRoutingRules ApplyRoutingRules ApplyShardRoutingRules ApplyVSchema
    CreateKeyspace CreateShard DeleteCellInfo DeleteCellsAlias DeleteKeyspace DeleteShards DeleteSrvVSchema
    FindAllShardsInKeyspace GenerateShardRanges GetCellInfo GetCellInfoNames GetCellsAliases GetKeyspace
    GetKeyspaceRoutingRules GetKeyspaces GetMirrorRules GetRoutingRules GetShard GetShardReplication
    GetShardRoutingRules GetSrvKeyspaceNames GetSrvKeyspaces GetSrvVSchema GetSrvVSchemas GetTablet GetTablets
    GetTopologyPath GetVSchema RebuildKeyspaceGraph RebuildVSchemaGraph RemoveBackup RemoveKeyspaceCell
    RemoveShardCell SetShardIsPrimaryServing SetShardTabletControl SetVtorcEmergencyReparent
    ShardReplicationFix SourceShardAdd SourceShardDelete UpdateCellInfo UpdateCellsAlias WriteTopologyPath
    completion help""".split()
# What works with VReplication, migrations and other clusters; tablets answer UNIMPLEMENTED.
OF_OTHER_SERVICES = """
    GetWorkflows LegacyVtctlCommand LookupVindex Materialize Migrate Mount MoveTables OnlineDDL Reshard
    VDiff""".split()


def words_of(command):
    """Split at blanks; where there is a |, only before it, and the rest is one word each."""
    first, *others = command.removeprefix("!").split("|")
    return [*first.split(), *others]


@pytest.mark.parametrize("command,check", COMMANDS, ids=[command.split("|")[0].replace("{", "").replace(
    "}", "").replace("/", "") for command, _ in COMMANDS])
def test_command(shard, command, check):
    check(shard, shard.run(words_of(command), code=1 if command.startswith("!") else 0))


def test_no_command_is_forgotten(shard):
    """The client's own help against the table, and against the tests below."""
    text = shard.control.client("--help").out
    listed = re.findall(r"(?m)^  (\w+)", text[text.index("Available Commands:"):text.index("\nFlags:")])
    tried = {words_of(command)[0] for command, _ in COMMANDS} | {"DeleteTablets"}
    assert len(listed) > 90
    assert set(listed) - tried == set(OF_THE_TOPOLOGY) | set(OF_OTHER_SERVICES)


def test_a_difference_of_schemas_is_told(shard):
    shard.rdonly.sql("SET sql_log_bin = 0; SET GLOBAL super_read_only = 0; CREATE TABLE more (a INT);"
                     " SET GLOBAL super_read_only = 1", database=shard.cluster.database)
    answer = shard.run(["ValidateSchemaShard", "{shard}"], code=None)
    assert "more" in answer.text and shard.rdonly.alias in answer.text, answer.text
    shard.rdonly.sql("SET sql_log_bin = 0; SET GLOBAL super_read_only = 0; DROP TABLE more;"
                     " SET GLOBAL super_read_only = 1", database=shard.cluster.database)


def test_a_difference_of_permissions_is_told(shard):
    shard.rdonly.sql("SET sql_log_bin = 0; SET GLOBAL super_read_only = 0; CREATE USER odd@localhost;"
                     " SET GLOBAL super_read_only = 1")
    answer = shard.run(["ValidatePermissionsShard", "{shard}"], code=None)
    assert "odd" in answer.text, answer.text
    shard.rdonly.sql("SET sql_log_bin = 0; SET GLOBAL super_read_only = 0; DROP USER odd@localhost;"
                     " SET GLOBAL super_read_only = 1")


def test_a_primary_made_by_another_tool_is_acknowledged(shard):
    elect, old = shard.replica, shard.primary
    old.sql("SET GLOBAL super_read_only = 1")
    executed = old.value("SELECT REPLACE(@@gtid_executed, '\\n', '')").replace("\\n", "")
    assert elect.value(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{executed}', 60)") == "0"
    elect.sql("STOP REPLICA; RESET REPLICA ALL; SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0")
    for tablet in (old, shard.rdonly):
        tablet.sql("STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT="
                   f"{elect.mysql_port}, SOURCE_USER='vt_repl', SOURCE_AUTO_POSITION=1,"
                   " GET_SOURCE_PUBLIC_KEY=1; START REPLICA")
    shard.run(["TabletExternallyReparented", "{replica}"])
    shard.settle(elect)
    assert old.is_read_only()
    shard.run(["PlannedReparentShard", "--new-primary", "{primary}", "{shard}"])
    shard.settle()


def test_a_throttled_app_and_a_lagging_replica_are_refused_until_it_is_over(shard):
    """The throttler as online DDL meets it, configured by nothing but Vitess's own client."""
    def wait_answer(wanted, app="online-ddl"):
        wait_for(lambda: shard.control.json("CheckThrottler", "--app-name", app, shard.primary.alias)["Check"][
            "response_code"] == wanted, f"{app} is told {wanted}")

    def configure(*flags):
        shard.run(["UpdateThrottlerConfig", *flags, "{keyspace}"])

    configure("--enable", "--threshold", "2")
    wait_answer("OK")
    configure("--throttle-app", "online-ddl", "--throttle-app-ratio", "1")
    wait_answer("APP_DENIED")
    wait_answer("OK", app="vreplication")
    configure("--unthrottle-app", "online-ddl")
    wait_answer("OK")
    shard.run(["StopReplication", "{replica}"])
    wait_answer("THRESHOLD_EXCEEDED")
    configure("--app-name", "online-ddl", "--app-metrics", "loadavg,threads_running")
    configure("--metric-name", "loadavg", "--threshold", "1000")
    wait_answer("OK")
    wait_answer("THRESHOLD_EXCEEDED", app="vreplication")
    shard.run(["StartReplication", "{replica}"])
    wait_answer("OK", app="vreplication")
    configure("--disable")


def test_tablets_are_deleted(shard):
    """The last test: records go, processes stay."""
    shard.run(["DeleteTablets", "{rdonly}"])
    assert shard.rdonly.alias not in shard.control.client("GetTablets").out
    answer = shard.run(["DeleteTablets", "{primary}"], code=1)
    assert "primary" in answer.text, answer.text
    shard.run(["DeleteTablets", "--allow-primary", "{primary}"])
    listed = shard.control.client("GetTablets").out
    assert shard.primary.alias not in listed and shard.replica.alias in listed
