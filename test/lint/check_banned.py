#!/usr/bin/python3
"""Calls that are not used in C here, and why: no room check, no close-on-exec, no thread safety."""
import re
import sys

import sources

BANNED = {
    "fork": "posix_spawn, agent/base/child.h", "vfork": "agent/base/child.h",
    "popen": "agent/base/child.h", "system": "agent/base/child.h",
    "strcpy": "snprintf or a buffer", "strcat": "a buffer", "sprintf": "snprintf",
    "vsprintf": "vsnprintf", "strtok": "strtok_r or strv", "atoi": "strtol with checks",
    "atol": "strtol with checks", "atoll": "strtoll with checks", "gets": "getline",
    "rand": "getrandom", "srand": "getrandom", "mktemp": "mkstemp", "tmpnam": "mkstemp",
    "alloca": "the heap", "strncat": "a buffer", "gmtime": "gmtime_r", "localtime": "localtime_r",
    "ctime": "strftime", "asctime": "strftime", "gethostbyname": "getaddrinfo",
    "usleep": "a wait with a cancel",
}
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def main():
    problems = []
    for name in sources.with_suffix(".c", ".h"):
        code = NOISE.sub(blank, sources.read(name))
        for match in CALL.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            word = match.group(1)
            problems.append(f"{name}:{line}: {word}() is banned: {BANNED[word]}")
    return sources.report(problems)


if __name__ == "__main__":
    sys.exit(main())
