"""Breaking things at a chosen moment: workers caught in the middle, calls in the background."""
import contextlib
import ctypes
import os
import signal
import threading
import time

from vtharness.process import children_of, command_of, is_running
from vtharness.wait import wait_for


class Background(threading.Thread):
    """A call that goes on while the test does something else."""

    def __init__(self, function, *arguments, **named):
        super().__init__(daemon=True)
        self._call = (function, arguments, named)
        self.value = self.error = None
        self.start()

    def run(self):
        function, arguments, named = self._call
        try:
            self.value = function(*arguments, **named)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def done(self):
        return not self.is_alive()

    def result(self, deadline=120):
        """The call's value, or its error raised."""
        self.join(deadline)
        assert not self.is_alive(), f"no end within {deadline:g} s: {self._call[0]}"
        if self.error:
            raise self.error
        return self.value

    def failure(self, deadline=120):
        """The call's error; it must have failed."""
        self.join(deadline)
        assert not self.is_alive(), f"no end within {deadline:g} s: {self._call[0]}"
        assert self.error is not None, f"should have failed, gave {self.value!r}"
        return self.error


class Repeated(threading.Thread):
    """Calls a function again and again until it is stopped; counts, and keeps the first error."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self._function, self._is_over = function, threading.Event()
        self.count, self.error, self.longest = 0, None, 0.0
        self.start()

    def run(self):
        while not self._is_over.is_set():
            begin = time.monotonic()
            try:
                self._function()
            except Exception as error:  # pylint: disable=broad-except
                self.error = self.error or error
            self.longest = max(self.longest, time.monotonic() - begin)
            self.count += 1

    def stop(self):
        self._is_over.set()
        self.join(60)
        assert not self.is_alive()
        assert self.error is None, self.error


QUESTIONS = ("--mode=open", "--mode=open-read", "--mode=look")


def worker_of(tablet):
    """The agent's job worker, or None; not one that only asks the storage something."""
    for pid in children_of(tablet.agent.pid):
        command = command_of(pid)
        if len(command) > 1 and command[1] == "job" and not set(QUESTIONS) & set(command):
            return pid
    return None


def stop_worker(tablet, background, until=lambda: True, deadline=120):
    """Freezes the job worker as soon as it exists and `until` holds; its pid. None when the job was
    over before that: too quick, try again."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        pid = worker_of(tablet)
        if pid is not None and until():
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                return None
            wait_for(lambda: _state(pid) in ("T", "Z", "X", ""), f"worker {pid} is stopped")
            return pid if _state(pid) == "T" else None
        if background.done():
            return None
        time.sleep(0.002)
    raise AssertionError(f"no worker within {deadline:g} s")


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    wait_for(lambda: not is_running(pid), f"process {pid} is gone")


def resume(pid):
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def caught_in_the_middle(tablet, begin, until=lambda: True, attempts=6, between=lambda: None):
    """Starts a job with begin() and freezes its worker; (background, worker pid). Jobs that were over
    too quickly are begun anew."""
    for _ in range(attempts):
        background = Background(begin)
        pid = stop_worker(tablet, background, until)
        if pid is not None:
            return background, pid
        background.join(180)
        between()
    raise AssertionError(f"the job was over before it could be caught, {attempts} times")


def flip_byte(path, position=None):
    """Damages a file without changing its size."""
    size = os.path.getsize(path)
    position = size // 2 if position is None else position
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0xFF]))


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_ALL = 0x40000000


def thread_named(pid, name):
    """The id of a process's thread."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="ascii", errors="replace") as file:
            if file.read().strip() == name:
                return int(thread)
    raise KeyError(f"process {pid} has no thread '{name}'")


def _ptrace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, thread, None, None) == -1:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of thread {thread}")


@contextlib.contextmanager
def stopped_thread(thread):
    """One thread of a process does nothing meanwhile; the others go on."""
    _ptrace(PTRACE_SEIZE, thread)
    _ptrace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WAIT_ALL)
    try:
        yield
    finally:
        _ptrace(PTRACE_DETACH, thread)
