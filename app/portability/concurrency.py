"""Concurrency limit: one export or import at a time in a process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# 20,000 full notes take 15 seconds of CPU to export and 4 to import, and a thread and a connection for as long.
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
