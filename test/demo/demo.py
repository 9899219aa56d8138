#!/usr/bin/python3
"""Tells the story (see vtharness/story.py), prints every step and a summary. Exit status: 0 when every
step was as claimed."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))

from vtharness import servers  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.run import Run  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.story import Story  # noqa: E402  pylint: disable=wrong-import-position

steps = []


def report(title, words, result, seconds):
    steps.append((title, result, seconds))
    print(f"\n{len(steps):2d}. {title}")
    if words:
        print(f"    $ {words}")
    print(f"    {result}   [{seconds:.2f} s]", flush=True)


def summary(seconds):
    width = max(len(title) for title, _, _ in steps)
    print(f"\n{'step':<{width + 4}}  {'time':>8}  result")
    for number, (title, result, spent) in enumerate(steps, 1):
        mark = "FAILED" if result.startswith("FAILED") else "ok"
        print(f"{number:2d}. {title:<{width}}  {spent:6.2f} s  {mark}")
    print(f"{len(steps)} steps in {seconds:.0f} s", flush=True)


def how_to_talk(story):
    cluster = story.cluster
    flags = " ".join([*cluster.topology_flags(), *cluster.storage_flags()])
    print(f"\nLeft running below {cluster.run.directory}:")
    print(f"  operator:  {cluster.run.vtagent()} ctl {flags} GetTablets")
    for tablet in cluster.tablets.values():
        print(f"  {tablet.alias}: http://127.0.0.1:{tablet.http_port}/  gRPC 127.0.0.1:{tablet.grpc_port}"
              f"  mariadb -S {tablet.mysql_socket} -u vt_dba")
    pids = " ".join(str(process.pid) for process in cluster.run.processes if process.is_alive())
    print(f"  to end it: kill {pids}; rm -r {cluster.run.directory}", flush=True)


def main():
    wanted = os.environ.get("FLAVOR")
    flavor = servers.flavor_named(wanted) if wanted else next(iter(servers.flavors()), None)
    if flavor is None:
        print(f"no such server here: {wanted or 'neither MySQL nor MariaDB'}", file=sys.stderr)
        return 2
    print(f"vtagent with {flavor.name} {flavor.version()} and etcd, on loopback")
    start, failure = time.monotonic(), None
    with Run("demo") as run:
        story = Story(run, flavor, os.environ.get("SPELLING", "today"), report)
        try:
            story.tell()
        except Exception as error:  # pylint: disable=broad-except
            failure = error
            print("\n" + run.tails(25))
        summary(time.monotonic() - start)
        if run.keep:
            how_to_talk(story)
    if failure:
        print(f"\nNot as claimed: {failure}", file=sys.stderr)
        return 1
    print("Everything was as claimed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
