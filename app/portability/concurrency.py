"""Concurrency limit: one export or import at a time in a process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# 5,000 notes take a second or two of CPU, during which all other requests of the process wait, and a connection.
WORKING = threading.BoundedSemaphore(1)
BUSY_SECONDS = 5.0


class Busy(Exception):
    """Another export or import is running. Try again in a few seconds."""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Raises: Busy."""
    if not WORKING.acquire(timeout=BUSY_SECONDS):
        raise Busy
    try:
        yield
    finally:
        WORKING.release()
