#!/usr/bin/python3
"""The top of the repository holds these entries and dot files, nothing else."""
import sys

import sources

ENTRIES = {"agent", "backup", "replication", "proto", "docker", "test", "Makefile", "README.md"}

if __name__ == "__main__":
    found = {name.split("/")[0] for name in sources.all_files()}
    extra = sorted(name for name in found - ENTRIES if not name.startswith("."))
    sys.exit(sources.report([f"{name}: does not belong at the top" for name in extra]))
