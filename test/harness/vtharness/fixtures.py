"""Fixtures of both suites of real servers. A failure's report ends with the tails of every log."""
import pytest

from vtharness import run as runs


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):  # pylint: disable=unused-argument
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for run_ in runs.open_runs:
            report.sections.append((f"logs of {item.name}", run_.tails(25)[-60000:]))


@pytest.fixture
def run(request):
    with runs.Run(request.node.name.removeprefix("test_")) as made:
        yield made


@pytest.fixture(scope="module")
def module_run(request):
    with runs.Run(request.module.__name__.removeprefix("test_")) as made:
        yield made


# Of a module whose `shard` is a cluster with the tablets 100, its primary, and 101.
@pytest.fixture
def primary(shard):
    return shard.tablets[100]


@pytest.fixture
def replica(shard):
    return shard.tablets[101]
