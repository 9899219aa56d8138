"""Lists the repository's files for the lint checks."""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _from_git():
    command = ["git", "-C", TOP, "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode().split("\0")[:-1] if done.returncode == 0 else None


def _from_disk():
    found = []
    for folder, folders, names in os.walk(TOP):
        folders[:] = [name for name in folders if name not in (".git", "build", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, name), TOP) for name in names]
    return found


def all_files():
    """Every file that is or would be in the repository, relative to its top, sorted."""
    try:
        found = _from_git()
    except FileNotFoundError:
        found = None
    found = _from_disk() if found is None else found
    return sorted(name for name in found if os.path.isfile(os.path.join(TOP, name)))


def with_suffix(*suffixes):
    return [name for name in all_files() if name.endswith(suffixes)]


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def shell_scripts():
    return [name for name in all_files()
            if name.endswith(".sh") or read_first_line(name).startswith(("#!/bin/bash", "#!/bin/sh",
                                                                         "#!/usr/bin/env bash"))]


def read_first_line(name):
    with open(os.path.join(TOP, name), "rb") as file:
        return file.readline(200).decode("utf-8", errors="replace")


def report(problems):
    """Prints the problems; the exit status of a check."""
    for problem in problems:
        print(problem)
    return 1 if problems else 0
