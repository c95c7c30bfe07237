"""Concurrency limit: one export or import at a time in a process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.busy import Busy

# 20,000 full notes take 15 seconds of CPU to export and 4 to import, and a thread and a connection for as long.
WORKING = threading.BoundedSemaphore(1)
BUSY_SECONDS = 5.0


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Raises: Busy: another export or import is running."""
    if not WORKING.acquire(timeout=BUSY_SECONDS):
        raise Busy
    try:
        yield
    finally:
        WORKING.release()
