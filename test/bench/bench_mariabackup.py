"""mariabackup, Debian's backup tool for MariaDB, beside our backups: the same server, the same data. It copies
without compression and its copy must be prepared before a server may start on it."""
import os
import shutil
import subprocess
import time

import backup_data
import measure
from vtharness import filesystem, servers
from vtharness.cluster import Cluster
from vtharness.run import Run
from vtharness.wait import wait_for

SERVER = """[mysqld]
innodb_buffer_pool_size = 256M
innodb_log_file_size = 256M
"""


def start(run, flavor, megabytes):
    cluster = Cluster(run, flavor, small=SERVER)
    if os.geteuid() == 0 and shutil.which("mkfs.xfs"):
        filesystem.mount_xfs(run, cluster.data_root, size=24 << 30)
    cluster.start_topology().register()
    primary, rdonly = cluster.add(100), cluster.add(101, "rdonly")
    cluster.start_all()
    cluster.make_primary(primary)
    backup_data.fill(primary, cluster.database, megabytes)
    cluster.ctl("Backup", "--allow-primary", primary.alias, deadline=600)
    cluster.ctl("RestoreFromBackup", rdonly.alias, deadline=600)
    wait_for(lambda: rdonly.threads() == ("Yes", "Yes"), "replication runs", 120)
    return cluster, rdonly


def warm(tablet):
    os.sync()
    for path in measure.files_below(os.path.join(tablet.directory, "data"), os.path.join(tablet.directory, "innodb")):
        measure.read_all(path)


def theirs(cluster, tablet):
    """Seconds of backup and of prepare, and the bytes of the copy."""
    target = cluster.run.folder("mariabackup")
    my_cnf = os.path.join(tablet.directory, "my.cnf")
    command = ["mariabackup", f"--defaults-file={my_cnf}", f"--target-dir={target}"]
    warm(tablet)
    seconds = []
    for words in (["--backup", "--user=vt_dba", f"--socket={tablet.mysql_socket}", f"--parallel={os.cpu_count()}"],
                  ["--prepare"]):
        begin = time.monotonic()
        done = subprocess.run(command[:2] + words + command[2:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        seconds.append(time.monotonic() - begin)
    size = measure.size_of(measure.files_below(target))
    shutil.rmtree(target)
    return seconds[0], seconds[1], size


def ours(cluster, tablet):
    warm(tablet)
    begin = time.monotonic()
    cluster.ctl("Backup", tablet.alias, deadline=600)
    seconds = time.monotonic() - begin
    return seconds, measure.size_of(measure.files_below(cluster.backup_path(cluster.backups()[-1])))


def run(megabytes, rounds, row):
    flavor = servers.flavor_named("mariadb")
    if flavor is None or shutil.which("mariabackup") is None:
        print("  no mariadbd or no mariabackup here")
        return
    with Run("bench-mariabackup") as place:
        cluster, tablet = start(place, flavor, megabytes)
        copies = [theirs(cluster, tablet) for _ in range(rounds)]
        backup, prepare, size = min(copies, key=lambda copy: copy[0] + copy[1])
        mine, stored = min(ours(cluster, tablet) for _ in range(rounds))
        row("mariabackup, backup", backup, "s")
        row("mariabackup, prepare", prepare, "s")
        row("mariabackup, size", size / 1e6, "MB")
        row("ours, against mariabackup's backup and prepare", mine, "s", base=backup + prepare)
        row("ours, size", stored / 1e6, "MB")
