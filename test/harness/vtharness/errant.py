"""A transaction that only one MySQL server has, and how it stops being one."""
from vtharness.wait import wait_for


def _executed(tablet):
    return tablet.value("SELECT @@global.gtid_executed").replace("\n", "")


def make_errant(tablet, name="errant"):
    """Writes behind everybody's back on a replica; the GTID."""
    before = _executed(tablet)
    tablet.sql(f"SET GLOBAL super_read_only = 0; CREATE DATABASE {name}; SET GLOBAL super_read_only = 1")
    uuid = tablet.value("SELECT @@server_uuid")
    own = tablet.value(f"SELECT GTID_SUBTRACT(@@global.gtid_executed, '{before}')").replace("\n", "")
    return next(gtid for gtid in own.split(",") if gtid.startswith(uuid))


def accept_errant(primary, gtid):
    """An empty transaction of that name on the primary: whoever lacks it gets it. It waits for no
    acknowledgement, which the one that has it already would not send."""
    waits = primary.value("SELECT @@global.rpl_semi_sync_source_enabled")
    primary.sql("SET GLOBAL rpl_semi_sync_source_enabled = 0;"
                f" SET GTID_NEXT = '{gtid}'; BEGIN; COMMIT; SET GTID_NEXT = AUTOMATIC;"
                f" SET GLOBAL rpl_semi_sync_source_enabled = {waits}")
    wait_for(lambda: primary.value(f"SELECT GTID_SUBSET('{gtid}', @@global.gtid_executed)") == "1",
             f"{primary.alias} has {gtid}")
