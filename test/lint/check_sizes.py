#!/usr/bin/python3
"""Files of at most 500 lines, C functions of at most 60 (test functions 100)."""
import json
import subprocess
import sys

import sources

MOST_FILE_LINES = 500
MOST_FUNCTION_LINES = 60
MOST_TEST_LINES = 100


def check_files():
    problems = []
    for name in sources.with_suffix(".c", ".h", ".py", ".sh") + sources.shell_scripts():
        lines = sources.read(name).count("\n")
        if lines > MOST_FILE_LINES:
            problems.append(f"{name}: {lines} lines, at most {MOST_FILE_LINES}")
    return sorted(set(problems))


def check_functions():
    names = sources.with_suffix(".c", ".h")
    if not names:
        return []
    command = ["ctags", "--output-format=json", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f",
               "--fields=+ne", "-f", "-", "-L", "-"]
    done = subprocess.run(command, input="\n".join(names), stdout=subprocess.PIPE, text=True,
                          check=False, cwd=sources.TOP)
    if done.returncode != 0:
        return ["universal-ctags failed: install the package universal-ctags"]
    problems = []
    for line in done.stdout.splitlines():
        tag = json.loads(line)
        size = tag.get("end", tag["line"]) - tag["line"] + 1
        most = MOST_TEST_LINES if tag["path"].startswith("test/") else MOST_FUNCTION_LINES
        if size > most:
            problems.append(f"{tag['path']}:{tag['line']}: {tag['name']} has {size} lines, at most {most}")
    return problems


if __name__ == "__main__":
    sys.exit(sources.report(check_files() + check_functions()))
