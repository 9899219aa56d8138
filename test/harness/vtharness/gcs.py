"""fake-gcs-server, somebody else's emulator of Google Cloud Storage, over TLS; a cluster that stores
its backups there."""
import json
import os
import ssl
import urllib.parse
import urllib.request

from vtharness.cluster import Answer, Cluster, CtlError
from vtharness.ports import free_port
from vtharness.run import TOP
from vtharness.security import Authority
from vtharness.wait import wait_for

BUCKET, ROOT = "backups-of-tests", "some/root"


def program():
    """None where it could not be built."""
    path = os.path.realpath(os.path.join(TOP, "build", "fake-gcs", "bin", "fake-gcs-server"))
    return path if os.access(path, os.X_OK) else None


class FakeGcs:
    def __init__(self, run):
        authority = Authority(run, "gcs-authority")
        certificate, key = authority.issue("gcs")
        self.trusted, self.port = authority.certificate, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._context = ssl.create_default_context(cafile=self.trusted)
        self.process = run.start("fake-gcs", [
            program(), "-backend", "memory", "-scheme", "https", "-host", "127.0.0.1", "-port",
            str(self.port), "-public-host", f"127.0.0.1:{self.port}", "-external-url", self.url,
            "-cert-location", certificate, "-private-key-location", key, "-log-level", "warn"])
        wait_for(lambda: self.request("GET", "/storage/v1/b") is not None, "the emulator answers")
        self.request("POST", "/storage/v1/b?project=p", {"name": BUCKET})

    def request(self, method, path, body=None):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPSHandler(context=self._context))
        request = urllib.request.Request(self.url + path, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with opener.open(request, timeout=20) as answer:
            return answer.read()

    def names(self, prefix=""):
        """Of all objects."""
        text = self.request("GET", f"/storage/v1/b/{BUCKET}/o?prefix={urllib.parse.quote(prefix)}")
        return [item["name"] for item in json.loads(text).get("items", [])]

    def delete(self, name):
        self.request("DELETE", f"/storage/v1/b/{BUCKET}/o/{urllib.parse.quote(name, safe='')}")

    def environment(self):
        return {"STORAGE_EMULATOR_HOST": self.url, "SSL_CERT_FILE": self.trusted}


class GcsCluster(Cluster):
    """`bucket`: an emulator that runs already."""

    def __init__(self, run, flavor, bucket=None, **options):
        super().__init__(run, flavor, **options)
        self.gcs = bucket or FakeGcs(run)
        self.server_env.update(self.gcs.environment())

    def storage_flags(self):
        return ["--backup-storage-implementation=gcs", f"--gcs-backup-storage-bucket={BUCKET}",
                f"--gcs-backup-storage-root={ROOT}"]

    def ctl(self, *words, code=0, deadline=180, env=None):
        done = self.run.command(self.ctl_argv(*words), env={**self.gcs.environment(), **(env or {})},
                                deadline=deadline)
        answer = Answer(done, 0)
        if code is not None and answer.code != code:
            raise CtlError(f"ctl {' '.join(words)}: status {answer.code}, expected {code}\n{answer.text}")
        return answer

    def objects(self):
        """Names below the shard: "backup/object"."""
        prefix = f"{ROOT}/{self.shard_name}/"
        return [name.removeprefix(prefix) for name in self.gcs.names(prefix)]

    def object(self, name):
        """The bytes of "backup/object"."""
        path = urllib.parse.quote(f"{ROOT}/{self.shard_name}/{name}", safe="")
        return self.gcs.request("GET", f"/storage/v1/b/{BUCKET}/o/{path}?alt=media")

    def backups(self):
        return sorted({name.split("/")[0] for name in self.objects()})
