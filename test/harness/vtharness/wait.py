"""Waiting for exact conditions, never for time to pass."""
import time

PATIENCE_SECONDS = 60.0


class NotInTime(AssertionError):
    """A condition did not come true before its deadline."""


def wait_for(condition, what, deadline=PATIENCE_SECONDS, interval=0.05):
    """Calls `condition` until it returns something true, and returns that. An exception counts as
    false; the last one is named when the deadline passes."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except Exception as error:  # pylint: disable=broad-except
            last = error
        if time.monotonic() >= end:
            raise NotInTime(f"not within {deadline:g} s: {what} (last: {last!r})")
        time.sleep(interval)


def holds_for(condition, what, seconds):
    """The opposite check: `condition` stays true for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f"did not stay so for {seconds:g} s: {what}"
        time.sleep(0.1)
