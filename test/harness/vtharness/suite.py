"""Runs a folder of pytest files, one pytest process per file, and counts them.

  test/integration/run [FILE or FILE::TEST ...]

A test that failed is run once more, alone; if it passes then, that is said, and counts as passed: the
machine was busy, or the test is not good enough. Environment: KEEP=1 keeps the folders of the runs,
VTAGENT_FLAVORS=mariadb picks servers, VTAGENT_BINARY the program, VTAGENT_BUDGET the seconds that all
of it may take. Last line: "<suite>: N passed, N failed"."""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as tree

from vtharness import servers
from vtharness.process import end_pids, pids_with_environment

MOST_SECONDS_PER_FILE = 1500


class Outcome:
    def __init__(self):
        self.passed, self.failed, self.skipped = [], [], []


def read_report(path, outcome, name):
    """Sorts the cases of a junit file; a file that could not be read counts as one failure."""
    try:
        cases = list(tree.parse(path).getroot().iter("testcase"))
    except (OSError, tree.ParseError):
        outcome.failed.append(name)
        return
    for case in cases:
        node = f"{name}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            if node not in outcome.failed:
                outcome.failed.append(node)
        elif case.find("skipped") is not None:
            outcome.skipped.append(node)
        else:
            outcome.passed.append(node)
    outcome.passed = [node for node in outcome.passed if node not in outcome.failed]


def clean_up(child, marker):
    """Nothing of a pytest process stays, not even when it hangs or we are told to end."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if os.environ.get("KEEP") != "1":
        end_pids(pids_with_environment(marker))


@contextlib.contextmanager
def session_folder():
    """The temporary folder of one pytest process, which servers of another user must reach."""
    folder = tempfile.mkdtemp(prefix="vta-")
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        if os.environ.get("KEEP") != "1":
            shutil.rmtree(folder, ignore_errors=True)


def run_pytest(folder, targets, name, seconds):
    """One pytest process in its own group; everything it started ends with it."""
    outcome = Outcome()
    marker = f"VTAGENT_TEST_SESSION={os.getpid()}-{time.monotonic_ns()}"
    with session_folder() as session:
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", TMPDIR=session,
                           VTAGENT_TEST_SESSION=marker.split("=")[1])
        report = os.path.join(session, "report.xml")
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
                "--color=no", "-o", "junit_family=xunit1", "--junitxml", report,
                "-c", os.path.join(folder, "pytest.ini"), *targets]
        child = subprocess.Popen(argv, cwd=folder, env=environment, start_new_session=True)
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"{name}: no end within {seconds:.0f} s", flush=True)
            code = -1
        finally:
            clean_up(child, marker)
        read_report(report, outcome, name)
        if code not in (0, 1, 5) and not outcome.failed:
            outcome.failed.append(name)
    return outcome


def run_file(folder, name, targets, seconds):
    """A file and, once more, what failed in it."""
    start = time.monotonic()
    first = run_pytest(folder, targets, name, seconds)
    noisy = []
    if first.failed:
        print(f"{name}: once more, alone: {', '.join(first.failed)}", flush=True)
        left = max(120.0, seconds - (time.monotonic() - start))
        for node in list(first.failed):
            again = run_pytest(folder, [node], name, left)
            if not again.failed and again.passed:
                print(f"{node}: passed on the second run (machine noise)", flush=True)
                first.failed.remove(node)
                if node == name:
                    first.passed = [*first.passed, *again.passed]
                else:
                    first.passed.append(node)
                noisy.append(node)
    print(f"{name}: {len(first.passed)} passed, {len(first.failed)} failed, {len(first.skipped)} skipped,"
          f" {time.monotonic() - start:.0f} s", flush=True)
    return first, noisy


def chosen(folder, arguments):
    """File name → pytest targets."""
    files = {}
    for argument in arguments:
        name = os.path.basename(argument.split("::")[0])
        files.setdefault(name, []).append(os.path.basename(argument))
    if not files:
        files = {name: [name] for name in sorted(os.listdir(folder))
                 if name.startswith("test_") and name.endswith(".py")}
    return files


def run_files(folder, files, budget, start):
    passed, failed, noisy = [], [], []
    for name, targets in files.items():
        left = budget - (time.monotonic() - start)
        if left <= 0:
            print(f"{name}: not run, the budget of {budget:.0f} s is used up", flush=True)
            failed.append(name)
            continue
        outcome, again = run_file(folder, name, targets, min(left, MOST_SECONDS_PER_FILE))
        passed, failed, noisy = passed + outcome.passed, failed + outcome.failed, noisy + again
    return passed, failed, noisy


def main(folder, suite):
    """Runs what argv[1:] names below `folder`; the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    budget = float(os.environ.get("VTAGENT_BUDGET", "5400"))
    start = time.monotonic()
    print(f"{suite} tests: servers {servers.flavors()}, at most {budget:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="vta-templates-") as templates:
        os.chmod(templates, 0o755)
        os.environ["VTAGENT_TEMPLATES"] = templates
        passed, failed, noisy = run_files(folder, chosen(folder, sys.argv[1:]), budget, start)
    for node in noisy:
        print(f"passed on the second run: {node}")
    for node in failed:
        print(f"failed: {node}")
    print(f"took {time.monotonic() - start:.0f} s of {budget:.0f} s")
    print(f"{suite}: {len(passed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed or not passed else 0

