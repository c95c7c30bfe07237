"""One export or import at a time in each process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Five thousand notes take the processor a second or two, in which everybody else waits; and a connection.
WORKING = threading.BoundedSemaphore(1)
BUSY_SECONDS = 5.0


class Busy(Exception):
    """Another export or import is under way; try again in a few seconds."""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Raises: Busy."""
    if not WORKING.acquire(timeout=BUSY_SECONDS):
        raise Busy
    try:
        yield
    finally:
        WORKING.release()
