"""Waiting for what happens elsewhere, and no longer than it takes."""

import time
from collections.abc import Callable

POLL = 0.02  # seconds


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """
    Raises:
        AssertionError: it did not come about; the message says what.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        time.sleep(POLL)
