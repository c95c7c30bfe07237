"""Trying again when a lock was not to be had, so that nobody queues behind a migration for long."""

import logging
import random
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from app.release.blockers import Blockers
from app.release.deadline import Deadline
from app.release.errors import StillBlocked

LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"
QUERY_CANCELED = "57014"  # by statement_timeout, which is what was left until the deadline

# Those who waited behind one attempt have to be served before the next, or the stalls add up: with pauses near zero the
# slowest request took twice as long.
FIRST_PAUSE = 1.5  # seconds
GROWTH = 1.5  # with each attempt
LONGEST_PAUSE = 5.0

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def with_lock_retries(work: Callable[[], Result], deadline: Deadline, blockers: Blockers) -> Result:
    """Do the work, again and again while a lock is what it lacks.

    Args:
        work: does the whole unit from its beginning and leaves no transaction open when it raises.

    Raises:
        StillBlocked: no attempt got its locks before the deadline.
    """
    attempt = 0
    while True:
        try:
            return work()
        except DBAPIError as error:
            if sqlstate(error) not in (LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, QUERY_CANCELED):
                raise
            blocker = blockers.describe()
            if not deadline.left():
                raise StillBlocked(
                    f"The deadline of {deadline.seconds:.0f} s passed, blocked by {blocker}; the database is at a whole"
                    " revision. When nothing is in the way, run: flask db upgrade"
                ) from error
            if sqlstate(error) == QUERY_CANCELED:  # a person did it, with pg_cancel_backend
                raise
            pause = backoff(attempt)
            attempt += 1
            log.warning("blocked by %s; attempt %d, again in %.1f s", blocker, attempt, pause)
            deadline.sleep(pause)


def backoff(attempt: int) -> float:
    """Seconds to wait: with jitter, so that two that met do not meet again (AWS Architecture Blog, 2015)."""
    return random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH**attempt)  # noqa: S311 - no secret


def sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "pgcode", None)
    return state
