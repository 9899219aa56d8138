"""The pages as people and Prometheus see them: complete, true, live, and no danger to who looks."""
import http.client
import shutil
import ssl

import pytest

from vtharness import exposition, faults, wire
from vtharness.browser import Browser
from vtharness.cluster import shard_of
from vtharness.faults import caught_in_the_middle
from vtharness.fixtures import primary, replica  # noqa: F401
from vtharness.health import get, wait_ready
from vtharness.process import command_of
from vtharness.run import Run
from vtharness.security import Authority
from vtharness.tablet import Tablet
from vtharness.wait import wait_for

HOSTILE = "<script>window.stolen=1</script>"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def shard(one_flavor):
    with Run("page") as run:
        cluster, first, (_, rdonly) = shard_of(
            run, one_flavor, ("replica", "replica", "rdonly"),
            agent_flags=["--backup-quiesce=stop", "--backup-rate-limit=12M", "--heartbeat-enable",
                         "--restore-concurrency=1"])
        cluster.insert(first, 10)
        cluster.wait_rows(rdonly, 10)
        wait_ready(cluster)
        yield cluster


@pytest.fixture
def rdonly(shard):
    return shard.tablets[102]


@pytest.fixture(scope="module")
def opened(shard):
    with Browser(shard.run) as made:
        yield made


@pytest.fixture
def browser(opened):
    """Nothing that a test shows makes the browser complain."""
    opened.errors()
    yield opened
    assert opened.errors() == []


def mark(browser):
    browser.script("window.marked = true")


def is_marked(browser):
    """Whether the page has not been loaded again since."""
    return browser.script("return window.marked === true")


# ---- For people ----

def test_the_page_tells_who_how_and_with_whom(shard, browser, primary, replica, rdonly):
    browser.open(replica)
    mark(browser)
    browser.wait_text("replica, serving, ", "#sentence")
    for tablet in (primary, replica, rdonly):
        browser.wait_text(tablet.alias, "#shard")
    browser.wait_text("primary, serving, writable", "#shard")
    browser.wait_text(f"behind 127.0.0.1:{primary.mysql_port}", "#replication")
    assert "IO running" in browser.text("#replication")
    assert browser.script("return document.querySelectorAll('.chart polyline').length") >= 1
    before = browser.text("#live")
    wait_for(lambda: browser.text("#live") not in (before, ""), "the time on the page moves")
    assert is_marked(browser)
    browser.screenshots("replica")
    browser.open(primary)
    browser.wait_text("primary, serving, writable", "#sentence")
    assert "follows nobody" in browser.text("#replication")
    browser.screenshots("primary")


def test_without_javascript_the_numbers_are_there(browser, replica):
    wait_for(lambda: "primary, serving" in get(replica, "/debug/status", "text/html")[1], "etcd was read")
    browser.set_scripts(False)
    try:
        browser.open(replica)
    finally:
        browser.set_scripts(True)
    assert "replica, serving, " in browser.text("#sentence")
    assert "primary, serving, writable" in browser.text("#shard")


def test_a_selection_and_an_open_list_outlive_a_refresh(browser, replica):
    browser.open(replica)
    browser.script("getSelection().selectAllChildren(document.querySelector('h1'))")
    before = browser.text("#live")
    wait_for(lambda: browser.text("#live") not in (before, ""), "the page was refreshed")
    assert browser.script("return getSelection().toString()") == replica.alias


def test_a_backup_is_seen_to_move_and_to_be_listed(shard, browser, rdonly):
    browser.open(rdonly)
    mark(browser)
    call, worker = caught_in_the_middle(
        rdonly, lambda: shard.ctl("Backup", rdonly.alias),
        lambda: rdonly.running_job() and rdonly.running_job().bytes_done > 0)
    try:
        browser.wait_text("copy", "#jobs")
        browser.wait_text("a backup is being taken", "#sentence")
        value = browser.script("return document.querySelector('#jobs progress').value")
        assert 0 < value <= 100, value
        browser.screenshots("backup")
    finally:
        faults.resume(worker)
    call.result()
    name = shard.complete_backups()[-1]
    browser.wait_text(name, "#backups")
    assert browser.text("#jobs") == ""
    browser.wait_text("rdonly, serving", "#sentence")
    shard.ctl("VerifyBackup", shard.shard_name, name)
    browser.wait_text("verified", "#backups", 60)
    browser.wait_text("backup", "#ended")
    assert is_marked(browser)
    browser.screenshots("after-backup")


def test_a_restore_shows_how_far_it_is(shard, browser, primary, rdonly):
    if not shard.complete_backups():
        shard.ctl("Backup", rdonly.alias)
    browser.open(rdonly)
    mark(browser)

    def is_copying():
        worker = faults.worker_of(rdonly)
        return worker and "--mode=restore-copy" in command_of(worker)
    call, worker = caught_in_the_middle(
        rdonly, lambda: rdonly.manager.events("RestoreFromBackup", timeout=180), is_copying,
        between=lambda: shard.wait_replicating(rdonly, primary))
    try:
        browser.wait_text("Restore", "#jobs")
        browser.wait_text("a backup is being restored", "#sentence")
        assert browser.script("return document.querySelectorAll('#jobs progress').length") == 1
        browser.screenshots("restore")
    finally:
        faults.resume(worker)
    call.result()
    browser.wait_text("rdonly, serving, ", "#sentence", 60)
    browser.wait_text("restore-", "#ended")
    assert is_marked(browser)


def test_a_failover_is_told_as_it_happens(shard, browser, primary, replica):
    browser.open(replica)
    mark(browser)
    primary.supervisor.kill()
    primary.kill_mysqld()
    browser.wait_text("does not serve", "#facts", 60)
    browser.wait_text("replication", "#problems")
    browser.screenshots("primary-lost")
    shard.ctl("EmergencyReparentShard", shard.shard_name)
    browser.wait_text("primary, serving, writable", "#sentence")
    browser.wait_text("promote: following -> primary", "#changes")
    browser.wait_text("primary", ".tiles")
    assert is_marked(browser)
    browser.screenshots("failover")


def test_the_state_machine_marks_where_the_tablet_is(browser, rdonly):
    browser.open(rdonly, "/debug/state-machine")
    assert browser.text("section.now h2").startswith("following")
    assert browser.text(".box.now") == "following"
    browser.screenshots("state-machine")


def test_names_from_outside_run_nothing(shard, browser, replica):
    """A tablet record that somebody else wrote, with markup as the name of its host."""
    record, root = replica.record(), f"/vitess/{shard.cell_name}"
    record.alias.uid, record.hostname = 109, HOSTILE
    alias = f"{shard.cell_name}-{109:010d}"
    list_key = f"{root}/keyspaces/{shard.keyspace}/shards/{shard.shard}/ShardReplication"
    old = shard.cell.find(list_key)
    nodes = wire.message("topodata", "ShardReplication").FromString(old)
    nodes.nodes.add().tablet_alias.CopyFrom(record.alias)
    shard.cell.put(f"{root}/tablets/{alias}/Tablet", record.SerializeToString())
    shard.cell.put(list_key, nodes.SerializeToString())
    try:
        browser.open(replica)
        browser.wait_text(alias, "#shard")
        links = browser.script("return Array.from(document.querySelectorAll('#shard a'),"
                               " a => a.getAttribute('href')).join()")
        assert HOSTILE in links and browser.script("return window.stolen") is None
    finally:
        shard.cell.put(list_key, old)
        shard.cell.delete(f"{root}/tablets/{alias}/Tablet")


# ---- For Prometheus ----

def scrape(tablet, accept):
    """(the samples, the type of the content) of /metrics, which keeps to the rules."""
    connection = http.client.HTTPConnection("127.0.0.1", tablet.http_port, timeout=20)
    connection.request("GET", "/metrics", headers={"Accept": accept})
    answer = connection.getresponse()
    text, kind = answer.read().decode(), answer.getheader("Content-Type")
    connection.close()
    is_open = kind == exposition.OPENMETRICS
    assert exposition.check(text, is_open) == []
    return exposition.samples(text, is_open), kind


def test_the_metrics_can_be_read_and_keep_to_the_rules(shard, rdonly):
    rdonly.call("Ping", payload="x")
    rdonly.own_service.call("Jobs", timeout=20)
    call, worker = caught_in_the_middle(rdonly, lambda: shard.ctl("Backup", rdonly.alias), lambda: (
        rdonly.running_job() and rdonly.running_job().bytes_done > 0))
    try:
        found, kind = scrape(rdonly, "text/plain")
        opened, open_kind = scrape(rdonly, OPENMETRICS)
        assert scrape(rdonly, "*/*")[1] == kind == exposition.TEXT and open_kind == exposition.OPENMETRICS
    finally:
        faults.resume(worker)
    call.result()
    assert set(found) == set(opened)
    assert found["vtagent_job_running", (("kind", "backup"),)] == 1
    assert found["vtagent_job_done_bytes", (("kind", "backup"),)] > 0
    assert found["vtagent_tablet_state", (("state", "backup"),)] == 1
    for name in ("vtagent_tablet_state", "vtagent_tablet_type"):
        assert sum(value for (sample, _), value in found.items() if sample == name) == 1
    assert found["vttablet_grpc_server_handling_seconds_count", (
        ("grpc_method", "Ping"), ("grpc_service", "tabletmanagerservice.TabletManager"))] >= 1


GOOD = ("# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\na_seconds_total 1\n"
        "# HELP h Calls.\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\n"
        "h_sum 3\nh_count 2\n")


@pytest.mark.parametrize("what, old, new", [
    ("no help", "# HELP h Calls.\n", ""), ("no TYPE", "# TYPE h histogram\n", ""),
    ("a second time", "h_sum 3\n", "h_sum 3\nh_sum 3\n"), ("without _total", "_total", ""),
    ("not a base unit", "a_seconds", "a_ms"), ("fall", '"1.0"} 1', '"1.0"} 3'),
    ("that of the last bucket", "h_count 2", "h_count 3"), ("do not rise", "+Inf", "0.5"),
    ("with a point", '"1.0"', '"1"'), ("no number", "h_sum 3", "h_sum three"),
    ("behind the samples", "h_count 2\n", "h_count 2\n# HELP h Calls.\n"),
    ("several places", "h_sum 3\n", "a_seconds_total{b=\"c\"} 1\nh_sum 3\n"),
    ("cannot be read", "a_seconds_total 1", 'a_seconds_total{b="c"d"} 1'),
    ("is -1", "a_seconds_total 1", "a_seconds_total -1")])
def test_the_checker_of_metrics_sees(what, old, new):
    assert exposition.check(GOOD, False) == []
    assert any(what in problem for problem in exposition.check(GOOD.replace(old, new), False))


# ---- Over TLS ----

@pytest.fixture
def agent(shard):
    """Starts an agent without a server, with these flags; its pages answer from the first moment."""
    made = []

    def start(uid, *flags):
        tablet = Tablet(shard, uid, agent_flags=flags)
        made.append(tablet)
        tablet.agent.start()
        return tablet
    yield start
    for tablet in made:
        tablet.agent.kill()


def fetch(tablet, authority, pair=None):
    """(text of a page, serial number of the server's certificate) over TLS."""
    context = ssl.create_default_context(cafile=authority.certificate)
    if pair:
        context.load_cert_chain(*pair)
    connection = http.client.HTTPSConnection("127.0.0.1", tablet.http_port, timeout=20, context=context)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().read().decode(), connection.sock.getpeercert()["serialNumber"]
    finally:
        connection.close()


def test_https_follows_its_files_and_speaks_nothing_else(shard, agent):
    authority = Authority(shard.run, "page-authority")
    certificate, key = authority.issue("page")
    tablet = agent(120, f"--http-cert={certificate}", f"--http-key={key}")
    text, serial = wait_for(lambda: fetch(tablet, authority), "an answer over TLS")
    assert text == "ok\n"
    with pytest.raises((OSError, http.client.HTTPException)):
        get(tablet, "/livez")
    authority.issue("page")
    _, renewed = fetch(tablet, authority)
    assert renewed != serial
    shutil.copy(authority.issue("other")[1], key)
    assert fetch(tablet, authority)[1] == renewed  # they do not fit: the old pair stays
    wait_for(lambda: "the TLS certificate stays as it was" in tablet.agent.log(), "it says so")


def test_https_may_demand_a_certificate_of_who_looks(shard, agent):
    authority = Authority(shard.run, "page-authority")
    certificate, key = authority.issue("page")
    tablet = agent(121, f"--http-cert={certificate}", f"--http-key={key}",
                   f"--http-ca={authority.certificate}")
    caller = authority.issue("caller")
    assert wait_for(lambda: fetch(tablet, authority, caller), "an answer")[0] == "ok\n"
    with pytest.raises(OSError):
        fetch(tablet, authority)
    with pytest.raises(OSError):
        fetch(tablet, authority, Authority(shard.run, "stranger").issue("caller"))


def test_https_with_a_file_that_is_none_does_not_start(shard, agent):
    wrong = shard.run.write("wrong.pem", "nothing\n")
    tablet = agent(122, f"--http-cert={wrong}", f"--http-key={wrong}")
    assert tablet.agent.wait(30) != 0
    assert wrong in tablet.agent.log()
