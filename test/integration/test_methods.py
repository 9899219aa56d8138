"""Every method once, by its own name, checked against the server and the topology."""
import pytest

from vtharness import wire
from vtharness.cluster import shard_of
from vtharness.wait import wait_for

RUNNING, STOPPED = 3, 1


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    cluster, primary, (replica,) = shard_of(module_run, flavor, ("replica", "replica"))
    cluster.insert(primary, 10)
    cluster.wait_rows(replica, 10)
    return cluster, primary, replica


@pytest.fixture
def primary(shard):
    return shard[1]


@pytest.fixture
def replica(shard):
    """The replica; follows the primary again afterwards, whatever the test did."""
    cluster, primary, tablet = shard
    yield tablet
    if not tablet.follows(primary):
        tablet.call("SetReplicationSource", parent=primary.alias_message(), force_start_replication=True)
        cluster.wait_following(tablet, primary)


def fails(code, tablet, method, **fields):
    with pytest.raises(wire.RpcError) as caught:
        tablet.call(method, **fields)
    assert code is None or caught.value.code() == code, caught.value
    return caught.value.details()


def executed(tablet):
    name = "gtid_binlog_pos" if tablet.cluster.flavor.is_mariadb else "gtid_executed"
    return (tablet.value(f"SELECT @@global.{name}") or "").replace("\n", "").replace(" ", "")


def encoded(tablet):
    prefix = "MariaDB" if tablet.cluster.flavor.is_mariadb else "MySQL56"
    return f"{prefix}/{executed(tablet)}"


def test_ping(primary):
    assert primary.call("Ping", payload="payload").payload == "payload"


def test_full_status_of_a_primary(primary, flavor):
    status = primary.full_status()
    assert status.server_id == int(primary.value("SELECT @@server_id")) and len(status.server_uuid) == 36
    assert not status.HasField("replication_status")
    assert status.primary_status.position == encoded(primary)
    assert status.primary_status.file_position.startswith("FilePos/")
    assert status.version == flavor.version().split("-")[0] and status.version_comment
    assert not status.read_only and not status.super_read_only
    assert status.gtid_mode == "ON" and status.binlog_format == "ROW"
    assert status.binlog_row_image == "FULL" and status.log_bin_enabled and status.log_replica_updates
    assert status.tablet_type == 1 and not status.disk_stalled and not status.semi_sync_blocked


def test_full_status_of_a_replica(replica, primary, flavor):
    status = replica.full_status()
    followed = status.replication_status
    assert status.tablet_type == 2 and status.read_only
    assert (followed.source_host, followed.source_port) == ("127.0.0.1", primary.mysql_port)
    assert (followed.io_state, followed.sql_state) == (RUNNING, RUNNING)
    assert followed.source_user == "vt_repl" and followed.source_server_id == primary.full_status().server_id
    assert followed.auto_position or followed.using_gtid
    assert status.replication_configuration.heartbeat_interval > 0
    assert status.replication_configuration.replica_net_timeout > 0
    if not flavor.is_mariadb:
        assert status.super_read_only
        assert followed.source_uuid == primary.full_status().server_uuid


def test_replication_status(replica, primary):
    status = replica.call("ReplicationStatus").status
    wait_for(lambda: replica.call("ReplicationStatus").status.position == encoded(primary), "position")
    assert status.io_state == RUNNING and status.sql_state == RUNNING and not status.backup_running
    details = fails(wire.Code.UNKNOWN, primary, "ReplicationStatus")
    assert "no replication status (errno 100) (sqlstate HY000)" in details
    assert details.startswith(f"TabletManager.ReplicationStatus on {primary.alias}:"), details


def test_primary_status_and_position(primary, replica):
    status = primary.call("PrimaryStatus").status
    assert status.position == encoded(primary) and len(status.server_uuid) == 36
    assert primary.call("PrimaryPosition").position == encoded(primary)
    wait_for(lambda: replica.call("PrimaryPosition").position == encoded(primary), "same on the replica")


def test_wait_for_position(primary, replica, shard):
    shard[0].insert(primary)
    position = primary.call("PrimaryPosition").position
    replica.call("WaitForPosition", position=position)
    primary.call("WaitForPosition", position=position)
    assert replica.call("PrimaryPosition").position == position
    primary.call("WaitForPosition", position=primary.call("PrimaryStatus").status.file_position)


def test_get_global_status_vars(primary):
    name = "Innodb_buffer_pool_pages_data"
    values = primary.call("GetGlobalStatusVars", variables=[name, "Uptime"]).status_values
    assert {key.lower() for key in values} == {name.lower(), "uptime"}, dict(values)
    assert all(int(value) > 0 for value in values.values())
    assert len(primary.call("GetGlobalStatusVars").status_values) > 100


def test_stop_and_start_replication(replica, primary, shard):
    replica.call("StopReplication")
    assert replica.threads() == ("No", "No")
    replica.call("StopReplication")
    status = replica.call("ReplicationStatus").status
    assert status.io_state == STOPPED and status.sql_state == STOPPED and status.replication_lag_unknown
    replica.call("StartReplication")
    shard[0].wait_following(replica, primary)


def test_stop_replication_and_get_status(replica, primary, shard):
    status = replica.call("StopReplicationAndGetStatus", stop_replication_mode=1).status
    assert status.before.io_state == RUNNING and status.after.io_state == STOPPED
    assert status.after.sql_state == RUNNING and status.after.position
    assert status.after.relay_log_position
    status = replica.call("StopReplicationAndGetStatus", stop_replication_mode=0).status
    assert status.after.io_state == STOPPED
    assert "(errno 100)" in fails(None, primary, "StopReplicationAndGetStatus")
    replica.call("StartReplication")
    shard[0].wait_following(replica, primary)


def test_reset_replication_parameters(replica):
    replica.call("ResetReplicationParameters")
    assert replica.replication() == {}
    assert "(errno 100)" in fails(None, replica, "ReplicationStatus")
    assert "1200" in fails(None, replica, "StartReplication")


def test_set_replication_source(replica, primary, shard):
    replica.call("StopReplication")
    position = primary.call("PrimaryPosition").position
    replica.call("SetReplicationSource", parent=primary.alias_message(), force_start_replication=True,
                 wait_position=position)
    assert replica.follows(primary)
    replica.call("SetReplicationSource", parent=primary.alias_message(), heartbeat_interval=3.5)
    shard[0].wait_following(replica, primary)
    assert replica.full_status().replication_configuration.heartbeat_interval == 3.5
    fails(wire.Code.FAILED_PRECONDITION, replica, "SetReplicationSource")
    gone = wire.message("topodata", "TabletAlias")(cell="zone1", uid=999)
    fails(None, replica, "SetReplicationSource", parent=gone)
    shard[0].wait_following(replica, primary)


def test_a_stopped_replica_is_repointed_without_being_started(replica, primary):
    replica.call("StopReplication")
    replica.call("SetReplicationSource", parent=primary.alias_message())
    assert replica.threads() == ("No", "No")


def test_populate_and_read_the_reparent_journal(primary, replica, shard):
    before = primary.call("ReadReparentJournalInfo").length
    primary.call("PopulateReparentJournal", time_created_ns=12345 + before, action_name="Test",
                 primary_alias=primary.alias_message(),
                 replication_position=primary.call("PrimaryPosition").position)
    assert primary.call("ReadReparentJournalInfo").length == before + 1
    wait_for(lambda: replica.call("ReadReparentJournalInfo").length == before + 1, "replicated")
    row = primary.sql("SELECT action_name, primary_alias FROM _vt.reparent_journal"
                      f" WHERE time_created_ns = {12345 + before}")
    assert row == [("Test", primary.alias)]


def test_demote_and_undo(primary, replica, shard):
    status = primary.call("DemotePrimary").primary_status
    assert status.position == encoded(primary) and len(status.server_uuid) == 36
    assert primary.is_read_only() and primary.type_name() in ("primary", "master")
    primary.call("DemotePrimary", force=True)
    primary.call("UndoDemotePrimary")
    assert not primary.is_read_only()
    shard[0].insert(primary)


def test_set_read_only_and_read_write(primary):
    primary.call("SetReadOnly")
    assert primary.is_read_only()
    primary.call("SetReadWrite")
    assert not primary.is_read_only()


def test_change_type(replica, primary, shard):
    cluster = shard[0]
    for number, name in ((3, "rdonly"), (4, "spare"), (8, "drained"), (2, "replica")):
        replica.call("ChangeType", tablet_type=number)
        assert replica.type_name() in (name, "batch"), name
        assert replica.full_status().tablet_type == number
    cluster.wait_following(replica, primary)


def test_refresh_state_and_run_health_check(primary, replica):
    for tablet in (primary, replica):
        tablet.call("RefreshState")
        tablet.call("RunHealthCheck")


def test_schema_is_read_and_reloaded(primary, replica, shard):
    cluster = shard[0]
    primary.sql("CREATE TABLE IF NOT EXISTS with_view (a INT, b VARCHAR(9), PRIMARY KEY (b, a));"
                "CREATE OR REPLACE VIEW a_view AS SELECT a FROM with_view", database=cluster.database)
    answer = primary.call("GetSchema").schema_definition
    assert [table.name for table in answer.table_definitions] == ["t", "with_view"]
    assert "{{.DatabaseName}}" in answer.database_schema
    table = answer.table_definitions[1]
    assert list(table.columns) == ["a", "b"] and list(table.primary_key_columns) == ["b", "a"]
    assert "AUTO_INCREMENT=" not in answer.table_definitions[0].schema
    assert [field.name for field in table.fields] == ["a", "b"]
    names = [table.name for table in primary.call("GetSchema", include_views=True)
             .schema_definition.table_definitions]
    assert names == ["a_view", "t", "with_view"]
    names = [table.name for table in primary.call("GetSchema", tables=["/^with/"])
             .schema_definition.table_definitions]
    assert names == ["with_view"]
    names = [table.name for table in primary.call("GetSchema", exclude_tables=["T"])
             .schema_definition.table_definitions]
    assert names == ["with_view"]
    only = primary.call("GetSchema", table_schema_only=True).schema_definition.table_definitions[0]
    assert not only.columns and only.schema
    primary.call("ReloadSchema")
    replica.call("ReloadSchema", wait_position=primary.call("PrimaryPosition").position)


def test_execute_fetch_as_dba(primary, replica):
    result = primary.call("ExecuteFetchAsDba", max_rows=10, db_name=primary.cluster.database,
                          query=b"SELECT 7 AS seven, NULL AS nothing, '\xc3\xbc' AS text").result
    assert [field.name for field in result.fields] == ["seven", "nothing", "text"]
    assert list(result.rows[0].lengths) == [1, -1, 2] and result.rows[0].values == b"7\xc3\xbc"
    before = executed(primary)
    primary.call("ExecuteFetchAsDba", query=b"CREATE DATABASE IF NOT EXISTS only_here", max_rows=1,
                 disable_binlogs=True)
    assert executed(primary) == before
    primary.call("ExecuteFetchAsDba", query=b"DROP DATABASE only_here", max_rows=1, disable_binlogs=True)
    fails(wire.Code.ABORTED, primary, "ExecuteFetchAsDba", max_rows=1, query=b"SELECT 1 UNION SELECT 2")
    fails(wire.Code.INVALID_ARGUMENT, primary, "ExecuteFetchAsDba", max_rows=9, query=b"SELECT 1; SELECT 2")
    details = fails(wire.Code.INVALID_ARGUMENT, primary, "ExecuteFetchAsDba", max_rows=9, query=b"SELEKT")
    assert "(errno 1064) (sqlstate 42000)" in details
    fails(wire.Code.NOT_FOUND, primary, "ExecuteFetchAsDba", max_rows=9, query=b"SELECT * FROM _vt.nothing")


def test_execute_multi_fetch_as_dba(primary):
    database = primary.cluster.database
    results = primary.call("ExecuteMultiFetchAsDba", max_rows=10, db_name=database,
                           sql=b"SELECT 1; SELECT 2; INSERT INTO t (v) VALUES ('multi')").results
    assert len(results) == 3 and results[1].rows[0].values == b"2" and results[2].rows_affected == 1
    fails(None, primary, "ExecuteMultiFetchAsDba", max_rows=10, db_name=database,
          sql=b"SELECT 1; SELEKT; SELECT 3")


def test_backup_of_a_primary_is_refused(primary):
    with pytest.raises(wire.RpcError) as caught:
        primary.manager.events("Backup", concurrency=2)
    assert "type PRIMARY cannot take backup" in caught.value.details()
    with pytest.raises(wire.RpcError) as caught:
        primary.manager.events("RestoreFromBackup")
    assert "type PRIMARY cannot restore from backup" in caught.value.details()
    primary.sql("SELECT 1")


def test_backup_and_restore(replica, primary, shard):
    cluster = shard[0]
    before = len(cluster.backups())
    events = replica.manager.events("Backup", concurrency=2)
    assert events and len(cluster.backups()) == before + 1
    cluster.wait_type(replica, "replica")
    cluster.wait_following(replica, primary)
    cluster.insert(primary, 5)
    assert replica.manager.events("RestoreFromBackup")
    cluster.wait_type(replica, "replica")
    wait_for(lambda: replica.rows("t") == primary.rows("t"), "caught up after the restore")


def test_init_primary_and_init_replica(shard, primary, replica):
    """What InitShardPrimary sends, by hand: both tablets end as they were."""
    cluster = shard[0]
    for tablet in (primary, replica):
        tablet.call("ResetReplication")
        assert executed(tablet) == "" and tablet.replication() == {}
    position = primary.call("InitPrimary").position
    assert position.startswith("MariaDB/" if cluster.flavor.is_mariadb else "MySQL56/")
    primary.call("PopulateReparentJournal", time_created_ns=777, action_name="InitShardPrimary",
                 primary_alias=primary.alias_message(), replication_position=position)
    replica.call("InitReplica", parent=primary.alias_message(), replication_position=position,
                 time_created_ns=777)
    cluster.wait_primary(primary)
    cluster.wait_following(replica, primary)


def test_promote_replica(shard, primary, replica):
    """What PlannedReparentShard sends, by hand: there and back."""
    cluster = shard[0]
    for old, new in ((primary, replica), (replica, primary)):
        position = old.call("DemotePrimary").primary_status.position
        new.call("WaitForPosition", position=position)
        position = new.call("PromoteReplica").position
        assert not new.is_read_only()
        new.call("PopulateReparentJournal", time_created_ns=1000 + new.uid, action_name="Test",
                 primary_alias=new.alias_message(), replication_position=position)
        old.call("SetReplicationSource", parent=new.alias_message(), force_start_replication=True,
                 time_created_ns=1000 + new.uid)
        cluster.wait_primary(new)
        cluster.wait_following(old, new)
        cluster.wait_type(old, "replica")
        assert old.is_read_only()
