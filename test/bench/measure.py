"""Measuring processes and files from outside."""
import os
import socket
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
BLOCK = 4 << 20


def _stat(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def cpu_seconds(pid):
    """Of a process and the children that it waited for."""
    return sum(int(field) for field in _stat(pid)[11:15]) / TICKS


def peak_mb(pid):
    """Most resident memory so far; 0: it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


class Watch(threading.Thread):
    """Calls a function every few milliseconds until it is stopped."""

    def __init__(self, function, interval=0.01):
        super().__init__(daemon=True)
        self._function, self._interval, self._ends = function, interval, threading.Event()
        self.start()

    def run(self):
        while not self._ends.wait(self._interval):
            self._function()

    def stop(self):
        self._ends.set()
        self.join(30)


class Outage:
    """The longest time without a server's greeting on its socket."""

    def __init__(self, path):
        self._path, self.longest, self._last = path, 0.0, time.monotonic()
        self._watch = Watch(self._greet)

    def _greet(self):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(5)
                client.connect(self._path)
                is_up = bool(client.recv(4))
        except OSError:
            is_up = False
        if is_up:
            now = time.monotonic()
            self.longest = max(self.longest, now - self._last)
            self._last = now

    def stop(self):
        self._watch.stop()
        return self.longest


def read_all(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(BLOCK):
            pass


def files_below(*folders):
    return [os.path.join(folder, name) for top in folders for folder, _, names in os.walk(top)
            for name in names if os.path.isfile(os.path.join(folder, name))]


def size_of(paths):
    return sum(os.path.getsize(path) for path in paths)


def seconds_to_write(path, size):
    """Zeros to a new file, on disk at the end."""
    block = bytes(BLOCK)
    start = time.monotonic()
    with open(path, "wb", buffering=0) as file:
        for _ in range(max(1, size // BLOCK)):
            file.write(block)
        os.fsync(file.fileno())
    taken = time.monotonic() - start
    os.unlink(path)
    return taken
