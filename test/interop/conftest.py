"""Fixtures of the tests against real Vitess: MySQL only (its tablets cannot run MariaDB)."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))

from vtharness import run as runs  # noqa: E402  pylint: disable=wrong-import-position
from vtharness import servers, vitess  # noqa: E402  pylint: disable=wrong-import-position


def pytest_collection_modifyitems(items):
    missing = "no Vitess programs" if vitess.root() is None else (
        "no MySQL server" if servers.flavor_named("mysql") is None else None)
    if missing:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=missing))


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


@pytest.fixture(scope="session")
def mysql():
    return servers.flavor_named("mysql")
