"""The ordinary user that the servers run as when the caller is root: both servers refuse root."""
import functools
import os
import pwd
import subprocess

NAME = "vtagent-test"


class Identity:
    def __init__(self, entry):
        self.uid, self.gid, self.name = entry.pw_uid, entry.pw_gid, entry.pw_name

    def prefix(self):
        """Words to put in front of a command so that it runs as this user."""
        if os.geteuid() == self.uid:
            return []
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups", "--"]

    def give(self, path):
        if os.geteuid() != self.uid:
            os.chown(path, self.uid, self.gid)

    def can_run(self, path):
        """Whether this user can reach and execute the file."""
        done = subprocess.run(self.prefix() + ["test", "-x", path], check=False)
        return done.returncode == 0


def _create():
    subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", "--home-dir",
                    "/nonexistent", "--shell", "/usr/sbin/nologin", NAME],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


@functools.lru_cache(maxsize=None)
def ordinary_user():
    """The caller, or for root: the user vtagent-test, created when missing."""
    if os.geteuid() != 0:
        return Identity(pwd.getpwuid(os.geteuid()))
    for attempt in range(2):
        try:
            return Identity(pwd.getpwnam(NAME))
        except KeyError:
            if attempt == 0:
                _create()
    return Identity(pwd.getpwnam("nobody"))
