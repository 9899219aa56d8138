"""Child processes: own process group, output to a log file, ended by their process id."""
import os
import signal
import subprocess
import time


class Process:
    """One program of a run. Started by start(); may be stopped and started again."""

    def __init__(self, run, name, argv, env=None):
        self.run, self.name, self.argv = run, name, list(argv)
        self.env = run.environment(env)
        self.log_path = os.path.join(run.directory, "logs", f"{name}.log")
        self.popen = None
        run.processes.append(self)

    def start(self):
        assert not self.is_alive(), f"{self.name} runs already"
        with open(self.log_path, "ab") as log:
            log.write(f"---- start: {' '.join(self.argv)}\n".encode())
            log.flush()
            self.popen = subprocess.Popen(
                self.run.user.prefix() + self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env, cwd=self.run.directory, start_new_session=True)
        return self

    @property
    def pid(self):
        return self.popen.pid if self.popen else None

    def is_alive(self):
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number):
        if self.is_alive():
            self.popen.send_signal(number)

    def wait(self, deadline=60.0):
        """The exit status; negative: the signal. Fails when it does not end in time."""
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} (pid {self.pid}) did not end within {deadline:g} s"
                                 ) from None

    def stop(self, deadline=60.0):
        """SIGTERM, then waits; the exit status. SIGKILL and a failure after the deadline."""
        if not self.is_alive():
            return self.popen.returncode if self.popen else None
        self.signal(signal.SIGTERM)
        try:
            return self.wait(deadline)
        except AssertionError:
            self.kill()
            raise

    def kill(self):
        """SIGKILL: as if the machine took it."""
        if self.is_alive():
            self.popen.kill()
            self.popen.wait(30)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])


def is_running(pid):
    """Whether a process with this id exists. A zombie does only while other threads of it still
    end: until then its sockets are open."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return False
    state, threads = fields[0], int(fields[17])
    return state != "X" and (state != "Z" or threads > 1)


def pids_with_environment(marker):
    """Processes whose environment holds this text."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if marker.encode() in file.read().split(b"\0") and is_running(int(name)):
                        found.append(int(name))
            except OSError:
                pass
    return found


def end_pids(pids, deadline=20.0):
    """Ends processes that are not our children: SIGKILL each, wait until they are gone."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    end = time.monotonic() + deadline
    while any(is_running(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)


def children_of(pid):
    """The ids of a process's children."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    if int(file.read().rpartition(")")[2].split()[1]) == pid:
                        found.append(int(name))
            except (OSError, ValueError, IndexError):
                pass
    return found


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0").decode(errors="replace").split("\0")
    except OSError:
        return []
