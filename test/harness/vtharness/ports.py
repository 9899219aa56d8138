"""Ports of the loopback interface that are free and that the kernel does not give away by itself.
VTAGENT_LANE "i/n": the i-th of n runs at the same time, which keep to ports of their own."""
import os
import random
import socket

LOWEST = 10000
_taken = set()


def _highest():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            return max(LOWEST + 5000, int(file.read().split()[0]) - 1)
    except (OSError, ValueError):
        return 32767


def _is_free(port):
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_port():
    """A port that nobody listens on now and that this process has not handed out before."""
    lane, lanes = map(int, os.environ.get("VTAGENT_LANE", "0/1").split("/"))
    for _ in range(2000):
        port = random.SystemRandom().randint(LOWEST, _highest())
        if port % lanes == lane and port not in _taken and _is_free(port):
            _taken.add(port)
            return port
    raise RuntimeError("no free port below the ephemeral range")
