"""Listening to a tablet's health as vtgate does, and looking at its pages."""
import http.client
import threading
import time

from vtharness import wire
from vtharness.wait import wait_for


def get(tablet, path, accept="text/plain"):
    """(status, text) of a page."""
    connection = http.client.HTTPConnection("127.0.0.1", tablet.http_port, timeout=20)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Listener(threading.Thread):
    """A StreamHealth subscription: every message with the moment it came."""

    def __init__(self, tablet):
        super().__init__(daemon=True)
        self.tablet, self.messages, self.error = tablet, [], None
        self._service = wire.Service(f"127.0.0.1:{tablet.grpc_port}", "queryservice", "Query")
        self._stream = self._service.stream("StreamHealth", timeout=600)
        self.start()

    def run(self):
        try:
            for message in self._stream:
                self.messages.append((time.monotonic(), message))
        except wire.RpcError as error:
            self.error = error

    def __enter__(self):
        wait_for(lambda: self.messages, f"{self.tablet.alias} tells its health")
        return self

    def __exit__(self, *_):
        self._stream.cancel()
        self.join(20)
        self._service.close()

    @property
    def last(self):
        return self.messages[-1][1]

    def wait_serving(self, wanted=True, deadline=30):
        word = "serves" if wanted else "does not serve"
        wait_for(lambda: self.last.serving == wanted, f"{self.tablet.alias} {word}", deadline, 0.01)
        return self

    def changes(self, since):
        """How often serving changed after a moment."""
        states = [message.serving for when, message in self.messages if when >= since]
        return sum(a != b for a, b in zip(states, states[1:]))

    def first(self, serving, since):
        """When the first such message after a moment came."""
        return next(when for when, message in self.messages
                    if when >= since and message.serving == serving)
