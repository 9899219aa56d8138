"""Backups in Google Cloud Storage, played by an emulator that is not ours, over TLS: what is stored has
Vitess's names, comes back, and goes; what cannot be stored leaves mysqld in service."""
import filecmp
import json
import os
import re
import time

import pytest

from vtharness import faults, gcs
from vtharness.gcs import BUCKET, ROOT, GcsCluster
from vtharness.proxy import Proxy
from vtharness.wait import wait_for

pytestmark = pytest.mark.skipif(gcs.program() is None, reason="no fake-gcs-server")
FILLER_MB = 12


@pytest.fixture(scope="module")
def shard(module_run, flavor):
    """A primary and a rdonly with a table that is stored in several parts."""
    cluster = GcsCluster(module_run, flavor, agent_flags=["--backup-verify=full"]).start_topology()
    cluster.register()
    primary, rdonly = cluster.add(100), cluster.add(101, "rdonly")
    cluster.start_all()
    cluster.make_primary(primary)
    cluster.wait_following(rdonly, primary)
    cluster.make_table(primary)
    primary.sql("CREATE TABLE filler (id INT PRIMARY KEY AUTO_INCREMENT, a LONGBLOB)",
                database=cluster.database)
    for _ in range(FILLER_MB):
        primary.sql("INSERT INTO filler (a) SELECT RANDOM_BYTES(1024) FROM information_schema.columns a,"
                    " information_schema.columns b LIMIT 1024", database=cluster.database, deadline=120)
    cluster.insert(primary, 20)
    cluster.wait_rows(rdonly, 20)
    return cluster, primary, rdonly


def in_service(cluster, primary, tablet):
    cluster.wait_replicating(tablet, primary)


def test_a_backup_has_the_names_of_vitess_and_nothing_else_stays(shard):
    cluster, primary, rdonly = shard
    pid = rdonly.mysqld_pid()
    answer = cluster.ctl("Backup", rdonly.alias)
    in_service(cluster, primary, rdonly)
    names = cluster.objects()
    backup = names[0].split("/")[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.\d{6}\.zone1-0000000101", backup), names
    objects = [name.removeprefix(f"{backup}/") for name in names if "/VTAGENT_VERDICT." not in name]
    assert objects.count("MANIFEST") == 1
    assert sorted(map(int, set(objects) - {"MANIFEST"})) == list(range(len(objects) - 1)), objects
    assert cluster.ctl("GetBackups", cluster.shard_name).out.split() == [backup]
    assert "complete" in answer.text and pid > 0


def test_a_new_tablet_fills_itself_from_the_bucket(shard):
    cluster, primary, _ = shard
    tablet = cluster.add(110).start(waits=False)
    tablet.wait_mysqld()
    tablet.wait_agent()
    cluster.wait_type(tablet, "replica", 120)
    cluster.wait_following(tablet, primary, 120)
    assert tablet.rows("filler") == FILLER_MB * 1024
    sums = [other.sql("CHECKSUM TABLE filler", database=cluster.database) for other in (tablet, primary)]
    assert sums[0] == sums[1]


def test_a_killed_backup_leaves_nothing_that_counts_and_nothing_for_long(shard):
    cluster, primary, rdonly = shard
    before = cluster.objects()
    background, worker = faults.caught_in_the_middle(
        rdonly, lambda: cluster.ctl("Backup", rdonly.alias, code=None),
        until=lambda: any(".part." in name for name in cluster.objects()))
    rdonly.agent.kill()
    faults.kill(worker)
    background.result()
    left = set(cluster.objects()) - set(before)
    assert left and not [name for name in left if name.endswith("/MANIFEST")], left
    listed = json.loads(cluster.ctl("GetBackups", "--detailed", "--json", cluster.shard_name).out)["backups"]
    assert {backup["name"] for backup in listed if backup["status"] != "INCOMPLETE"} == {
        name.split("/")[0] for name in before}
    rdonly.start_agent()
    in_service(cluster, primary, rdonly)
    wait_for(lambda: cluster.objects() == before, "what it left is removed", 60)


def test_an_object_that_is_missing_is_found_before_anything_is_deleted(shard):
    cluster, primary, rdonly = shard
    backup = cluster.backups()[-1]
    cluster.gcs.delete(f"{ROOT}/{cluster.shard_name}/{backup}/1")
    answer = cluster.ctl("RestoreFromBackup", rdonly.alias, code=None)
    assert answer.code == 1 and "damaged" in answer.text, answer.text
    in_service(cluster, primary, rdonly)
    assert rdonly.rows("filler") == FILLER_MB * 1024


BIG_MB, MEMORY_MOST_MB = 320, 96


def job(cluster, mode, *options):
    """Runs a worker as the agent does; its results."""
    done = cluster.run.command([
        cluster.run.vtagent(), "job", f"--mode={mode}", "--storage-implementation=gcs",
        f"--gcs-bucket={BUCKET}", f"--gcs-root={ROOT}", "--keyspace=big", "--shard=0",
        "--alias=zone1-0000000001", *options], env=cluster.gcs.environment(), deadline=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(line.split(" ", 2)[1:] for line in done.stdout.splitlines() if line.startswith("result "))


def server_files(cluster, name):
    """A my.cnf, and the folder of one schema of its data."""
    base = cluster.run.folder(name)
    schema = cluster.run.folder(name, "data", "db")
    cluster.run.folder(name, "logs")
    mycnf = cluster.run.write(f"{name}/my.cnf", f"[mysqld]\ndatadir={base}/data\nlog_bin={base}/logs/bin\n"
                                                f"relay_log={base}/logs/relay\n")
    return mycnf, schema


def test_a_worker_stays_within_its_memory(shard):
    cluster, _, _ = shard
    mycnf, schema = server_files(cluster, "big")
    path, noise = os.path.join(schema, "t.MYD"), os.urandom(1 << 20)
    with open(path, "wb") as file:
        for number in range(BIG_MB):
            file.write(number.to_bytes(8, "big") + noise[8:])
    cluster.run.user.give(path)
    cluster.run.write("big/data/db/db.opt", "default-character-set=utf8mb4\n")
    taken = job(cluster, "backup", f"--mycnf={mycnf}", "--position=MySQL56/", "--compression=pgzip",
                "--concurrency=4", f"--start-time-ns={time.time_ns()}", "--compression-level=1")
    mycnf, schema = server_files(cluster, "big-again")
    restored = job(cluster, "restore-copy", f"--mycnf={mycnf}", f"--name={taken['name']}", "--concurrency=4")
    assert filecmp.cmp(path, os.path.join(schema, "t.MYD"), shallow=False)
    peaks = [int(results["memory_bytes"]) >> 20 for results in (taken, restored)]
    print(f"{BIG_MB} MB: a backup took {peaks[0]} MB of memory, a restore {peaks[1]} MB")
    assert max(peaks) <= MEMORY_MOST_MB, peaks
    os.unlink(path)
    cluster.ctl("RemoveBackup", "big/0", taken["name"])


def test_removing_leaves_nothing(shard):
    cluster, _, _ = shard
    for name in cluster.backups():
        cluster.ctl("RemoveBackup", cluster.shard_name, name)
    assert cluster.objects() == []
    assert cluster.ctl("RemoveBackup", cluster.shard_name, "2020-01-01.000000.x-1", code=1).text
    assert cluster.ctl("GetBackups", cluster.shard_name).out.split() == []


def test_wrong_settings_say_what_to_do(shard):
    cluster, _, _ = shard
    nowhere = cluster.ctl("--gcs-backup-storage-bucket=not-there", "GetBackups", cluster.shard_name, code=1)
    assert "'not-there' does not exist" in nowhere.text
    assert "expected --gcs-backup-storage-bucket" in cluster.ctl(
        "--gcs-backup-storage-bucket=", "GetBackups", cluster.shard_name, code=2).text
    untrusted = cluster.ctl("GetBackups", cluster.shard_name, code=1,
                            env={"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"})
    assert "certificate" in untrusted.text and "SSL_CERT_FILE" in untrusted.text
    key = cluster.run.write("key.json", "not json")
    broken = cluster.ctl("GetBackups", cluster.shard_name, code=1, env={
        "STORAGE_EMULATOR_HOST": "", "GOOGLE_APPLICATION_CREDENTIALS": key})
    assert "are not JSON" in broken.text and key in broken.text


def test_a_proxy_is_gone_through_with_its_password_and_named_when_it_refuses(shard):
    cluster, _, _ = shard
    verb = ("GetBackups", cluster.shard_name)
    for password in (None, "user:secret"):
        proxy = Proxy(f"127.0.0.1:{cluster.gcs.port}", cluster.gcs.trusted, password)
        name = f"http://{password + '@' if password else ''}{proxy.address}"
        with proxy as server:
            cluster.ctl(*verb, env={"https_proxy": name})
            assert server.tunnels > 0 and server.forwarded == 0
            cluster.ctl(*verb, env={"http_proxy": name, "STORAGE_EMULATOR_HOST": "http://storage.invalid:80"})
            assert server.forwarded > 0
            if password:
                refused = cluster.ctl("--storage-timeout=2s", *verb, code=1,
                                      env={"https_proxy": f"http://user:wrong@{proxy.address}"})
                assert "407" in refused.text and "wrong" not in refused.text, refused.text


def test_the_doctor_looks_at_a_bucket_too(shard):
    cluster, _, rdonly = shard
    argv = [cluster.run.vtagent(), "doctor", *rdonly.agent.argv[2:]]
    well = cluster.run.command(argv, env=cluster.server_env)
    for row in ("list", "create", "read", "delete", "clock"):
        assert re.search(rf"^ok +storage-{row} ", well.stdout, re.M), well.stdout + well.stderr
    assert well.returncode in (0, 1) and cluster.objects() == []
    key = cluster.run.write("broken.json", '{"type": "service_account", "private_key": "no key"}')
    ill = cluster.run.command(argv, env={**cluster.server_env, "STORAGE_EMULATOR_HOST": "",
                                         "GOOGLE_APPLICATION_CREDENTIALS": key})
    assert ill.returncode == 2 and re.search(rf"^failed +storage-open .*{re.escape(key)}", ill.stdout, re.M), ill.stdout


def test_a_bucket_that_is_gone_leaves_mysqld_alone(shard):
    cluster, primary, rdonly = shard
    pid = rdonly.mysqld_pid()
    cluster.gcs.request("DELETE", f"/storage/v1/b/{BUCKET}")
    answer = cluster.ctl("Backup", rdonly.alias, code=1)
    assert f"bucket '{BUCKET}' does not exist" in answer.text
    assert rdonly.mysqld_pid() == pid
    in_service(cluster, primary, rdonly)
    cluster.gcs.request("POST", "/storage/v1/b?project=p", {"name": BUCKET})


def test_a_storage_that_loses_the_bucket_meanwhile_brings_mysqld_back(shard):
    cluster, primary, rdonly = shard
    working = cluster.run.start("backup", cluster.ctl_argv("Backup", rdonly.alias),
                                env=cluster.gcs.environment())
    wait_for(lambda: any(name.split("/")[1].isdigit() for name in cluster.objects()), "it copies", 60,
             interval=0.005)
    cluster.gcs.process.kill()
    cluster.gcs.process.start()
    assert working.wait(120) == 1
    assert f"bucket '{BUCKET}' does not exist" in working.log()
    in_service(cluster, primary, rdonly)
