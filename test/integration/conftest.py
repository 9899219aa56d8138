"""Which servers a test of this suite runs with."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))

from vtharness import servers  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.fixtures import module_run, pytest_runtest_makereport, run  # noqa: E402,F401


def pytest_generate_tests(metafunc):
    """`flavor` runs a test with each server there is, `any_flavor` with other versions too, `one_flavor`
    with the quickest to start."""
    found = servers.flavors()
    if "flavor" in metafunc.fixturenames:
        metafunc.parametrize("flavor", found, ids=repr, scope="module")
    if "any_flavor" in metafunc.fixturenames:
        metafunc.parametrize("any_flavor", servers.all_flavors(), ids=repr, scope="module")
    if "one_flavor" in metafunc.fixturenames:
        metafunc.parametrize("one_flavor", found[-1:], ids=repr, scope="module")
