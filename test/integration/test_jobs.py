"""Jobs belong to the agent: callers come and go, the backup goes on until it is done or canceled."""
import json
import re
import shutil
import signal
import subprocess
import urllib.request

import pytest

from vtharness import faults, wire
from vtharness.cluster import shard_of
from vtharness.faults import Background
from vtharness.wait import wait_for

RATE = "8M"  # bytes a second: a backup takes some seconds


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    cluster, primary, (rdonly,) = shard_of(
        module_run, flavor, ("replica", "rdonly"),
        agent_flags=["--backup-quiesce=stop", f"--backup-rate-limit={RATE}", "--backup-verify=size"])
    cluster.insert(primary, 10)
    cluster.wait_rows(rdonly, 10)
    return cluster, primary, rdonly


@pytest.fixture
def tablets(shard):
    cluster, primary, rdonly = shard
    for name in cluster.backups():
        shutil.rmtree(cluster.backup_path(name))
    yield cluster, primary, rdonly
    in_service(cluster, primary, rdonly)


def in_service(cluster, primary, tablet):
    cluster.wait_in_service(tablet, primary)
    assert tablet.running_job() is None


def wait_copying(tablet):
    """The job, once it has copied something."""
    def job():
        running = tablet.running_job()
        return running if running and running.phase == "copy" and running.bytes_done > 0 else None
    return wait_for(job, "a backup copies")


def metrics(tablet):
    with urllib.request.urlopen(f"http://127.0.0.1:{tablet.http_port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def metric(tablet, name):
    (line,) = [line for line in metrics(tablet).splitlines() if line.startswith(name + " ")]
    return float(line.split()[-1])


def test_a_backup_outlives_its_caller_and_the_next_caller_follows_it(tablets):
    cluster, _, rdonly = tablets
    caller = subprocess.Popen(cluster.ctl_argv("Backup", rdonly.alias), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    job = wait_copying(rdonly)
    caller.send_signal(signal.SIGKILL)
    caller.wait(30)
    wait_for(lambda: f"a caller does not follow '{job.id}' any more" in rdonly.agent.log(),
             "the agent says that its caller is gone")
    with pytest.raises(wire.RpcError) as refused:
        rdonly.manager.events("Backup", timeout=60, concurrency=1)
    assert f"a backup is already running: {job.id} (concurrency 4)" in refused.value.details()
    assert metric(rdonly, 'vtagent_job_running{kind="backup"}') == 1
    assert 0 < metric(rdonly, 'vtagent_job_done_bytes{kind="backup"}') <= metric(
        rdonly, 'vtagent_job_size_bytes{kind="backup"}')
    follower = cluster.ctl("Backup", rdonly.alias)
    assert f"attached to the running {job.id} (concurrency 4)" in follower.text, follower.text
    (name,) = cluster.complete_backups()
    assert f"backup '{name}' is complete" in follower.text
    ended = rdonly.jobs()[job.id]
    assert (ended.state, ended.backup_name) == ("done", name), ended
    assert metric(rdonly, 'vtagent_job_running{kind="backup"}') == 0
    assert metric(rdonly, 'vtagent_jobs_total{kind="backup",outcome="done"}') >= 1
    assert re.search(r"copy: [0-9.]+%, \d+ of \d+ MB, [0-9.]+ MB/s, \d+ s left, ", rdonly.agent.log())


def test_a_canceled_backup_leaves_a_serving_tablet_and_no_half_backup(tablets):
    cluster, primary, rdonly = tablets
    caller = Background(rdonly.manager.events, "Backup", timeout=180, concurrency=2)
    job = wait_copying(rdonly)
    shown = cluster.ctl("Jobs", rdonly.alias).out
    assert job.id in shown and "running" in shown and job.backup_name in shown, shown
    listed = json.loads(cluster.ctl("--json", "Jobs", cluster.shard_name).out)
    assert set(listed) == {primary.alias, rdonly.alias}
    assert listed[rdonly.alias]["jobs"][0]["id"] == job.id
    wrong = cluster.ctl("CancelJob", rdonly.alias, "backup-99", code=1)
    assert f"no job 'backup-99': '{job.id}' runs" in wrong.err, wrong.err
    assert cluster.ctl("CancelJob", rdonly.alias, job.id).out == f"{job.id}: canceled\n"
    assert caller.failure(20).code() == wire.Code.CANCELLED
    assert cluster.backups() == []
    assert rdonly.type_name() == "rdonly" and rdonly.threads() == ("Yes", "Yes")
    again = cluster.ctl("CancelJob", rdonly.alias, job.id, code=1)
    assert "has ended already (canceled)" in again.err
    in_service(cluster, primary, rdonly)
    assert cluster.ctl("CancelJob", rdonly.alias, "all").out == ""


def test_a_job_that_waits_for_its_turn_is_canceled_at_once(tablets):
    _, _, rdonly = tablets
    busy = rdonly.manager.future("Sleep", timeout=60, duration=30 * 10**9)
    caller = Background(rdonly.manager.events, "Backup", timeout=60, concurrency=2)
    job = wait_for(lambda: next((job for job in rdonly.jobs().values() if job.state == "waiting"), None),
                   "the backup waits")
    assert rdonly.cancel_job(job.id) == [job.id]
    assert "canceled before it began" in caller.failure(20).details()
    busy.cancel()


def test_a_stopping_agent_ends_its_backup_and_puts_the_tablet_back(tablets):
    cluster, primary, rdonly = tablets
    caller = Background(rdonly.manager.events, "Backup", timeout=180, concurrency=2)
    wait_copying(rdonly)
    rdonly.agent.stop()
    caller.failure(30)
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    wait_for(lambda: cluster.backups() == [], "no half backup is left")


def test_the_restore_at_the_start_is_a_job(tablets):
    cluster, primary, rdonly = tablets
    rdonly.manager.events("Backup", timeout=180, concurrency=2)
    tablet = cluster.add(110)
    tablet.start(waits=False)
    over = Background(wait_for, lambda: any(job.state == "done" for job in tablet.jobs().values()),
                      "it has restored", 180)
    worker = wait_for(lambda: faults.stop_worker(tablet, over), "one of its workers is caught", 120)
    job = wait_for(tablet.running_job, "the job is shown")
    faults.resume(worker)
    assert (job.kind, job.parameters) == ("restore", "newest backup"), job
    cluster.wait_type(tablet, "replica", 120)
    cluster.wait_following(tablet, primary, 120)
    (ended,) = [job for job in tablet.jobs().values() if job.kind == "restore"]
    assert (ended.state, ended.backup_name) == ("done", cluster.complete_backups()[0]), ended
    tablet.stop()
