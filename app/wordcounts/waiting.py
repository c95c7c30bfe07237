"""Long polling: wait until a count is finished, so that a program need not ask again and again.

A request that waits holds a thread of its process, but no connection to the database. No more than SEATS wait in a
process; the others are answered at once, so that pages always have threads left (bulkhead).
"""

import threading
import time
import uuid

from app.extensions import release_reading_connection
from app.wordcounts.service import ResultRow, get_result

SEATS = threading.BoundedSemaphore(2)
LONGEST = 20  # seconds; a platform's router gives an answer 30
LOOK_EVERY = 0.5  # seconds


def wait_for_result(user_id: int, public_id: uuid.UUID, seconds: float, stop_words: str) -> ResultRow:
    """The result once it is finished, or as it is after so many seconds. Raises: ResultNotFound."""
    deadline = time.monotonic() + min(seconds, LONGEST)
    result = get_result(user_id, public_id, stop_words)
    if result.finished_at or not SEATS.acquire(blocking=False):
        return result
    try:
        while not result.finished_at and (left := deadline - time.monotonic()) > 0:
            release_reading_connection()
            time.sleep(min(LOOK_EVERY, left))
            result = get_result(user_id, public_id, stop_words)
    finally:
        SEATS.release()
    return result
