"""Retry with backoff after a lock timeout or a deadlock.

A short lock_timeout plus retries keeps requests from queueing behind a migration for long.
"""

import logging
import random
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from app.release.blockers import Blockers
from app.release.deadline import Deadline
from app.release.errors import DeadlineExceeded, RequestsHeldUp

# SQLSTATE codes (PostgreSQL manual, appendix "PostgreSQL Error Codes").
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"
QUERY_CANCELED = "57014"  # by statement_timeout, which the runner sets to what is left until the deadline

# Requests that queued behind one attempt must be served before the next attempt. With pauses near zero the stalls add
# up: the slowest request took twice as long.
FIRST_PAUSE = 1.5  # seconds
GROWTH = 1.5  # factor from one attempt to the next
LONGEST_PAUSE = 5.0  # seconds

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def with_lock_retries(work: Callable[[], Result], deadline: Deadline, blockers: Blockers) -> Result:
    """Call `work` until it gets its locks.

    Args:
        work: does the whole unit from its beginning. It leaves no transaction open when it raises.
        deadline: when to give up.
        blockers: who was seen in the way, for the log.

    Raises:
        DeadlineExceeded: no attempt got its locks before the deadline.
        RequestsHeldUp: it was ended, since a request waited too long for it. Not tried again: that would hold up more.
        DBAPIError: `work` failed for another reason, or somebody cancelled its statement.
    """
    attempt = 0
    while True:
        try:
            return work()
        except DBAPIError as error:
            if blockers.held_up and (error.connection_invalidated or sqlstate(error) == QUERY_CANCELED):
                raise RequestsHeldUp(str(blockers.held_up)) from error
            if sqlstate(error) not in (LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, QUERY_CANCELED):
                raise
            blocker = blockers.describe()
            if not deadline.left():
                raise DeadlineExceeded(
                    f"The deadline of {deadline.seconds:.0f} s passed, blocked by {blocker}; the database is at a whole"
                    " revision. When nothing is in the way, run: flask db upgrade"
                ) from error
            if sqlstate(error) == QUERY_CANCELED:  # before the deadline, so it was pg_cancel_backend()
                raise
            pause = backoff(attempt)
            attempt += 1
            blockers.retries += 1
            log.warning("blocked by %s; attempt %d, again in %.1f s", blocker, attempt, pause)
            deadline.sleep(pause)


def backoff(attempt: int) -> float:
    """Exponential backoff with jitter, in seconds; two migrations that collided do not collide again.

    Source: AWS Architecture Blog, "Exponential Backoff And Jitter", 2015.
    """
    return random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH**attempt)  # noqa: S311 - no secret


def sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "pgcode", None)
    return state
