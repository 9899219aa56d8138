"""What broke tablets and their callers elsewhere, one hazard after the other, and the tests that guard
against it: GUARDS names them all; those that no other file has are below."""
import contextlib
import os
import re
import time
import uuid

import pytest

from vtharness import wire
from vtharness.cluster import Cluster
from vtharness.faults import Background
from vtharness.run import TOP
from vtharness.sql import SqlError
from vtharness.wait import wait_for

HERE = "integration/test_hazards.py::"
METHODS = "integration/test_methods.py::"
EDGES = "integration/test_rpc_edges.py::"
FAULTS = "integration/test_backup_faults.py::"
TOPOLOGY = "integration/test_topology_faults.py::"
UNIT = "unit/agent/"

GUARDS = {
    1: ("a primary that is asked for its replication status answers with errno 100", [
        METHODS + "test_replication_status", METHODS + "test_reset_replication_parameters",
        METHODS + "test_stop_replication_and_get_status",
        "unit/replication/test_status.c::status::no_rows_is_errno_100"]),
    2: ("nothing malformed is sent, which would crash a caller, nor accepted", [
        UNIT + "handlers/test_convert.c::convert::malformed_file_positions_are_not_sent",
        UNIT + "handlers/test_convert.c::convert::malformed_uuids_are_not_sent",
        UNIT + "handlers/test_convert.c::convert::"
               "replication_status_keeps_every_field_and_sends_nothing_undecodable",
        EDGES + "test_a_position_that_cannot_be_read_is_an_error_and_no_more"]),
    3: ("the caller's deadline ends statements, waits and the action lock", [
        EDGES + "test_a_statement_is_killed_at_its_callers_deadline",
        EDGES + "test_a_deadline_ends_a_wait",
        HERE + "test_a_deadline_gives_the_action_lock_back"]),
    4: ("every planned reparent begins with GetGlobalStatusVars", [
        METHODS + "test_get_global_status_vars"]),
    5: ("the tablet itself writes its record and the shard's", [
        METHODS + "test_promote_replica", UNIT + "test_shard_sync.c::shard_sync::the_newer_term_wins",
        TOPOLOGY + "test_a_promotion_while_etcd_is_away_is_published_when_it_is_back"]),
    6: ("a replica asks its parent, which may be in the middle of its promotion", [
        HERE + "test_a_replica_that_is_pointed_at_an_elect_waits_for_its_promotion",
        HERE + "test_what_others_poll_is_answered_while_an_action_runs"]),
    7: ("SetReplicationSource may come before the promotion and its journal row", [
        HERE + "test_a_replica_that_is_pointed_at_an_elect_waits_for_its_promotion"]),
    8: ("WaitForPosition needs no lock, works on primaries and with file positions", [
        METHODS + "test_wait_for_position",
        HERE + "test_what_others_poll_is_answered_while_an_action_runs"]),
    9: ("semi-sync goes on and off in the order that neither hangs nor loses", [
        HERE + "test_the_first_primary_has_its_tables_and_waits_for_no_acknowledgement",
        HERE + "test_no_write_of_a_term_goes_without_semi_sync"]),
    10: ("a demotion is not stuck behind a write that waits for its acknowledgement", [
        "integration/test_reparent.py::"
        "test_a_demotion_that_waits_for_an_acknowledgement_nobody_sends_is_bounded",
        "unit/replication/test_control.c::fence::only_what_blocks_is_ended"]),
    11: ("a demoted server takes no writes, also where there is no super_read_only", [
        METHODS + "test_demote_and_undo",
        HERE + "test_a_server_that_is_read_only_takes_no_write_of_an_application"]),
    12: ("server_uuid is a stable uuid, also where servers have none", [
        HERE + "test_every_server_has_a_uuid_of_its_own_that_stays",
        "unit/replication/test_status.c::status::uuid_from_text_is_a_stable_uuid"]),
    13: ("housekeeping leaves no transactions behind", [
        HERE + "test_housekeeping_on_a_replica_leaves_no_transaction",
        "integration/test_supervisor.py::test_initialising_leaves_no_transactions_behind",
        UNIT + "supervisor/test_init_sql.c::init_sql::nothing_reaches_the_binary_log"]),
    14: ("a replica names its source as the topology does", [
        HERE + "test_a_replica_follows_by_the_name_in_the_topology_with_half_the_timeout_as_heartbeat"]),
    15: ("the heartbeat is half of the network timeout, or not told", [
        HERE + "test_a_replica_follows_by_the_name_in_the_topology_with_half_the_timeout_as_heartbeat",
        UNIT + "handlers/test_convert.c::convert::"
               "full_status_of_a_replica_has_its_configuration_if_known",
        "interop/test_orchestrator.py::test_misconfigured_heartbeat_is_set_right"]),
    16: ("the sidecar's tables are there before a promotion returns", [
        HERE + "test_the_first_primary_has_its_tables_and_waits_for_no_acknowledgement",
        METHODS + "test_populate_and_read_the_reparent_journal"]),
    17: ("ChangeType does not make writable, DemotePrimary does not change the type", [
        HERE + "test_a_primary_by_type_alone_stays_read_only_until_it_is_told",
        METHODS + "test_demote_and_undo"]),
    18: ("FullStatus tells the type in memory", [
        HERE + "test_a_primary_by_type_alone_stays_read_only_until_it_is_told",
        METHODS + "test_change_type", "interop/test_orchestrator.py::test_healthy_shard_is_left_alone"]),
    19: ("GTIDs with tags, which callers cannot read, are refused", [
        HERE + "test_applications_cannot_tag_their_transactions",
        "unit/replication/test_gtid.c::gtid::malformed_texts_are_refused"]),
    20: ("the port answers before slow work at the start", [
        TOPOLOGY + "test_a_start_without_etcd_answers_and_registers_when_etcd_comes",
        "integration/test_jobs.py::test_the_restore_at_the_start_is_a_job",
        EDGES + "test_fresh_connections_leave_nothing_behind"]),
    21: ("a deleted record ends the tablet, one of somebody else is left alone", [
        TOPOLOGY + "test_a_tablet_whose_record_was_deleted_ends",
        TOPOLOGY + "test_a_second_agent_with_the_same_alias_does_no_harm",
        UNIT + "tablet/test_publish.c::publish::a_record_of_another_process_is_left_alone"]),
    22: ("a start clears the shutdown time", [
        "integration/test_story.py::"
        "test_a_clean_stop_deregisters_the_tablet_and_a_start_brings_it_back",
        UNIT + "tablet/test_record.c::record::a_clean_stop_takes_the_addresses_out_and_keeps_the_rest"]),
    23: ("a stopped replica says that its lag is unknown", [
        METHODS + "test_stop_and_start_replication",
        HERE + "test_what_was_received_and_not_applied_counts_in_an_election"]),
    24: ("what others poll never waits for an action", [
        HERE + "test_what_others_poll_is_answered_while_an_action_runs",
        FAULTS + "test_a_second_backup_is_refused_and_status_calls_are_answered_meanwhile",
        UNIT + "handlers/test_table.c::table::what_others_poll_never_takes_the_action_lock"]),
    25: ("a backup's end is its stream's status; pointing a healthy replica at its source is nothing", [
        FAULTS + "test_a_full_storage_fails_the_backup_and_nothing_stays_stopped",
        METHODS + "test_backup_and_restore",
        HERE + "test_pointing_a_healthy_replica_at_its_source_restarts_nothing",
        UNIT + "actions/test_source_plan.c::source_plan::"
               "healthy_replica_of_the_same_source_is_left_alone"]),
    26: ("GetVersion reads the HTTP port", [
        EDGES + "test_the_http_port_answers_probes_and_variables",
        "interop/test_vtctldclient_commands.py::test_command"]),
    27: ("lengths of a row are signed, NULL is -1", [
        METHODS + "test_execute_fetch_as_dba",
        UNIT + "handlers/test_result.c::result::"
               "rows_are_lengths_and_one_blob_with_minus_one_for_null"]),
    28: ("a code that gRPC does not know is only unknown to its callers", [
        HERE + "test_a_code_that_grpc_does_not_know_is_unknown_to_the_caller_and_no_more"]),
    29: ("an emergency reparent counts what was received", [
        HERE + "test_what_was_received_and_not_applied_counts_in_an_election",
        "unit/replication/test_status.c::status::mariadb_row_is_read",
        UNIT + "ctl/test_ers.c::ers::mariadb_positions_rank_as_they_were_at_the_stop"]),
    30: ("MariaDB's numbers are strict, replicas log what they apply, equal numbers are compared", [
        "integration/test_supervisor.py::"
        "test_a_new_server_has_the_layout_and_the_settings_of_a_tablet",
        "unit/replication/test_control.c::errant::one_mariadb_number_by_two_servers_is_errant",
        UNIT + "supervisor/test_mycnf.c::mycnf::mariadb_has_its_own_names"]),
}


def is_there(name):
    """`FILE.py::test` or `FILE.c::suite::test`, below test/."""
    path, *words = name.split("::")
    try:
        with open(os.path.join(TOP, "test", path), encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return False
    if path.endswith(".py"):
        return re.search(rf"^def {words[0]}\(", text, re.MULTILINE) is not None
    return re.search(rf"^Test\({words[0]},\s*{words[1]}\b", text, re.MULTILINE) is not None


def test_every_hazard_has_its_guards_and_every_guard_is_there():
    assert sorted(GUARDS) == list(range(1, 31))
    assert not is_there(HERE + "test_nothing") and not is_there("unit/none.c::a::b")
    named = [name for _, names in GUARDS.values() for name in names]
    assert all(names for _, names in GUARDS.values())
    assert [name for name in named if not is_there(name)] == []


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    """Without a primary; semi-sync is as each test asks for it."""
    cluster = Cluster(module_run, flavor).start_topology().register("none")
    for uid in (100, 101):
        cluster.add(uid)
    return cluster.start_all()


@pytest.fixture
def primary(shard):
    """Tablet 100, whatever the test before did; of a table `t`."""
    first, second = shard.tablets.values()
    elected = shard.shard_record().primary_alias.uid
    if elected and elected != first.uid:
        shard.ctl("PlannedReparentShard", "--new-primary", first.alias, shard.shard_name)
    if not elected:
        shard.make_primary(first)
    shard.wait_primary(first)
    if not second.follows(first):
        second.call("SetReplicationSource", parent=first.alias_message(), force_start_replication=True)
    shard.wait_following(second, first)
    shard.make_table(first)
    shard.wait_rows(second, first.rows("t"))
    return first


@pytest.fixture
def replica(shard, primary):
    return next(tablet for tablet in shard.tablets.values() if tablet is not primary)


def encoded(tablet):
    """Its executed position as callers write it."""
    is_mariadb = tablet.cluster.flavor.is_mariadb
    name = "gtid_binlog_pos" if is_mariadb else "gtid_executed"
    text = (tablet.value(f"SELECT @@global.{name}") or "").replace("\n", "").replace(" ", "")
    return f"{'MariaDB' if is_mariadb else 'MySQL56'}/{text}"


def fails(code, tablet, method, **fields):
    with pytest.raises(wire.RpcError) as caught:
        tablet.call(method, **fields)
    assert caught.value.code() == code, caught.value
    return caught.value.details()


@contextlib.contextmanager
def statements(tablet):
    """A list, filled at the end with what the server was told meanwhile, in order."""
    path, said = os.path.join(tablet.directory, "said.log"), []
    tablet.sql(f"SET GLOBAL general_log_file = '{path}'; SET GLOBAL general_log = ON")
    try:
        yield said
    finally:
        tablet.sql("SET GLOBAL general_log = OFF")
        with open(path, encoding="utf-8", errors="replace") as file:
            said += [line.upper() for line in file]
        os.remove(path)


def in_order(said, *patterns):
    """Each pattern matches a later statement than the one before."""
    places = [next((number for number, line in enumerate(said) if re.search(pattern, line)), None)
              for pattern in patterns]
    assert None not in places and places == sorted(places), (places, said)


SEMI_SYNC_ON = r"SET GLOBAL RPL_SEMI_SYNC_(SOURCE|MASTER)_ENABLED = (1|ON)"
SEMI_SYNC_OFF = r"SET GLOBAL RPL_SEMI_SYNC_(SOURCE|MASTER)_ENABLED = (0|OFF)"
READ_WRITE = r"SET GLOBAL READ_ONLY = (0|OFF)"
READ_ONLY = r"SET GLOBAL (SUPER_)?READ_ONLY = (1|ON)"


def test_the_first_primary_has_its_tables_and_waits_for_no_acknowledgement(shard):
    first, second = shard.tablets.values()
    for tablet in (first, second):
        tablet.call("ResetReplication")
    with statements(first) as said:
        position = first.call("InitPrimary", semiSync=True, timeout=30).position
    assert first.call("ReadReparentJournalInfo").length == 0
    in_order(said, r"CREATE DATABASE .*_VT", READ_WRITE, r"CREATE TABLE .*REPARENT_JOURNAL", SEMI_SYNC_ON)
    asked = {"time_created_ns": time.time_ns(), "primary_alias": first.alias_message()}
    journal = Background(first.call, "PopulateReparentJournal", action_name="InitShardPrimary",
                         replication_position=position, **asked)
    second.call("InitReplica", parent=first.alias_message(), replication_position=position, semiSync=True,
                time_created_ns=asked["time_created_ns"])
    journal.result()
    assert second.call("ReadReparentJournalInfo").length == 1
    shard.wait_primary(first)
    first.call("UndoDemotePrimary", semiSync=False)


def test_a_replica_that_is_pointed_at_an_elect_waits_for_its_promotion(shard, primary, replica):
    term = {"time_created_ns": time.time_ns()}
    position = primary.call("DemotePrimary").primary_status.position
    replica.call("WaitForPosition", position=position)
    follows = Background(primary.call, "SetReplicationSource", parent=replica.alias_message(),
                         force_start_replication=True, **term)
    position = replica.call("PromoteReplica").position
    wait_for(lambda: primary.follows(replica), "the old primary follows the elect")
    assert not follows.done()
    replica.call("PopulateReparentJournal", action_name="Test", primary_alias=replica.alias_message(),
                 replication_position=position, **term)
    follows.result()
    shard.wait_primary(replica)


def test_a_deadline_gives_the_action_lock_back(shard, primary, replica):
    fails(wire.Code.DEADLINE_EXCEEDED, replica, "SetReplicationSource", parent=primary.alias_message(),
          force_start_replication=True, time_created_ns=5, timeout=2)
    replica.call("RefreshState", timeout=30)
    shard.wait_following(replica, primary)


@contextlib.contextmanager
def action_lock_held(tablet):
    call = tablet.manager.future("Sleep", timeout=300, duration=300 * 10**9)
    try:
        fails(wire.Code.DEADLINE_EXCEEDED, tablet, "RefreshState", timeout=1)
        yield
        assert not call.done()
    finally:
        call.cancel()
        tablet.call("RefreshState", timeout=30)


def test_what_others_poll_is_answered_while_an_action_runs(primary):
    position = primary.call("PrimaryPosition").position
    with action_lock_held(primary):
        for method, fields in (
                ("Ping", {"payload": "x"}), ("FullStatus", {}), ("PrimaryStatus", {}), ("PrimaryPosition", {}),
                ("WaitForPosition", {"position": position}), ("GetGlobalStatusVars", {}),
                ("PopulateReparentJournal", {"time_created_ns": 9, "action_name": "Test",
                                             "primary_alias": primary.alias_message(),
                                             "replication_position": position}),
                ("ReadReparentJournalInfo", {}), ("GetSchema", {}), ("ReloadSchema", {}),
                ("ExecuteFetchAsDba", {"query": b"SELECT 1", "max_rows": 1}),
                ("ExecuteMultiFetchAsDba", {"sql": b"SELECT 1; SELECT 2", "max_rows": 1})):
            primary.call(method, timeout=30, **fields)


def test_no_write_of_a_term_goes_without_semi_sync(shard, primary, replica):
    def promote(old, new):
        position = old.call("DemotePrimary").primary_status.position
        new.call("WaitForPosition", position=position)
        new.call("PromoteReplica", semiSync=True)
        shard.wait_primary(new)

    with statements(replica) as promoted:
        promote(primary, replica)
    in_order(promoted, SEMI_SYNC_ON, READ_WRITE)
    primary.call("SetReplicationSource", parent=replica.alias_message(), force_start_replication=True,
                 semiSync=True)
    shard.wait_following(primary, replica)
    shard.insert(replica)
    with statements(replica) as demoted:
        replica.call("DemotePrimary")
        wait_for(lambda: not replica.full_status().semi_sync_primary_enabled, "semi-sync is off")
    in_order(demoted, READ_ONLY, SEMI_SYNC_OFF)
    replica.call("UndoDemotePrimary", semiSync=False)


def test_a_server_that_is_read_only_takes_no_write_of_an_application(shard, primary, replica):
    def refuses(tablet):
        status = tablet.full_status()
        assert status.read_only and status.super_read_only
        for user in ("vt_app", "vt_allprivs", "vt_filtered"):
            with pytest.raises(SqlError) as caught:
                tablet.sql("INSERT INTO t (v) VALUES ('lost')", user=user, database=shard.database)
            assert caught.value.errno == 1290, caught.value
    refuses(replica)
    primary.call("DemotePrimary")
    refuses(primary)
    primary.call("UndoDemotePrimary")
    primary.sql("INSERT INTO t (v) VALUES ('kept')", user="vt_app", database=shard.database)


def test_every_server_has_a_uuid_of_its_own_that_stays(primary, replica):
    def told():
        return [str(uuid.UUID(tablet.full_status().server_uuid)) for tablet in (primary, replica)]
    before = told()
    assert before[0] != before[1]
    assert primary.call("PrimaryStatus").status.server_uuid == before[0]
    replica.kill_mysqld()
    replica.wait_mysqld()
    wait_for(lambda: told() == before, "the same after a restart of the server")


def test_housekeeping_on_a_replica_leaves_no_transaction(shard, primary, replica):
    for method, fields in (
            ("RunHealthCheck", {}), ("RefreshState", {}), ("ReloadSchema", {}), ("GetSchema", {}),
            ("GetPermissions", {}), ("FullStatus", {}), ("LockTables", {}), ("UnlockTables", {}),
            ("ChangeType", {"tablet_type": 3}), ("ChangeType", {"tablet_type": 2}),
            ("StopReplication", {}), ("StartReplication", {}), ("RestartReplication", {}),
            ("StopReplicationAndGetStatus", {}), ("ResetReplicationParameters", {}),
            ("SetReplicationSource", {"parent": primary.alias_message(), "force_start_replication": True}),
            ("SetReadOnly", {})):
        replica.call(method, **fields)
    assert replica.agent.stop() == 0
    replica.start_agent()
    shard.wait_following(replica, primary)
    assert encoded(replica) == encoded(primary)


def test_a_replica_follows_by_the_name_in_the_topology_with_half_the_timeout_as_heartbeat(primary, replica):
    status, record = replica.full_status(), primary.record()
    followed, configured = status.replication_status, status.replication_configuration
    assert (followed.source_host, followed.source_port) == (record.mysql_hostname, record.mysql_port)
    assert configured.heartbeat_interval * 2 == configured.replica_net_timeout > 0


def test_a_primary_by_type_alone_stays_read_only_until_it_is_told(shard, primary, replica):
    """What TabletExternallyReparented and vtorc send."""
    replica.call("ChangeType", tablet_type=1)
    assert replica.is_read_only() and replica.full_status().tablet_type == 1
    wait_for(lambda: shard.shard_record().primary_alias.uid == replica.uid, "the shard names it")
    wait_for(lambda: primary.full_status().tablet_type == 2, "the old primary steps down")
    assert replica.is_read_only() and primary.is_read_only()
    replica.call("ResetReplicationParameters")
    replica.call("UndoDemotePrimary")
    shard.wait_primary(replica)
    shard.wait_following(primary, replica)


def test_applications_cannot_tag_their_transactions(primary, flavor):
    if flavor.is_mariadb:
        pytest.skip("MariaDB has no tags")
    with pytest.raises(SqlError) as caught:
        primary.sql("SET SESSION gtid_next = 'AUTOMATIC:tag'", user="vt_app")
    assert "REPLICATION_APPLIER privilege" in str(caught.value)


def applier(tablet):
    """The connections of its replication threads."""
    return set(tablet.sql("SELECT id FROM information_schema.processlist WHERE user = 'system user'"))


def test_pointing_a_healthy_replica_at_its_source_restarts_nothing(primary, replica):
    before = applier(replica)
    assert before
    replica.call("SetReplicationSource", parent=primary.alias_message())
    assert replica.follows(primary) and before <= applier(replica)


def test_a_code_that_grpc_does_not_know_is_unknown_to_the_caller_and_no_more(replica):
    details = fails(wire.Code.UNKNOWN, replica, "ExecuteFetchAsApp", max_rows=1,
                    query=b"INSERT INTO t (v) VALUES ('lost')")
    assert "(errno 1290) (sqlstate HY000)" in details
    assert replica.call("Ping", payload="x").payload == "x"


def test_what_was_received_and_not_applied_counts_in_an_election(shard, primary, replica, flavor):
    replica.sql("STOP SLAVE SQL_THREAD" if flavor.is_mariadb else "STOP REPLICA SQL_THREAD")
    shard.insert(primary, 3)
    newest = encoded(primary)
    status = wait_for(lambda: (replica.call("ReplicationStatus").status.relay_log_position == newest and
                               replica.call("ReplicationStatus").status), "all is received")
    assert status.replication_lag_unknown and status.position != newest
    after = replica.call("StopReplicationAndGetStatus", stop_replication_mode=1).status.after
    assert after.relay_log_position == newest
    assert (after.position == newest) == flavor.is_mariadb, after.position
    replica.call("SetReplicationSource", parent=primary.alias_message(), force_start_replication=True)
    replica.call("WaitForPosition", position=newest)
    assert replica.rows("t") == primary.rows("t")
