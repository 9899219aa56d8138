"""Runs a folder of pytest files, one pytest process per file, a few of them at a time, and counts.

  test/integration/run [FILE or FILE::TEST ...]

A test that failed is run once more when nothing else runs; if it passes then, that is said, and counts
as passed: the machine was busy, or the test is not good enough. Environment: KEEP=1 keeps the folders
of the runs, VTAGENT_FLAVORS=mariadb picks servers, VTAGENT_BINARY the program, VTAGENT_LANES how many
files run at a time (one more than there are processors), VTAGENT_BUDGET the seconds that all of it may
take. Last line: "<suite>: N passed, N failed"."""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as tree

from vtharness import servers
from vtharness.process import end_pids, pids_with_environment

MOST_SECONDS_PER_FILE = 1500
running = set()


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
    running.discard((child, marker))


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


def run_pytest(folder, targets, name, seconds, lane):
    """One pytest process in its own group; everything it started ends with it. Its output is printed
    at its end, in one piece."""
    outcome = Outcome()
    marker = f"VTAGENT_TEST_SESSION={os.getpid()}-{lane}-{time.monotonic_ns()}"
    with session_folder() as session, tempfile.TemporaryFile() as output:
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", TMPDIR=session,
                           VTAGENT_TEST_SESSION=marker.split("=")[1], VTAGENT_LANE=f"{lane}/{lanes()}")
        report = os.path.join(session, "report.xml")
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
                "--color=no", "-o", "junit_family=xunit1", "--junitxml", report,
                "-c", os.path.join(folder, "pytest.ini"), *targets]
        child = subprocess.Popen(argv, cwd=folder, env=environment, start_new_session=True,
                                 stdout=output, stderr=subprocess.STDOUT)
        running.add((child, marker))
        try:
            code = child.wait(max(1.0, seconds))
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            clean_up(child, marker)
        read_report(report, outcome, name)
        if code not in (0, 1, 5) and not outcome.failed:
            outcome.failed.append(name)
        output.seek(0)
        ending = f"{name}: no end within {seconds:.0f} s\n" if code == -1 else ""
        print(output.read().decode(errors="replace") + ending, end="", flush=True)
    return outcome


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


class Suite:
    """The files of one run; the lanes take the next one as they get free."""

    def __init__(self, folder, files, budget):
        self.folder, self.budget, self.start = folder, budget, time.monotonic()
        self.lock = threading.Lock()
        size = {name: os.path.getsize(os.path.join(folder, name))
                for name in files if os.path.exists(os.path.join(folder, name))}
        self.waiting = sorted(files.items(), key=lambda item: -size.get(item[0], 0))
        self.threads, self.passed, self.failed, self.noisy = [], [], [], []

    def left(self):
        return self.budget - (time.monotonic() - self.start)

    def run_one(self, name, targets, lane):
        if self.left() <= 0:
            print(f"{name}: not run, the budget of {self.budget:.0f} s is used up", flush=True)
            self.failed.append(name)
            return
        start = time.monotonic()
        outcome = run_pytest(self.folder, targets, name, min(self.left(), MOST_SECONDS_PER_FILE), lane)
        print(f"{name}: {len(outcome.passed)} passed, {len(outcome.failed)} failed,"
              f" {len(outcome.skipped)} skipped, {time.monotonic() - start:.0f} s", flush=True)
        with self.lock:
            self.passed += outcome.passed
            self.failed += outcome.failed

    def run_lane(self, lane):
        while True:
            with self.lock:
                if not self.waiting:
                    return
                name, targets = self.waiting.pop(0)
            self.run_one(name, targets, lane)

    def run_again(self, node):
        """What failed, once more, with nothing beside it."""
        print(f"once more, alone: {node}", flush=True)
        again = run_pytest(self.folder, [node], node.split("::")[0], max(120.0, self.left()), 0)
        if again.failed or not again.passed:
            return
        print(f"{node}: passed on the second run (machine noise)", flush=True)
        self.failed.remove(node)
        self.passed += again.passed
        self.noisy.append(node)

    def run(self):
        self.threads = [threading.Thread(target=self.run_lane, args=(lane,), daemon=True)
                        for lane in range(lanes())]
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        for node in list(self.failed):
            self.run_again(node)

    def end(self, *_):
        """Told to end (SIGTERM): so does everything that runs."""
        self.waiting.clear()
        for child, marker in list(running):
            clean_up(child, marker)
        for thread in self.threads:
            thread.join(20)
        sys.exit(1)


def lanes():
    """One more than processors: a test waits for a third of its time."""
    return int(os.environ.get("VTAGENT_LANES", "0")) or (os.cpu_count() or 1) + 1


def main(folder, suite):
    """Runs what argv[1:] names below `folder`; the exit status."""
    budget = float(os.environ.get("VTAGENT_BUDGET", "5400"))
    print(f"{suite} tests: servers {servers.flavors()}, {lanes()} files at a time, at most {budget:.0f} s",
          flush=True)
    with tempfile.TemporaryDirectory(prefix="vta-templates-") as templates:
        os.chmod(templates, 0o755)
        os.environ["VTAGENT_TEMPLATES"] = templates
        files = Suite(folder, chosen(folder, sys.argv[1:]), budget)
        signal.signal(signal.SIGTERM, files.end)
        files.run()
    for node in files.noisy:
        print(f"passed on the second run: {node}")
    for node in files.failed:
        print(f"failed: {node}")
    print(f"took {time.monotonic() - files.start:.0f} s of {budget:.0f} s")
    print(f"{suite}: {len(files.passed)} passed, {len(files.failed)} failed", flush=True)
    return 1 if files.failed or not files.passed else 0
