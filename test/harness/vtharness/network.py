"""A network of a test's own, in which what is between two servers is cut without a word."""
import contextlib
import ctypes
import os
import shutil
import subprocess

import pytest

CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def own_network():
    """This thread and what it starts from now on have a loopback interface of their own. Skips the
    test where that cannot be done."""
    if os.geteuid() != 0:
        pytest.skip("needs root: makes a network namespace")
    if shutil.which("iptables") is None or shutil.which("ip") is None:
        pytest.skip("needs iptables and ip (packages iptables, iproute2)")
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"needs network namespaces: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert libc.setns(home, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(home)


@contextlib.contextmanager
def silent(port):
    """Nothing gets to a TCP port or from it meanwhile, and nobody is told."""
    rules = [["INPUT", "-p", "tcp", f"--{side}port", str(port), "-j", "DROP"]
             for side in ("d", "s")]
    for rule in rules:
        subprocess.run(["iptables", "-w", "-A", *rule], check=True)
    try:
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-w", "-D", *rule], check=True)
