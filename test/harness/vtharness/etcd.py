"""etcd as a process, and reading what is in it."""
import urllib.request

from vtharness import wire
from vtharness.ports import free_port
from vtharness.wait import wait_for


class Etcd:
    def __init__(self, run, name, security=None):
        self._security = security
        self.name, self.client_port, self.peer_port = name, free_port(), free_port()
        self.address = f"127.0.0.1:{self.client_port}"
        scheme = "https" if security else "http"
        self.url = client = f"{scheme}://{self.address}"
        peer = f"http://127.0.0.1:{self.peer_port}"
        self.process = None
        self._run, self._argv = run, [
            "etcd", "--name", name, "--data-dir", f"{run.folder('etcd')}/{name}",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"{name}={peer}", "--initial-cluster-state", "new",
            "--heartbeat-interval", "500", "--election-timeout", "5000", "--logger", "zap",
            *(security.etcd_flags() if security else [])]

    def start(self):
        if self.process is None:
            self.process = self._run.start(f"etcd-{self.name}", self._argv)
        else:
            self.process.start()
        wait_for(self.is_healthy, f"etcd {self.name} is healthy")
        return self

    def stop(self):
        self.process.kill()

    def _channel(self):
        return wire.Channel(self.address, self._security.etcd_credentials if self._security else None)

    def is_healthy(self):
        if self._security:
            return self.files() is not None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.address}/health", timeout=5) as answer:
            return b'"true"' in answer.read()

    def _range(self, **fields):
        request = wire.message("etcd", "RangeRequest")(**fields)
        with self._channel() as channel:
            return channel.unary("/etcdserverpb.KV/Range", request,
                                 wire.message("etcd", "RangeResponse"), 20)

    def files(self):
        """Everything stored: key text → bytes."""
        answer = self._range(key=b"\0", range_end=b"\0")
        return {pair.key.decode(errors="replace"): pair.value for pair in answer.kvs}

    def find(self, suffix):
        """The one value whose key ends so; KeyError."""
        found = [value for key, value in self.files().items() if key.endswith(suffix)]
        if len(found) != 1:
            raise KeyError(f"{len(found)} keys of etcd {self.name} end in {suffix}")
        return found[0]

    def put(self, key, value):
        with self._channel() as channel:
            channel.unary("/etcdserverpb.KV/Put",
                          wire.message("etcd", "PutRequest")(key=key.encode(), value=value),
                          wire.message("etcd", "PutResponse"), 20)

    def delete(self, key):
        with self._channel() as channel:
            channel.unary("/etcdserverpb.KV/DeleteRange",
                          wire.message("etcd", "DeleteRangeRequest")(key=key.encode()),
                          wire.message("etcd", "DeleteRangeResponse"), 20)
