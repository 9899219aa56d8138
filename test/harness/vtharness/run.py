"""One run: a temporary folder, the program's binary in it, the processes started below it."""
import os
import shutil
import subprocess
import tempfile

from vtharness import identity
from vtharness.process import Process, end_pids, pids_with_environment

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
MARKER = "VTAGENT_TEST_RUN"
open_runs = []


def binary_path():
    return os.environ.get("VTAGENT_BINARY") or os.path.join(TOP, "build", "release", "vtagent")


def _temporary_root(user):
    for root in (os.environ.get("TMPDIR"), "/tmp"):
        if root and subprocess.run(user.prefix() + ["test", "-x", root], check=False).returncode == 0:
            return root
    return tempfile.gettempdir()


class Run:
    """Use as a context manager, or call close()."""

    def __init__(self, name="run", keep=None):
        self.user = identity.ordinary_user()
        self.keep = os.environ.get("KEEP") == "1" if keep is None else keep
        self.directory = tempfile.mkdtemp(prefix=f"vta-{name[:12]}-", dir=_temporary_root(self.user))
        os.chmod(self.directory, 0o755)
        self.user.give(self.directory)
        self.processes = []
        self.closers = []
        self.clusters = set()
        self.folder("logs")
        self.binary = None
        open_runs.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def folder(self, *names):
        """A folder below the run's, owned by the ordinary user."""
        path = self.directory
        for name in names:
            path = os.path.join(path, name)
            if not os.path.isdir(path):
                os.mkdir(path, 0o755)
                self.user.give(path)
        return path

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        self.user.give(path)
        return path

    def vtagent(self, face="vtagent"):
        """The program below the run's folder, where the ordinary user can reach it; `face` may be
        vttablet or mysqlctld."""
        folder = self.folder("bin")
        if not self.binary:
            self.binary = os.path.join(folder, "vtagent")
            shutil.copy2(binary_path(), self.binary)
            os.chmod(self.binary, 0o755)
            for name in ("vttablet", "mysqlctld"):
                os.symlink("vtagent", os.path.join(folder, name))
        return os.path.join(folder, face)

    def environment(self, extra=None):
        """A small, known environment: no proxies, no settings of the caller."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
               "HOME": self.directory, MARKER: self.directory, "GRPC_ENABLE_FORK_SUPPORT": "0"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
                     "VTAGENT_TEST_SESSION"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(extra or {})
        return env

    def start(self, name, argv, env=None):
        return Process(self, name, argv, env).start()

    def command(self, argv, env=None, deadline=120.0, stdin_text=None):
        """Runs a command as the ordinary user; subprocess.CompletedProcess with text."""
        return subprocess.run(self.user.prefix() + list(argv), env=self.environment(env), text=True,
                              cwd=self.directory, input=stdin_text, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, errors="replace", timeout=deadline, check=False,
                              **({"stdin": subprocess.DEVNULL} if stdin_text is None else {}))

    def tails(self, lines=40):
        """The ends of all logs, for a failure's report."""
        parts = []
        for folder, _, names in sorted(os.walk(self.directory)):
            for name in sorted(names):
                is_log = os.path.basename(folder) == "logs" or name == "error.log"
                if is_log and "innodb" not in folder:
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8", errors="replace") as file:
                        end = file.read()[-200000:].splitlines()[-lines:]
                    shown = os.path.relpath(path, self.directory)
                    parts.append(f"==== {shown}\n" + "\n".join(line[:600] for line in end))
        return "\n".join(parts)

    def at_end(self, function):
        """Called when the run's processes are gone and its folder is not."""
        self.closers.append(function)

    def leftovers(self):
        """Processes of this run that still exist (servers outlive their supervisor)."""
        return pids_with_environment(f"{MARKER}={self.directory}")

    def _end_all(self):
        for process in reversed(self.processes):
            process.kill()
        end_pids(self.leftovers())
        for closer in reversed(self.closers):
            closer()
        self.processes, self.closers, self.clusters = [], [], set()

    def claim(self, prefix):
        """For a new cluster: what an earlier one of the same name left (that of a module's tests with
        another server) is ended and removed."""
        if prefix in self.clusters:
            self._end_all()
            for name in os.listdir(self.directory):
                if name not in ("bin", "logs"):
                    shutil.rmtree(os.path.join(self.directory, name), ignore_errors=True)
        self.clusters.add(prefix)

    def close(self):
        if self.keep:
            return
        self._end_all()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self in open_runs:
            open_runs.remove(self)
