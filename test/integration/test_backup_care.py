"""Looking after stored backups: what is damaged is found and named, what is good is proven, and only what
may go is expired."""
import gzip
import json
import os
import shutil
import time
import zlib

import pytest

from vtharness.cluster import shard_of
from vtharness.faults import caught_in_the_middle, flip_byte, resume
from vtharness.wait import wait_for

PAGE = 16384


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    cluster, primary, (rdonly,) = shard_of(
        module_run, flavor, ("replica", "rdonly"),
        agent_flags=["--backup-quiesce=stop", "--backup-verify=none"])
    for _ in range(4):
        cluster.insert(primary, 500, value="y" * 150)
    cluster.wait_rows(rdonly, 2000)
    cluster.ctl("Backup", rdonly.alias)
    (name,) = cluster.backups()
    yield cluster, primary, rdonly, name


@pytest.fixture
def stored(shard):
    """The one backup there is, before and after each test."""
    cluster, _, rdonly, name = shard
    yield cluster, rdonly, name
    for other in cluster.backups():
        if other != name:
            shutil.rmtree(cluster.backup_path(other))
    cluster.wait_type(rdonly, "rdonly")
    assert images(rdonly) == []


def images(tablet):
    folder = os.path.join(tablet.directory, "vtagent_image")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def manifest(cluster, name):
    with open(cluster.backup_path(name, "MANIFEST"), encoding="utf-8") as file:
        return json.load(file)


def listed(cluster, name):
    """What GetBackups --json says of it."""
    answer = json.loads(cluster.ctl("GetBackups", "--json", cluster.shard_name).out)
    (found,) = [backup for backup in answer["backups"] if backup["name"] == name]
    return found


def named(seconds_ago, alias):
    return time.strftime("%Y-%m-%d.%H%M%S", time.gmtime(time.time() - seconds_ago)) + "." + alias


def everybodys(path):
    """The agent has another user than the test, and records its verdicts there."""
    os.chmod(path, 0o777)
    for name in os.listdir(path):
        os.chmod(os.path.join(path, name), 0o666)


def copied(cluster, name, seconds_ago=3600):
    other = named(seconds_ago, "zone1-0000000101")
    shutil.copytree(cluster.backup_path(name), cluster.backup_path(other))
    everybodys(cluster.backup_path(other))
    return other


def object_of(cluster, name, file):
    """Number of the object that holds a file whose path ends so."""
    (number,) = [number for number, entry in enumerate(manifest(cluster, name)["FileEntries"])
                 if entry["Name"].endswith(file)]
    return number


def as_vitess(cluster, name, seconds_ago, alias="zone1-0000000101", change=None):
    """The same backup as stock Vitess would have stored it without compression; `change` of each file's
    (name, bytes)."""
    other = named(seconds_ago, alias)
    os.makedirs(cluster.backup_path(other))
    everybodys(cluster.backup_path(other))
    told = manifest(cluster, name)
    told.pop("VtagentDetails")
    for number, entry in enumerate(told["FileEntries"]):
        with gzip.open(cluster.backup_path(name, str(number))) as file:
            plain = file.read()
        plain = change(entry["Name"], plain) if change else plain
        with open(cluster.backup_path(other, str(number)), "wb") as file:
            file.write(plain)
        told["FileEntries"][number] = {"Base": entry["Base"], "Name": entry["Name"],
                                       "Hash": f"{zlib.crc32(plain):08x}", "ParentPath": ""}
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))
    told.update(BackupName=other, SkipCompress=True, CompressionEngine="pargzip", BackupTime=moment,
                FinishedTime=moment)
    with open(cluster.backup_path(other, "MANIFEST"), "w", encoding="utf-8") as file:
        json.dump(told, file)
    return other


def test_a_good_backup_is_verified_and_proven_and_listed_as_such(stored):
    cluster, rdonly, name = stored
    assert listed(cluster, name)["status"] == "COMPLETE"
    cluster.ctl("VerifyBackup", cluster.shard_name, "latest")
    seen = listed(cluster, name)
    assert (seen["status"], seen["engine"]) == ("VALID", "builtin"), seen
    assert (seen["vtagent"]["check"], seen["vtagent"]["quiesce"]) == ("full", "stop"), seen
    assert seen["vtagent"]["stored_bytes"] > 0 and seen["vtagent"]["files"] > 0, seen

    proven = cluster.ctl("VerifyBackup", "--restore", cluster.shard_name, name)
    assert f"backup '{name}' is good (restore" in proven.text
    assert images(rdonly) == []
    assert listed(cluster, name)["vtagent"]["check"] == "restore"
    assert "restore (" in cluster.ctl("GetBackups", "--detailed", cluster.shard_name).out
    assert cluster.ctl("GetBackups", cluster.shard_name).out == name + "\n"
    job = [job for job in rdonly.jobs().values() if job.kind == "verify"][0]
    assert (job.state, job.backup_name) == ("done", name), job


def test_a_flipped_byte_is_named_and_the_backup_listed_as_failed(stored):
    cluster, rdonly, name = stored
    bad = copied(cluster, name)
    number = object_of(cluster, name, "/t.ibd")
    flip_byte(cluster.backup_path(bad, str(number)))
    failed = cluster.ctl("VerifyBackup", f"--tablet={rdonly.alias}", cluster.shard_name, bad, code=1)
    assert f"object '{number}'" in failed.text and "/t.ibd'" in failed.text, failed.text
    seen = listed(cluster, bad)
    assert seen["status"] == "INVALID" and "/t.ibd'" in seen["vtagent"]["check_problem"], seen
    assert "FAILED (" in cluster.ctl("GetBackups", "--detailed", cluster.shard_name).out
    # Sizes tell nothing of it, and that they are right is no pardon.
    cluster.ctl("VerifyBackup", "--mode=size", cluster.shard_name, bad)
    assert listed(cluster, bad)["status"] == "INVALID"
    restored = cluster.ctl("VerifyBackup", "--restore", cluster.shard_name, bad, code=1)
    assert "/t.ibd'" in restored.text

    os.remove(cluster.backup_path(bad, str(number)))
    gone = cluster.ctl("VerifyBackup", "--mode=size", cluster.shard_name, bad, code=1)
    assert f"object '{number}'" in gone.text
    cluster.ctl("RemoveBackup", cluster.shard_name, bad)
    assert cluster.backups() == [name]


def test_a_backup_without_a_readable_manifest_is_refused_or_failed(stored):
    cluster, _, name = stored
    bad = copied(cluster, name)
    os.truncate(cluster.backup_path(bad, "MANIFEST"), 100)
    failed = cluster.ctl("VerifyBackup", cluster.shard_name, bad, code=1)
    assert "MANIFEST" in failed.text
    assert listed(cluster, bad)["status"] == "INVALID"
    os.remove(cluster.backup_path(bad, "MANIFEST"))
    refused = cluster.ctl("VerifyBackup", cluster.shard_name, bad, code=1)
    assert "it has no MANIFEST" in refused.text
    assert listed(cluster, bad)["status"] == "INCOMPLETE"
    assert "incomplete" in cluster.ctl("GetBackups", "--detailed", cluster.shard_name).out
    wrong = cluster.ctl("VerifyBackup", "--mode=deep", cluster.shard_name, name, code=1)
    assert "expected size or full" in wrong.text


def test_a_table_that_was_damaged_before_it_was_stored_fails_the_restore_alone(stored):
    cluster, _, name = stored

    def change(file, plain):
        if not file.endswith("/t.ibd"):
            return plain
        middle = len(plain) // PAGE // 2 * PAGE + 100
        return plain[:middle] + b"\x5a" * 8000 + plain[middle + 8000:]
    bad = as_vitess(cluster, name, 3600, change=change)
    cluster.ctl("VerifyBackup", cluster.shard_name, bad)
    assert listed(cluster, bad)["status"] == "VALID"
    failed = cluster.ctl("VerifyBackup", "--restore", cluster.shard_name, bad, code=1)
    assert "the image is no good" in failed.text, failed.text
    seen = listed(cluster, bad)
    assert (seen["status"], seen["vtagent"]["check"]) == ("INVALID", "restore"), seen


def test_a_backup_of_stock_vitess_is_verified_and_proven(stored):
    cluster, _, name = stored
    theirs = as_vitess(cluster, name, 3600)
    cluster.ctl("VerifyBackup", cluster.shard_name, theirs)
    cluster.ctl("VerifyBackup", "--restore", cluster.shard_name, theirs)
    assert listed(cluster, theirs)["vtagent"]["check"] == "restore"
    flip_byte(cluster.backup_path(theirs, str(object_of(cluster, theirs, "/t.ibd"))))
    failed = cluster.ctl("VerifyBackup", cluster.shard_name, theirs, code=1)
    assert "/t.ibd'" in failed.text


def test_what_a_killed_agent_was_restoring_is_removed_at_its_next_start(stored):
    cluster, rdonly, name = stored
    data = os.path.join(rdonly.directory, "vtagent_image", "verify", "data")
    call, worker = caught_in_the_middle(
        rdonly, lambda: cluster.ctl("VerifyBackup", "--restore", f"--tablet={rdonly.alias}",
                                    cluster.shard_name, name, code=None),
        until=lambda: os.path.isdir(data) and os.listdir(data))
    rdonly.agent.kill()
    resume(worker)
    assert call.result().code == 1
    rdonly.start_agent()
    wait_for(lambda: images(rdonly) == [], "the scratch folder is gone")


def test_only_what_may_go_is_expired(stored):
    cluster, rdonly, name = stored
    hour = 3600
    old = [as_vitess(cluster, name, hours * hour) for hours in (90, 80, 70)]
    flip_byte(cluster.backup_path(old[2], str(object_of(cluster, old[2], "/t.ibd"))))
    cluster.ctl("VerifyBackup", cluster.shard_name, old[2], code=1)
    orphans = [named(hours * hour, alias) for hours, alias in ((60, rdonly.alias), (50, "zone1-0000000999"),
                                                               (1, rdonly.alias))]
    for orphan in orphans:
        os.makedirs(cluster.backup_path(orphan))
    before = cluster.backups()
    words = ["ExpireBackups", "--keep-count=2", "--keep-age=1h", "--json", cluster.shard_name]
    would = json.loads(cluster.ctl(*words, "--dry-run").out)
    assert cluster.backups() == before
    going = [step["name"] for step in would if step["removed"]]
    # The failed one does not count: the good one before it stays.
    assert going == [old[0], orphans[0], orphans[1]], would
    assert json.loads(cluster.ctl(*words).out) == would
    assert cluster.backups() == sorted(set(before) - set(going))
    last = json.loads(cluster.ctl("ExpireBackups", "--keep-count=1", "--json", cluster.shard_name).out)
    assert [step["name"] for step in last if not step["removed"]] == [orphans[2], name], last


def test_the_folder_of_a_running_backup_is_never_expired(stored):
    cluster, rdonly, name = stored
    words = ["ExpireBackups", "--keep-count=1", "--orphan-age=1ms", cluster.shard_name]
    call, worker = caught_in_the_middle(rdonly, lambda: cluster.ctl("Backup", rdonly.alias),
                                        until=lambda: len(cluster.backups()) == 2)
    running = cluster.backups()[-1]
    answer = cluster.ctl(*words)
    resume(worker)
    assert "but its tablet runs a backup" in answer.out, answer.text
    assert "the newest complete one" in answer.out
    call.result()
    assert cluster.backups() == [name, running]
