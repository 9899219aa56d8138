"""The database servers that can be had here."""
import functools
import os
import re
import shutil
import subprocess

from vtharness import identity
from vtharness.run import TOP


class Flavor:
    """A server: `root` is what VT_MYSQL_ROOT is set to."""

    def __init__(self, name, root, program):
        self.name, self.root, self.program = name, root, program

    def __repr__(self):
        return self.name

    @property
    def is_mariadb(self):
        return self.name.startswith("mariadb")

    def version(self):
        done = subprocess.run([self.program, "--no-defaults", "--version"], stdout=subprocess.PIPE,
                              text=True, check=True)
        return re.search(r"Ver (\S+)", done.stdout)[1]


def _unpacked_root(name):
    """Where test/setup/server.sh put it."""
    named = os.environ.get("VTAGENT_MYSQL_ROOT") if name == "mysql" else None
    return os.path.realpath(named or os.path.join(TOP, "build", name, "usr"))


def _find(name):
    if name == "mariadb":
        for program in ("/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd"):
            if os.access(program, os.X_OK):
                return Flavor(name, os.path.dirname(os.path.dirname(program)), program)
        return None
    root = _unpacked_root(name)
    program = os.path.join(root, "sbin", "mysqld" if name == "mysql" else "mariadbd")
    return Flavor(name, root, program) if os.access(program, os.X_OK) else None


@functools.lru_cache(maxsize=None)
def flavors(default="mysql,mariadb"):
    """Those present; VTAGENT_FLAVORS=mariadb picks."""
    wanted = os.environ.get("VTAGENT_FLAVORS", default).split(",")
    return [flavor for flavor in map(_find, wanted) if flavor]


def all_flavors():
    """With the versions that only the most telling tests run with."""
    return flavors("mysql,mariadb,mariadb-11")


def flavor_named(name):
    return next((flavor for flavor in all_flavors() if flavor.name == name), None)


@functools.lru_cache(maxsize=None)
def _reachable_copy(root, folder):
    """The unpacked server names its loader and libraries by absolute path: a copy is patched."""
    copy = os.path.join(folder, "server", "usr")
    shutil.copytree(root, copy, symlinks=True)
    for folder_name in ("sbin", "bin"):
        for name in os.listdir(os.path.join(copy, folder_name)):
            path = os.path.join(copy, folder_name, name)
            shown = subprocess.run(["patchelf", "--print-rpath", path], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True, check=False)
            if root in shown.stdout:
                rpath = shown.stdout.strip().replace(root, copy)
                loader = subprocess.run(["patchelf", "--print-interpreter", path], check=True, text=True,
                                        stdout=subprocess.PIPE).stdout.strip().replace(root, copy)
                subprocess.run(["patchelf", "--force-rpath", "--set-rpath", rpath,
                                "--set-interpreter", loader, path], check=True)
    return copy


def reachable_root(flavor, run):
    """VT_MYSQL_ROOT as the ordinary user can reach it: a copy when the checkout is in a folder of
    root's alone."""
    if identity.ordinary_user().can_run(flavor.program):
        return flavor.root
    return _reachable_copy(flavor.root, run.folder("reachable"))
