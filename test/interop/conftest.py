"""The tests against real Vitess run with MySQL only: its tablets cannot run MariaDB."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))

from vtharness import servers, vitess  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.fixtures import module_run, pytest_runtest_makereport, run  # noqa: E402,F401


def pytest_collection_modifyitems(items):
    missing = "no Vitess programs" if vitess.root() is None else (
        "no MySQL server" if servers.flavor_named("mysql") is None else None)
    if missing:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def mysql():
    return servers.flavor_named("mysql")
