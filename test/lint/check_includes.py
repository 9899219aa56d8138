#!/usr/bin/python3
"""Who may include whom: layers.txt. Also: no cycle of headers, and each library behind its folder."""
import os
import re
import sys

import sources

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
# Libraries that only one folder, with what is below it, may see (first part of the header's path, or its name).
LIBRARY_OWNERS = {
    "grpc": "agent/rpc", "mysql.h": "agent/mysql", "mysql": "agent/mysql", "mariadb": "agent/mysql",
    "event2": "agent/base", "event.h": "agent/base", "zlib.h": "backup", "isa-l": "backup",
    "isa-l.h": "backup", "igzip_lib.h": "backup", "crc.h": "backup", "zstd.h": "backup",
    "lz4.h": "backup", "lz4frame.h": "backup", "curl": "backup/gcs",
}
# evhttp works on the loop's own libevent base (agent/base/loop.h).
LIBRARY_GUESTS = {("agent/web/http.c", "agent/base"), ("agent/web/http_tls.c", "agent/base")}


def read_layers():
    layers = {}
    for line in sources.read("test/lint/layers.txt").splitlines():
        if line and not line.startswith("#"):
            folder, _, allowed = line.partition(":")
            layers[folder.strip()] = allowed.split()
    return layers


def find_cycle(graph):
    """A path of nodes that leads back to its start, or None."""
    state = {}

    def visit(node, path):
        if state.get(node) == "done":
            return None
        if state.get(node) == "open":
            return path[path.index(node):] + [node]
        state[node] = "open"
        for target in graph.get(node, ()):
            cycle = visit(target, path + [node])
            if cycle:
                return cycle
        state[node] = "done"
        return None

    for start in sorted(graph):
        cycle = visit(start, [])
        if cycle:
            return cycle
    return None


def check_local(name, folder, target, layers):
    if target.endswith(".pb-c.h"):
        wanted = "proto"
    elif "/" not in target:
        return f'{name}: #include "{target}" is not written from the top'
    else:
        wanted = os.path.dirname(target)
        if not os.path.exists(os.path.join(sources.TOP, target)):
            return f'{name}: #include "{target}" does not exist'
    if wanted == folder or wanted in layers[folder]:
        return None
    return f'{name}: {folder} may not include {wanted} ("{target}")'


def check_system(name, folder, target):
    owner = LIBRARY_OWNERS.get(target) or LIBRARY_OWNERS.get(target.split("/")[0])
    if owner and not f"{folder}/".startswith(f"{owner}/") and (name, owner) not in LIBRARY_GUESTS:
        return f"{name}: <{target}> belongs to {owner}"
    if target.endswith((".pb-c.h",)):
        return f"{name}: <{target}> is ours: use quotes"
    return None


def main():
    layers = read_layers()
    problems, headers = [], {}
    cycle = find_cycle(layers)
    if cycle:
        problems.append("layers.txt has a cycle: " + " -> ".join(cycle))
    for name in sources.with_suffix(".c", ".h"):
        folder = os.path.dirname(name)
        if name.startswith("test/"):
            continue
        if folder not in layers:
            problems.append(f"{name}: folder {folder or '.'} is not in layers.txt")
            continue
        found = INCLUDE.findall(sources.read(name))
        if name.endswith(".h"):
            headers[name] = [target for mark, target in found if mark == '"']
        for mark, target in found:
            problem = (check_local(name, folder, target, layers) if mark == '"'
                       else check_system(name, folder, target))
            problems += [problem] if problem else []
    cycle = find_cycle(headers)
    if cycle:
        problems.append("headers include each other: " + " -> ".join(cycle))
    return sources.report(problems)


if __name__ == "__main__":
    sys.exit(main())
