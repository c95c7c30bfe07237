"""What a request meets on a table that a release wants to change."""

import math
import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.release.sessions import Sessions

BOUND = 1.0  # seconds: three times what a migration waits for a lock, on a machine that is busy
STATEMENTS = ("SELECT count(*) FROM things", "UPDATE things SET size = size + 1 WHERE id = 1")


def slowest_request(sessions: Sessions, until: Callable[[], bool], at_most: float = 60) -> float:
    """Read and write `things` in turn until the condition holds; the seconds that the slowest statement took.

    A statement that takes BOUND is ended there, and so is this, with infinity.
    """
    slowest, end = 0.0, time.monotonic() + at_most
    with sessions.autocommit() as site:
        site.execute(text(f"SET statement_timeout = {int(BOUND * 1000)}"))
        while not until():
            assert time.monotonic() < end
            for statement in STATEMENTS:
                began = time.monotonic()
                try:
                    site.execute(text(statement))
                except OperationalError:  # the timeout
                    return math.inf
                slowest = max(slowest, time.monotonic() - began)
    return slowest
