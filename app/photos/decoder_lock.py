"""A lock file: one photo is decoded at a time on a dyno, since it has no memory for two of the largest.

The processes of a dyno share its memory, so a lock within each would not do. The kernel frees a file's lock when its
holder dies (flock); a semaphore that processes share would stay taken.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.busy import Busy

FILE = Path(__file__)  # read only, and all processes of a dyno have it; one of /tmp could be somebody else's
POLL_SECONDS = 0.02  # flock has no timeout; a decode takes half a second


@contextmanager
def decoder(seconds: float) -> Iterator[None]:
    """Hold the decoder, also against the other threads of this process.

    Args:
        seconds: how long to wait for it; a free one needs no waiting.

    Raises:
        Busy: another photo was being decoded all that time.
    """
    give_up = time.monotonic() + seconds
    with FILE.open("rb") as file:  # reopened, since a lock belongs to an open file; closing it frees the lock
        while not _is_locked(file.fileno()):
            if time.monotonic() >= give_up:
                raise Busy
            time.sleep(POLL_SECONDS)
        yield


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
