"""Fixtures of the integration tests. A failure's report ends with the tails of every log."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))

from vtharness import run as runs  # noqa: E402  pylint: disable=wrong-import-position
from vtharness import servers  # noqa: E402  pylint: disable=wrong-import-position


def pytest_generate_tests(metafunc):
    """`flavor` runs a test with each server there is; `one_flavor` with the quickest to start."""
    found = servers.flavors()
    if "flavor" in metafunc.fixturenames:
        metafunc.parametrize("flavor", found, ids=repr, scope="module")
    if "one_flavor" in metafunc.fixturenames:
        metafunc.parametrize("one_flavor", found[-1:], ids=repr, scope="module")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for run in runs.open_runs:
            report.sections.append((f"logs of {item.name}", run.tails(25)[-60000:]))


@pytest.fixture
def run(request):
    with runs.Run(request.node.name.removeprefix("test_")) as made:
        yield made


@pytest.fixture(scope="module")
def module_run(request):
    with runs.Run(request.module.__name__.removeprefix("test_")) as made:
        yield made
