"""Data directories that were initialised once per session and are copied: an initialisation of MySQL
takes seconds of processor time, and most tests are about something else.

Used when VTAGENT_TEMPLATES names a folder (test/integration/run makes one)."""
import fcntl
import os
import subprocess

COPIED = ("data", "innodb")


def folder_for(flavor):
    root = os.environ.get("VTAGENT_TEMPLATES")
    return os.path.join(root, flavor.name) if root else None


def fill(tablet, make_tablet):
    """Gives a tablet without data a copy of the template, made with make_tablet(run) if need be."""
    folder = folder_for(tablet.cluster.flavor)
    if folder is None or os.path.exists(os.path.join(tablet.directory, "data")):
        return
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            _make(folder, make_tablet)
    tablet.cluster.run.folder(os.path.relpath(tablet.directory, tablet.cluster.run.directory))
    for name in COPIED:
        _copy(os.path.join(folder, name), os.path.join(tablet.directory, name))


def _copy(source, target):
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def _make(folder, make_tablet):
    from vtharness.run import Run  # pylint: disable=import-outside-toplevel
    with Run("template", keep=False) as run:
        tablet = make_tablet(run)
        tablet.start_supervisor()
        tablet.supervisor.stop(120)
        identity = os.path.join(tablet.directory, "data", "auto.cnf")
        if os.path.exists(identity):
            os.unlink(identity)
        partial = folder + ".partial"
        os.mkdir(partial, 0o755)
        for name in COPIED:
            _copy(os.path.join(tablet.directory, name), os.path.join(partial, name))
        os.rename(partial, folder)
