#!/usr/bin/python3
"""Shell scripts and Python files parse; scripts that are run are executable."""
import ast
import os
import subprocess
import sys

import sources


def check_shell(name):
    done = subprocess.run(["bash", "-n", name], cwd=sources.TOP, stderr=subprocess.PIPE, text=True,
                          check=False)
    return [done.stderr.strip()] if done.returncode else []


def check_python(name):
    try:
        ast.parse(sources.read(name), name)
    except SyntaxError as error:
        return [f"{name}:{error.lineno}: {error.msg}"]
    return []


def main():
    problems = []
    for name in sources.shell_scripts():
        problems += check_shell(name)
    for name in sources.all_files():
        first = sources.read_first_line(name)
        if name.endswith(".py") or (first.startswith("#!") and "python" in first):
            problems += check_python(name)
        is_run = os.access(os.path.join(sources.TOP, name), os.X_OK)
        if first.startswith("#!/") and not is_run and not name.endswith((".py", ".sh")):
            problems.append(f"{name}: not executable")
    return sources.report(problems)


if __name__ == "__main__":
    sys.exit(main())
