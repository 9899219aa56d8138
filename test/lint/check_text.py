#!/usr/bin/python3
"""The text of the repository: no leftovers, no paths of one machine, tidy ends of lines."""
import re
import sys

import sources

# Written in pieces so that this file passes its own check.
RULES = [
    (re.compile(r"\b(?:TO" "DO|FIX" "ME|X" "XX)\\b"), "a leftover mark"),
    (re.compile(r"(?<![\w.$}])/wo" "rk/"), "the path of one machine"),
    (re.compile(r"(?<![\w.$}])/ho" "me/\\w"), "the path of one machine"),
    (re.compile(r"(?<![\w.$}])/var/t" "mp\\b"), "the path of one machine"),
    (re.compile(r"[ \t]+$", re.MULTILINE), "blanks at the end of a line"),
    (re.compile(r"\r"), "a carriage return"),
    (re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE), "a merge mark"),
]
# Where the cache of downloaded packages lives by default.
MAY_NAME_PATHS = ("test/setup/",)
SKIPPED = ("test/fuzz/corpus/", "test/unit/data/")


def check(name, text):
    for pattern, what in RULES:
        if what == "the path of one machine" and name.startswith(MAY_NAME_PATHS):
            continue
        match = pattern.search(text)
        if match:
            line = text.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {what}"
    if text and not text.endswith("\n"):
        yield f"{name}: no newline at the end"


def main():
    problems = []
    for name in sources.all_files():
        text = sources.read(name)
        if "\0" not in text and not name.startswith(SKIPPED):
            problems += check(name, text)
    return sources.report(problems)


if __name__ == "__main__":
    sys.exit(main())
