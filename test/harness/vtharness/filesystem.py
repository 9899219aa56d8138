"""File systems of a test's own, in a file: XFS that can share blocks, or cannot; filled up, frozen."""
import contextlib
import os
import shutil
import subprocess

import pytest

SIZE = 6 << 30  # sparse: takes what is written


def mount_xfs(run, folder, reflink=True, size=SIZE):
    """Mounts a new XFS over an empty folder of the run, until the run's end. Skips the test where
    that cannot be done."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a file system of its own")
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("needs mkfs.xfs (package xfsprogs)")
    image = folder + ".xfs"
    with open(image, "wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.xfs", "-q", "-m", f"reflink={int(reflink)}", image], check=True)
    done = subprocess.run(["mount", "-t", "xfs", "-o", "loop", image, folder], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        os.unlink(image)
        pytest.skip(f"needs loop mounts of XFS: {done.stdout.strip()}")
    run.at_end(lambda: _unmount(folder, image))
    run.user.give(folder)


def _unmount(folder, image):
    if subprocess.run(["umount", folder], check=False).returncode != 0:
        subprocess.run(["umount", "-l", folder], check=False)
    os.unlink(image)


@contextlib.contextmanager
def frozen(folder):
    """Every write to the file system at `folder` hangs meanwhile."""
    subprocess.run(["fsfreeze", "--freeze", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", folder], check=True)


@contextlib.contextmanager
def filled(folder, free):
    """Only so many bytes are left meanwhile."""
    path = os.path.join(folder, "filler")
    space = os.statvfs(folder)
    try:
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - free)
        yield
    finally:
        os.unlink(path)
