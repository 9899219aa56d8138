"""Listening to a tablet's health as vtgate does, and looking at its pages."""
import http.client
import threading
import time

from vtharness import wire
from vtharness.wait import wait_for

# Two looks at the server are a second apart; a look that does not come back has half a second more,
# and the machine that runs this is busy.
TWO_INTERVALS = 2.0 + 0.5 + 1.5


def get(tablet, path, accept="text/plain"):
    """(status, text) of a page."""
    connection = http.client.HTTPConnection("127.0.0.1", tablet.http_port, timeout=20)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def wait_ready(cluster):
    for tablet in cluster.tablets.values():
        wait_for(lambda t=tablet: get(t, "/readyz")[0] == 200, f"{tablet.alias} is ready")


class Listener(threading.Thread):
    """A StreamHealth subscription: every message with the moment it came."""

    def __init__(self, tablet):
        super().__init__(daemon=True)
        self.tablet, self.messages, self.error = tablet, [], None
        security = tablet.cluster.security.channel() if tablet.cluster.security else {}
        self._service = wire.Service(f"127.0.0.1:{tablet.grpc_port}", "queryservice", "Query", **security)
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
        """How often serving changed since a moment."""
        states = [message.serving for when, message in self.messages if when < since][-1:]
        states += [message.serving for when, message in self.messages if when >= since]
        return sum(a != b for a, b in zip(states, states[1:]))

    def first(self, serving, since):
        """When the first such message after a moment came."""
        return next(when for when, message in self.messages
                    if when >= since and message.serving == serving)


def leaves_and_returns(tablet, spoil, mend, cause, budget=TWO_INTERVALS):
    """Serving ends within the budget, says why, and comes back by itself: one change each way."""
    with Listener(tablet) as listener:
        listener.wait_serving()
        start = time.monotonic()
        spoil()
        listener.wait_serving(False)
        took = listener.first(False, start) - start
        reason = get(tablet, "/healthz")[1]
        ready = get(tablet, "/readyz")
        mend()
        listener.wait_serving()
        assert took <= budget, f"noticed after {took:.1f} s"
        assert cause in reason, reason
        assert ready[0] == 503 and cause in ready[1], ready
        assert listener.changes(start) == 2, [m.serving for _, m in listener.messages]
    wait_for(lambda: get(tablet, "/readyz")[0] == 200, "ready again")
    return took
