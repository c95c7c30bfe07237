"""Waiting for what another process does: for a condition, never for a time."""

import time
from collections.abc import Callable

WITHIN = 30.0  # seconds
POLL = 0.02


def wait_until(condition: Callable[[], object], what: str, within: float = WITHIN) -> None:
    """
    Raises:
        AssertionError: it did not come true.
    """
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(POLL)
