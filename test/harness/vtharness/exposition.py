"""Reads /metrics as Prometheus does, strictly, and says what is wrong with it: in the manner of
`promtool check metrics`, for the text format 0.0.4 and for OpenMetrics 1.0.0."""
import math
import re

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
CANONICAL = re.compile(r"(?:[+-]Inf|-?\d+\.\d+|-?\d+(?:\.\d+)?e[+-]\d+)$")
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}
RESERVED = ("_total", "_bucket", "_sum", "_count", "_created", "_info")
BASE_UNITS = ("seconds", "bytes", "percent", "ratio", "celsius", "meters", "volts", "amperes", "joules")
OTHER_UNITS = re.compile(
    r"_(?:ms|msec|millis|milliseconds|us|usec|micros|microseconds|ns|nanos|nanoseconds|sec|secs|second|min"
    r"|mins|minutes|hours|days|kb|kib|mb|mib|gb|gib|kilobytes|megabytes|gigabytes|byte|bits|kbps|mbps)(?:_|$)")
# Names that Vitess gave; its dashboards use them.
VITESS_NAMES = {"vttablet_replication_lag_sec", "vttablet_tablet_type_count"}


class Family:
    def __init__(self, name):
        self.name, self.kind, self.help, self.unit = name, None, None, None
        self.samples = []  # (sample's name, labels as a dict, value)
        self.is_closed = False


class Checker:
    """Families by name and a list of complaints."""

    def __init__(self, text, is_open):
        self.is_open, self.problems, self.families = is_open, [], {}
        self._last, self._seen = None, set()
        lines = text.split("\n")
        if not text.endswith("\n"):
            self.complain("the last line has no end")
        for number, line in enumerate(lines[:-1], 1):
            self._read_line(f"line {number} '{line}'", line, number == len(lines) - 1)
        if is_open and lines[-2:] != ["# EOF", ""]:
            self.complain("no '# EOF' at the end")
        for family in self.families.values():
            self._check_family(family)

    def complain(self, text):
        self.problems.append(text)

    # ---- lines ----
    def _read_line(self, where, line, is_last):
        if line == "# EOF":
            if not self.is_open or not is_last:
                self.complain(f"{where}: an end in the middle, or not in OpenMetrics")
        elif line.startswith("#"):
            self._read_comment(where, line)
        elif line == "":
            self.complain(f"{where}: an empty line")
        else:
            self._read_sample(where, line)

    def _read_comment(self, where, line):
        words = line.split(" ", 3)
        if len(words) < 4 or words[1] not in ("HELP", "TYPE", "UNIT"):
            self.complain(f"{where}: neither HELP nor TYPE nor UNIT")
            return
        family = self._family(where, words[2])
        attribute = {"HELP": "help", "TYPE": "kind", "UNIT": "unit"}[words[1]]
        if words[1] == "UNIT" and not self.is_open:
            self.complain(f"{where}: UNIT is OpenMetrics")
        if getattr(family, attribute) is not None:
            self.complain(f"{where}: a second one")
        if family.samples:
            self.complain(f"{where}: behind the samples")
        setattr(family, attribute, words[3])

    def _family(self, where, name):
        if not NAME.fullmatch(name):
            self.complain(f"{where}: no name of a metric")
        family = self.families.setdefault(name, Family(name))
        if self._last not in (None, family):
            self._last.is_closed = True
        if family.is_closed:
            self.complain(f"{where}: '{name}' is spread over several places")
            family.is_closed = False
        self._last = family
        return family

    def _read_sample(self, where, line):
        match = SAMPLE.match(line)
        if not match:
            self.complain(f"{where}: no sample")
            return
        labels = self._read_labels(where, match["labels"])
        try:
            value = float(match["value"].replace("Inf", "inf"))
        except ValueError:
            self.complain(f"{where}: no number")
            return
        family = self._family(where, self._family_name(match["name"]))
        if family.kind is None:
            self.complain(f"{where}: no TYPE before it")
        key = (match["name"], tuple(sorted(labels.items())))
        if key in self._seen:
            self.complain(f"{where}: a second time")
        self._seen.add(key)
        family.samples.append((match["name"], labels, value))

    def _read_labels(self, where, text):
        labels, at = {}, 0
        while text and at < len(text):
            match = LABEL.match(text, at)
            if not match:
                self.complain(f"{where}: the labels cannot be read")
                break
            if match[1] in labels or match[1].startswith("__"):
                self.complain(f"{where}: label '{match[1]}' is there twice, or reserved")
            labels[match[1]], at = match[2], match.end()
        return labels

    def _family_name(self, sample):
        """The family whose sample this name is."""
        if sample in self.families:
            return sample
        for suffix in ("_bucket", "_sum", "_count", "_total"):
            base = sample[:-len(suffix)]
            if sample.endswith(suffix) and base in self.families:
                return base
        return sample

    # ---- families ----
    def _check_family(self, family):
        name, say = family.name, lambda text: self.complain(f"'{family.name}': {text}")
        if not family.help or family.help.strip() == name:
            say("no help")
        if family.kind not in ("gauge", "counter", "histogram"):
            say(f"type {family.kind}")
        self._check_name(family, say)
        for sample, _, value in family.samples:
            self._check_sample(family, sample, value, say)
        if family.kind == "histogram":
            self._check_histograms(family, say)

    def _check_name(self, family, say):
        base = family.name
        if family.kind == "counter" and not self.is_open:
            base = base.removesuffix("_total")
            if base == family.name:
                say("a counter without _total")
        if family.name in VITESS_NAMES:
            return
        if base.lower() != base or "__" in base:
            say("not in small letters with single underscores")
        if base.endswith(RESERVED) and not (family.kind == "gauge" and base.endswith("_info")):
            say("an ending that is reserved")
        if OTHER_UNITS.search(base) and not base.endswith("_per_second"):
            say("not a base unit")
        if re.search(r"_(?:gauge|counter|histogram)(?:_|$)", base):
            say("the type is in the name")
        unit = base.rsplit("_", 1)[-1]
        if self.is_open and family.unit != (unit if unit in BASE_UNITS else None):
            say(f"unit {family.unit}")

    def _check_sample(self, family, sample, value, say):
        suffix = sample[len(family.name):]
        wanted = PARTS.get(family.kind, ("_total" if family.kind == "counter" and self.is_open else "",))
        if suffix not in wanted:
            say(f"sample '{sample}' in a {family.kind}")
        if family.kind != "gauge" and not (math.isfinite(value) and value >= 0):
            say(f"{sample} is {value}")

    def _check_histograms(self, family, say):
        groups = {}
        for sample, labels, value in family.samples:
            rest = tuple(sorted(item for item in labels.items() if item[0] != "le"))
            part = sample[len(family.name):]
            group = groups.setdefault(rest, {"_bucket": []})
            if part == "_bucket":
                group["_bucket"].append((labels.get("le", ""), value))
            else:
                group[part] = value
        for rest, group in groups.items():
            self._check_histogram(group, lambda text, rest=rest: say(f"{dict(rest)}: {text}"))

    @staticmethod
    def _check_histogram(group, say):
        bounds = [bound for bound, _ in group["_bucket"]]
        counts = [count for _, count in group["_bucket"]]
        if not all(CANONICAL.match(bound) for bound in bounds):
            say(f"bounds {bounds} are not written as numbers with a point")
            return
        numbers = [float(bound.replace("Inf", "inf")) for bound in bounds]
        if numbers != sorted(set(numbers)) or not numbers or numbers[-1] != math.inf:
            say(f"bounds {bounds} do not rise up to +Inf")
        if counts != sorted(counts):
            say(f"counts {counts} fall")
        if "_sum" not in group or group.get("_count") != (counts[-1] if counts else None):
            say("no sum, or a count that is not that of the last bucket")


def check(text, is_open):
    """What is wrong, as a list of sentences; empty: nothing."""
    return Checker(text, is_open).problems


def samples(text, is_open):
    """(name, sorted labels) → value."""
    checker = Checker(text, is_open)
    return {(name, tuple(sorted(labels.items()))): value
            for family in checker.families.values() for name, labels, value in family.samples}
