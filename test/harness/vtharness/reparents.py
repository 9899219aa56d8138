"""What the tests of reparents share: killing a primary, and what is right afterwards."""
import shutil

from vtharness.wait import wait_for
from vtharness.writer import Writer, lost

KILLS = ("server", "server and agent", "agent")


def primary_of(cluster):
    return cluster.tablets[cluster.shard_record().primary_alias.uid]


def settled(cluster, primary):
    """Everybody alive follows it with the type of its own, and only it takes writes."""
    cluster.wait_primary(primary)
    for tablet in cluster.tablets.values():
        if tablet is not primary and tablet.agent.is_alive():
            cluster.wait_following(tablet, primary)
            cluster.wait_type(tablet, tablet.kind)
            assert tablet.is_read_only(), tablet.alias


def kill(tablet, what="server and agent"):
    """`what` is one of KILLS; a server dies with its supervisor."""
    if "agent" in what:
        tablet.agent.kill()
    if "server" in what:
        tablet.supervisor.kill()
        tablet.kill_mysqld()


def comes_back(cluster, old):
    """A killed primary follows again. One that has writes nobody acknowledged says so, follows
    nobody, and is made anew from a backup."""
    primary, told = primary_of(cluster), len(old.agent.log())
    if not old.supervisor.is_alive():
        old.start_supervisor()
    if not old.agent.is_alive():
        old.start_agent()
    wait_for(lambda: old.follows(primary) or "rrant" in old.agent.log()[told:], f"{old.alias} decides", 120)
    if not old.follows(primary):
        assert old.is_read_only()
        helper = next(t for t in cluster.tablets.values() if t not in (old, primary))
        cluster.ctl("Backup", helper.alias)
        old.stop()
        shutil.rmtree(old.directory)
        old.takes_template = False
        old.start()
    settled(cluster, primary)


def writing(cluster):
    """For a fixture: a writer that ends with every tablet having every acknowledged write."""
    made = Writer(cluster, patience=5)
    made.wait_more()
    yield made
    made.wait_more()
    acknowledged = made.end()
    for tablet in cluster.tablets.values():
        wait_for(lambda tablet=tablet: lost(tablet, acknowledged) == [],
                 f"{tablet.alias} has all that was acknowledged")
    primary_of(cluster).sql("DELETE FROM t", database=cluster.database)
