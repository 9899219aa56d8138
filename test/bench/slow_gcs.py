"""The emulator of Google Cloud Storage as if it were far away: behind a proxy that delays, caps each
connection, and lets a share of the requests fail. And how fast the emulator itself is."""
import collections
import http.client
import json
import os
import re
import sys
import threading
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "harness"))

import measure  # noqa: E402
from vtharness import gcs  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.ports import free_port  # noqa: E402  pylint: disable=wrong-import-position
from vtharness.wait import wait_for  # noqa: E402  pylint: disable=wrong-import-position

DELAY_MS, MB_PER_S = 20, 80
PART = os.urandom(4 << 20)
SESSION_STEP = 16 << 20  # what Vitess's client sends at once


class SlowGcs:
    """Plain HTTP: the proxy must see the requests. The harness's own go straight to the emulator."""

    def __init__(self, run, backend="memory"):
        self._run, self.port, self._inner, self._turn = run, free_port(), free_port(), 0
        self._proxy, self._name = None, f"gcs-{backend}"
        self.counts = collections.Counter()  # of requests to proxies that let some fail, by what became of them
        self.url = f"http://127.0.0.1:{self.port}"
        folder = ["-filesystem-root", run.folder("objects")] if backend == "filesystem" else []
        self.process = run.start(self._name, [
            gcs.program(), "-backend", backend, "-scheme", "http", "-host", "127.0.0.1", "-port", str(self._inner),
            "-public-host", f"127.0.0.1:{self.port}", "-external-url", self.url, "-log-level", "warn", *folder])
        wait_for(lambda: self.request("GET", "/storage/v1/b") is not None, "the emulator answers")
        self.request("POST", "/storage/v1/b?project=p", {"name": gcs.BUCKET})

    def go(self, faults=0.0):
        """A new proxy, with that share of failing requests (%)."""
        if self._proxy:
            self._proxy.stop()
            self.counts.update(self._fates(self._proxy))
        self._turn += 1
        self._proxy = self._run.start(f"{self._name}-proxy{self._turn}", [
            os.path.join(TOP, "build", "bench", "slow_proxy"), str(self.port), str(self._inner), str(DELAY_MS),
            str(MB_PER_S), str(faults), str(self._turn)])
        wait_for(self._answers, "the proxy answers")
        return self

    def _answers(self):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        link.connect()
        link.close()
        return True

    @staticmethod
    def _fates(proxy):
        found = re.findall(r"([a-z0-9][a-z0-9 ]*): (\d+)", proxy.log().splitlines()[-1])
        fates = {name: int(count) for name, count in found}
        return fates if sum(fates.values()) > fates["passed"] else {}

    def request(self, method, path, body=None, headers=None):
        link = http.client.HTTPConnection("127.0.0.1", self._inner, timeout=60)
        is_json = body is not None and not isinstance(body, bytes)
        link.request(method, path, json.dumps(body).encode() if is_json else body, {
            "Host": f"127.0.0.1:{self.port}", **({"Content-Type": "application/json"} if is_json else {}),
            **(headers or {})})
        answer = link.getresponse()
        text = answer.read()
        location = answer.headers.get("Location")
        link.close()
        assert answer.status < 400, f"{method} {path}: {answer.status} {text[:200]}"
        return location if location else text

    def names(self, prefix=""):
        text = self.request("GET", f"/storage/v1/b/{gcs.BUCKET}/o?prefix={urllib.parse.quote(prefix)}")
        return [item["name"] for item in json.loads(text).get("items", [])]

    def environment(self):
        return {"STORAGE_EMULATOR_HOST": self.url}

    def cpu_seconds(self):
        return measure.cpu_seconds(self.process.pid)

    # ---- how fast it is by itself ----
    def _together(self, function, threads=4):
        begin = time.monotonic()
        running = [threading.Thread(target=function, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return time.monotonic() - begin

    def raw_speed(self):
        """MB/s without the proxy: parts up, parts composed, ranges down, one session in Vitess's steps."""
        base, upload = f"/storage/v1/b/{gcs.BUCKET}/o", f"/upload/storage/v1/b/{gcs.BUCKET}/o"
        megabytes = 4 * 16 * len(PART) / 1e6

        def send(number):
            for part in range(16):
                self.request("POST", f"{upload}?uploadType=media&name=raw-{number}-{part}", PART)

        def fetch(number):
            for part in range(16):
                self.request("GET", f"{base}/raw-{number}-{part}?alt=media")
        found = {"parts up": megabytes / self._together(send), "parts down": megabytes / self._together(fetch)}
        begin = time.monotonic()
        self.request("POST", f"{base}/raw-all/compose", {"destination": {}, "sourceObjects": [
            {"name": f"raw-{number}-{part}"} for number in range(2) for part in range(16)]})
        found["parts composed"] = megabytes / 2 / (time.monotonic() - begin)
        begin = time.monotonic()
        uri = urllib.parse.urlsplit(self.request("POST", f"{upload}?uploadType=resumable&name=raw-session", {}))
        block, count = PART * 4, 16
        for number in range(count):
            start, total = number * SESSION_STEP, count * SESSION_STEP if number == count - 1 else "*"
            self.request("PUT", f"{uri.path}?{uri.query}", block,
                         {"Content-Range": f"bytes {start}-{start + SESSION_STEP - 1}/{total}",
                          "X-Guploader-No-308": "yes"})
        found["a session of 268 MB"] = count * SESSION_STEP / 1e6 / (time.monotonic() - begin)
        for name in self.names("raw-"):
            self.request("DELETE", f"{base}/{name}")
        return found
