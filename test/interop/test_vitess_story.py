"""The story through vtctldclient: real vtctld drives our tablets, step by step."""
import pytest

from vtharness.cluster import Cluster
from vtharness.vitess import Control
from vtharness.wait import wait_for

TABLE = ("CREATE TABLE messages (page BIGINT UNSIGNED, time_created_ns BIGINT UNSIGNED, "
         "message VARCHAR(10000), PRIMARY KEY (page, time_created_ns)) ENGINE=InnoDB")


@pytest.fixture(scope="module")
def story(module_run, mysql):
    cluster = Cluster(module_run, mysql).start_topology()
    control = Control(cluster)
    control.process.start()
    cluster.control = control
    return cluster


def test_cell_is_added_and_tablets_appear(story):
    control = story.control
    wait_for(lambda: control.client("GetCellInfoNames", code=None).code == 0, "vtctld answers")
    control.client("AddCellInfo", "--root", f"/vitess/{story.cell_name}", "--server-address",
                   story.cell.address, story.cell_name)
    control.client("CreateKeyspace", "--durability-policy=semi_sync", story.keyspace)
    for uid, kind in ((100, "replica"), (101, "replica"), (102, "rdonly")):
        story.add(uid, kind)
    story.start_all()
    listed = control.client("GetTablets").out.splitlines()
    assert len(listed) == 3, listed
    assert sum("rdonly" in line for line in listed) == 1, listed


def test_first_primary(story):
    story.control.client("InitShardPrimary", "--force", story.shard_name, story.tablets[100].alias)
    story.wait_primary(story.tablets[100])
    for uid in (101, 102):
        story.wait_following(story.tablets[uid], story.tablets[100])


def test_schema_is_applied_and_read_everywhere(story):
    story.control.client("ApplySchema", "--sql", TABLE, story.keyspace)
    for tablet in story.tablets.values():
        schema = wait_for(lambda t=tablet: story.control.json("GetSchema", t.alias)["table_definitions"],
                          f"{tablet.alias} has the table")
        assert schema[0]["name"] == "messages"
        assert schema[0]["primary_key_columns"] == ["page", "time_created_ns"]
    story.control.client("ValidateSchemaShard", story.shard_name)


def test_backup_of_the_rdonly_is_listed(story):
    primary, rdonly = story.tablets[100], story.tablets[102]
    for page in range(50):
        primary.sql(f"INSERT INTO messages VALUES ({page}, 1, 'before')", database=story.database)
    story.control.client("Backup", rdonly.alias)
    listed = story.control.client("GetBackups", story.shard_name).out.split()
    assert len(listed) == 1 and listed[0].endswith(rdonly.alias), listed
    story.wait_type(rdonly, "rdonly")
    story.wait_following(rdonly, primary)


def test_empty_tablet_restores_and_catches_up(story):
    primary = story.tablets[100]
    for page in range(30):
        primary.sql(f"INSERT INTO messages VALUES ({page}, 2, 'after')", database=story.database)
    fresh = story.add(103, "replica").start()
    story.wait_rows(fresh, 80, table="messages", deadline=120)
    story.wait_type(fresh, "replica")
    story.wait_following(fresh, primary)


def test_routing_schema_is_rebuilt(story):
    story.control.client("RebuildKeyspaceGraph", story.keyspace)
    story.control.client("RebuildVSchemaGraph")
    assert story.keyspace in story.control.client("GetSrvVSchema", story.cell_name).out


def test_primary_changes_ten_times(story):
    current = story.tablets[100]
    for turn in range(10):
        elect = story.tablets[101 if current.uid == 100 else 100]
        story.control.client("PlannedReparentShard", "--new-primary", elect.alias, story.shard_name)
        story.wait_primary(elect)
        current.sql("DO 1")
        elect.sql(f"INSERT INTO messages VALUES (1000, {turn + 10}, 'turn')", database=story.database)
        current = elect
    story.control.client("ValidateShard", story.shard_name)
    for tablet in story.tablets.values():
        story.wait_rows(tablet, 90, table="messages")


def test_backup_is_removed(story):
    name = story.control.client("GetBackups", story.shard_name).out.split()[0]
    story.control.client("RemoveBackup", story.shard_name, name)
    assert story.control.client("GetBackups", story.shard_name).out.split() == []
    assert story.backups() == []


def test_killed_primary_is_replaced_by_emergency_reparent(story):
    current = next(t for t in story.tablets.values() if t.type_name() == "primary")
    current.agent.kill()
    current.supervisor.kill()
    current.kill_mysqld()
    story.control.client("EmergencyReparentShard", story.shard_name)
    wait_for(lambda: story.shard_record().primary_alias.uid != current.uid, "another primary")
    elect = story.tablets[story.shard_record().primary_alias.uid]
    story.wait_primary(elect)
    assert elect.rows("messages") == 90
    current.start()
    story.wait_type(current, "replica", 120)
    story.wait_following(current, elect, 120)
    story.control.client("Validate", "--ping-tablets")
