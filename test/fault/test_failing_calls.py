"""Every file system call of the job worker fails once: the k-th of a backup, of a verification, of a look
before a restore, of the deletion and of the copying back, for all k. What may come of it: success (the call
did not matter) or one clear error. What may not: a crash, a backup that is listed as complete and is not, an
older backup that changed, local data that changed before the deletion began, a restore that says it is done
and is not."""
import errno
import json
import os
import shutil
import struct
import subprocess

import pytest

from vtharness.run import TOP, binary_path

SHIM = os.path.join(TOP, "build", "fault", "fail_call.so")
PAGE = 16384
SHARD = ["--keyspace=ks", "--shard=0", "--alias=zone1-0000000100"]
POSITION = "MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77"
OLD = "2026-01-01.000000.zone1-0000000100"
START_NS = 1795413342000000000


def page(number):
    """A page of InnoDB with innodb_checksum_algorithm=none, of tablespace 9."""
    body = bytearray(os.urandom(1024) * 16)
    struct.pack_into(">IIIIQH", body, 0, 0xDEADBEEF, number, 0, 0, 4711, 17855)
    struct.pack_into(">I", body, 34, 9)
    struct.pack_into(">II", body, 38, 9, 0)
    struct.pack_into(">I", body, 54, 0)
    struct.pack_into(">II", body, PAGE - 8, 0xDEADBEEF, 4711)
    return bytes(body)


def tree(folder):
    """Relative path → bytes; folders map to None."""
    found = {}
    for top, folders, names in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(top, name), folder)] = None
        for name in names:
            path = os.path.join(top, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


class Place:
    """A server's folder, a storage with one complete backup, and the worker."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.storage, self.server = os.path.join(self.folder, "storage"), os.path.join(self.folder, "server")
        self.report = os.path.join(os.path.dirname(self.folder), "report")
        os.makedirs(os.path.join(self.server, "data", "db"))
        os.makedirs(os.path.join(self.server, "data", "empty"))
        os.mkdir(self.storage)
        self.mycnf = os.path.join(self.server, "my.cnf")
        self._write("my.cnf", f"[mysqld]\ndatadir = {self.server}/data\n"
                    f"log-bin = {self.server}/binlog/vt-bin\n".encode())
        self._write("data/db/t.ibd", b"".join(page(number) for number in range(6)))
        self._write("data/ibdata1", b"i" * 5000)
        self._write("data/ib_logfile0", b"l" * 3000)
        self._write("data/db/db.opt", b"")
        os.mkdir(os.path.join(self.server, "binlog"))
        self._write("binlog/vt-bin.000001", b"b" * 100)
        self.pristine = tree(os.path.join(self.server, "data"))
        assert self.work("backup", f"--start-time-ns={START_NS}").returncode == 0
        (name,) = os.listdir(self.shard)
        os.rename(os.path.join(self.shard, name), os.path.join(self.shard, OLD))
        self.old = tree(os.path.join(self.shard, OLD))

    @property
    def shard(self):
        return os.path.join(self.storage, "ks", "0")

    def _write(self, name, content):
        with open(os.path.join(self.server, name), "wb") as file:
            file.write(content)

    def work(self, mode, *words, call=0, number=errno.EIO):
        """The worker in this mode, its call-th call failing."""
        environment = {"PATH": "/usr/bin:/bin", "LD_PRELOAD": SHIM, "FAIL_CALL": str(call),
                       "FAIL_CALL_ERRNO": str(number), "FAIL_CALL_BELOW": self.folder,
                       "FAIL_CALL_REPORT": self.report}
        return subprocess.run(
            [binary_path(), "job", f"--mode={mode}", f"--mycnf={self.mycnf}", "--concurrency=1",
             "--chunk-bytes=65536", "--storage-implementation=file", f"--file-root={self.storage}",
             *SHARD, f"--position={POSITION}", f"--purged-position={POSITION}", "--compression=pgzip",
             "--compression-level=1", *words],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)

    def reported(self):
        with open(self.report, encoding="ascii") as file:
            count, name = file.read().split()
        return int(count), name

    def data(self):
        return tree(os.path.join(self.server, "data"))

    def restore_data(self):
        """The server's folder as it was."""
        shutil.rmtree(os.path.join(self.server, "data"))
        for name, content in [("", None), *self.pristine.items()]:
            path = os.path.join(self.server, "data", name)
            if content is None:
                os.makedirs(path, exist_ok=True)
            else:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("place") / "below")


def backup_of(place):
    """The old backup, without what verifications said of it."""
    return {name: content for name, content in tree(os.path.join(place.shard, OLD)).items()
            if not name.startswith("VTAGENT_VERDICT.")}


def each_call(place, mode, *words, before=lambda: None):
    """(what failed, what the worker said) for every call; the worker never dies of it."""
    for number in (errno.EIO, errno.ENOSPC):
        before()
        done = place.work(mode, *words)
        assert done.returncode == 0, done.stdout
        count, _ = place.reported()
        assert count > 5
        for call in range(1, count + 1):
            before()
            done = place.work(mode, *words, call=call, number=number)
            _, name = place.reported()
            what = f"{mode}, call {call} of {count}, {name}: {os.strerror(number)}"
            lines = done.stdout.splitlines()
            assert done.returncode in (0, 1), f"{what}: {done.returncode}\n{done.stdout}"
            if done.returncode == 1:
                assert lines[-1].startswith("error ") and len(lines[-1].split(" ", 2)[2]) > 10, f"{what}\n{lines}"
            yield what, done
            assert backup_of(place) == place.old, what
        print(f"{mode}: {count} calls, {os.strerror(number)}")


def contents(place, name):
    """What a MANIFEST says is in the backup."""
    with open(os.path.join(place.shard, name, "MANIFEST"), encoding="utf-8") as file:
        manifest = json.load(file)
    return sorted((entry["Base"], entry["Name"], entry["Hash"]) for entry in manifest["FileEntries"]), \
        manifest["VtagentDetails"]["EmptyDirectories"]


def drop_new(place):
    for name in os.listdir(place.shard):
        if name != OLD:
            shutil.rmtree(os.path.join(place.shard, name))


def test_a_backup_that_met_an_error_is_not_listed_or_is_good(place):
    for what, done in each_call(place, "backup", f"--start-time-ns={START_NS}", before=lambda: drop_new(place)):
        complete = [name for name in os.listdir(place.shard)
                    if name != OLD and os.path.exists(os.path.join(place.shard, name, "MANIFEST"))]
        if done.returncode == 0:
            assert len(complete) == 1, f"{what}: said to be done\n{done.stdout}"
        for name in complete:
            good = place.work("read-back", f"--name={name}", "--verify=full")
            assert good.returncode == 0, f"{what}: listed, and\n{good.stdout}"
            assert contents(place, name) == contents(place, OLD), what
        assert place.data() == place.pristine, what
    drop_new(place)


def test_a_verification_that_met_an_error_removes_no_good_backup(place):
    for what, done in each_call(place, "read-back", f"--name={OLD}", "--verify=full"):
        assert os.path.exists(os.path.join(place.shard, OLD, "MANIFEST")), f"{what}\n{done.stdout}"


def test_a_look_before_a_restore_changes_nothing(place):
    for what, done in each_call(place, "restore-check", "--verify=full"):
        assert place.data() == place.pristine, what
        assert done.returncode == 1 or f"result name {OLD}" in done.stdout, f"{what}\n{done.stdout}"
        assert "\nerror 5 " not in "\n" + done.stdout, f"{what}: as if there were no backup\n{done.stdout}"


def test_a_deletion_says_so_when_something_is_left(place):
    binlog = os.path.join(place.server, "binlog", "vt-bin.000001")

    def before():
        place.restore_data()
        with open(binlog, "wb") as file:
            file.write(b"b")
    for what, done in each_call(place, "restore-wipe", before=before):
        assert done.returncode == 1 or (place.data() == {} and not os.path.exists(binlog)), what


def test_a_restore_that_says_it_is_done_is_done(place):
    def before():
        shutil.rmtree(os.path.join(place.server, "data"))
        os.mkdir(os.path.join(place.server, "data"))
    failed = 0
    for what, done in each_call(place, "restore-copy", f"--name={OLD}", before=before):
        assert done.returncode == 1 or place.data() == place.pristine, f"{what}\n{done.stdout}"
        failed += done.returncode
    assert failed > 0
    place.restore_data()
