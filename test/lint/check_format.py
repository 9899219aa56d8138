#!/usr/bin/python3
"""clang-format of Debian 12 (14) changes nothing; other versions format differently and are not asked."""
import subprocess
import sys

import sources


def main():
    try:
        version = subprocess.run(["clang-format", "--version"], stdout=subprocess.PIPE, text=True,
                                 check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return sources.report(["clang-format is missing: install the package clang-format"])
    if " version 14." not in version:
        print(f"not checked: {version.strip()} is not 14")
        return 0
    names = sources.with_suffix(".c", ".h")
    if not names:
        return 0
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", *names], cwd=sources.TOP,
                          stderr=subprocess.PIPE, text=True, check=False)
    bad = sorted({line.split(":")[0] for line in done.stderr.splitlines() if ": error:" in line})
    problems = [f"{name}: not formatted (make format)" for name in bad]
    if done.returncode and not problems:
        problems = [done.stderr.strip()]
    return sources.report(problems)


if __name__ == "__main__":
    sys.exit(main())
