"""The throttler on a shard whose lag is real: who may go on, and why not."""
import time

import pytest

from vtharness import wire
from vtharness.cluster import shard_of
from vtharness.wait import wait_for

OK, EXCEEDED, DENIED, UNKNOWN = 1, 2, 3, 4
THRESHOLD = 2.0


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    cluster, primary, (replica,) = shard_of(module_run, flavor, ("replica", "replica"))
    cluster.ctl("RebuildKeyspaceGraph", cluster.keyspace)
    return cluster, primary, replica


@pytest.fixture
def primary(shard):
    return shard[1]


@pytest.fixture
def replica(shard):
    yield shard[2]
    shard[2].call("StartReplication")
    shard[0].wait_following(shard[2], shard[1])


@pytest.fixture
def configured(shard, primary):
    """Writes the keyspace's throttler configuration, as vtctld does, and waits for the primary."""
    def write(**fields):
        cluster, name = shard[0], f"keyspaces/{shard[0].keyspace}/SrvKeyspace"
        key = next(key for key in cluster.cell.files() if key.endswith(name))
        record = wire.message("topodata", "SrvKeyspace").FromString(cluster.cell.find(name))
        config = wire.message("topodata", "ThrottlerConfig")(
            **{"enabled": True, "threshold": THRESHOLD, **fields})
        record.throttler_config.CopyFrom(config)
        cluster.cell.put(key, record.SerializeToString())
        for tablet in shard[1:]:
            def agrees(tablet=tablet):
                status = tablet.call("GetThrottlerStatus")
                return status.is_enabled == config.enabled and (
                    status.custom_metric_query == config.custom_query) and (
                    sorted(status.throttled_apps) == sorted(config.throttled_apps)) and (
                    sorted(status.app_checked_metrics) == sorted(config.app_checked_metrics)) and (
                    status.default_threshold == config.threshold or not config.threshold)
            wait_for(agrees, f"{tablet.alias} knows the throttler's configuration")
        return primary.call("GetThrottlerStatus")
    return write


def check(tablet, app="online-ddl", **fields):
    return tablet.call("CheckThrottler", app_name=app, **fields)


def rule(**fields):
    made = wire.message("topodata", "ThrottledAppRule")(**fields)
    made.expires_at.seconds = int(time.time()) + 3600
    return made


def stop_applying(tablet):
    tablet.sql("STOP SLAVE SQL_THREAD" if tablet.cluster.flavor.is_mariadb else "STOP REPLICA SQL_THREAD")


def test_everything_is_granted_while_it_is_off(primary, replica, configured):
    status = configured(enabled=False)
    assert not status.is_open and not status.aggregated_metrics
    stop_applying(replica)
    for tablet in (primary, replica):
        answer = check(tablet)
        assert answer.response_code == OK and set(answer.metrics) == {"default"}, answer


def test_a_shard_without_lag_is_granted(primary, replica, configured):
    status = configured()
    assert status.is_leader and status.is_open and status.metric_thresholds["lag"] == THRESHOLD
    assert {"self/lag", "shard/lag", "self/threads_running", "self/loadavg"} <= set(
        status.aggregated_metrics), status
    for tablet in (primary, replica):
        wait_for(lambda tablet=tablet: check(tablet).response_code == OK, f"{tablet.alias} grants")
    answer = check(primary)
    assert answer.metrics["lag"].scope == "shard" and answer.threshold == THRESHOLD
    assert answer.summary == "online-ddl is granted access" and not answer.error
    assert answer.recently_checked


def test_lag_is_refused_by_primary_and_replica_until_it_is_gone(primary, replica, configured):
    configured()
    wait_for(lambda: check(replica).response_code == OK, "there is no lag")
    stop_applying(replica)
    refusals = [wait_for(lambda tablet=tablet: check(tablet).response_code == EXCEEDED and check(tablet),
                         f"{tablet.alias} refuses") for tablet in (replica, primary)]
    for answer in refusals:
        assert answer.value > THRESHOLD and answer.error == answer.message == "threshold exceeded", answer
        assert answer.metrics["lag"].response_code == EXCEEDED and not answer.metrics["lag"].error
        assert "is denied access due to" in answer.summary and "/lag metric value" in answer.summary
    later = wait_for(lambda: check(primary).value > refusals[1].value and check(primary), "the lag grows")
    assert later.response_code == EXCEEDED
    assert check(primary, scope="self").response_code == OK, "the primary itself has no lag"
    status = primary.call("GetThrottlerStatus")
    shown = status.aggregated_metrics
    assert shown["shard/lag"].value > THRESHOLD and shown["self/lag"].value == 0, shown
    assert status.recent_apps["online-ddl"].response_code == OK, "the last answer, of its own scope"
    assert status.recent_apps["online-ddl"].checked_at.seconds > 0
    assert status.metrics_health["self/lag"].seconds_since_last_healthy < 60, status
    replica.call("StartReplication")
    for tablet in (replica, primary):
        wait_for(lambda tablet=tablet: check(tablet).response_code == OK, f"{tablet.alias} grants again")


def test_a_higher_threshold_grants_what_a_lower_one_refuses(primary, replica, configured):
    configured()
    stop_applying(replica)
    wait_for(lambda: check(primary).response_code == EXCEEDED, "two seconds are too much")
    configured(metric_thresholds={"lag": 3600.0}, threshold=0)
    wait_for(lambda: check(primary).response_code == OK, "an hour is allowed")
    assert check(primary).threshold == 3600.0


def test_a_replica_that_cannot_be_asked_is_an_error_not_a_grant(shard, primary, replica, configured):
    configured()
    replica.agent.kill()
    try:
        answer = wait_for(lambda: check(primary).response_code not in (OK, EXCEEDED) and check(primary),
                          "the primary does not know")
        assert answer.response_code == 5 and answer.error, answer
    finally:
        replica.start_agent()
        shard[0].wait_type(replica, "replica")


def test_rules_for_apps_deny_and_exempt(primary, replica, configured):
    configured(throttled_apps={"online-ddl": rule(name="online-ddl", ratio=1.0),
                               "vreplication": rule(name="vreplication", exempt=True)})
    answer = check(primary)
    assert answer.response_code == DENIED and answer.error == "app denied", answer
    stop_applying(replica)
    wait_for(lambda: check(primary, "another").response_code == EXCEEDED, "who has no rule is refused")
    assert check(primary, "vreplication").response_code == OK


def test_apps_are_checked_by_the_metrics_they_are_assigned(primary, replica, configured):
    names = wire.message("topodata", "ThrottlerConfig").MetricNames
    configured(app_checked_metrics={"online-ddl": names(names=["threads_running", "self/lag"]),
                                    "odd": names(names=["nothing"])})
    stop_applying(replica)
    wait_for(lambda: check(primary, "another").response_code == EXCEEDED, "the shard lags")
    answer = check(primary)
    assert answer.response_code == OK and set(answer.metrics) == {"threads_running", "lag"}, answer
    assert answer.metrics["lag"].scope == "self"
    assert check(primary, "odd").response_code == UNKNOWN


def test_a_query_of_ones_own_takes_the_place_of_lag(primary, replica, configured):
    status = configured(custom_query="SELECT 7 AS seven", threshold=8.0)
    assert status.metric_name_used_as_default == "custom"
    assert check(primary).response_code == OK and check(primary).value == 7
    configured(custom_query="SELECT 7 AS seven", threshold=6.0)
    answer = check(replica)
    assert answer.response_code == EXCEEDED and answer.value == 7, answer
