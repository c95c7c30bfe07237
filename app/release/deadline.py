"""Deadline: the time limit that everything in one run shares."""

import time

# Heroku kills a release phase after an hour (devcenter.heroku.com/articles/release-phase). We stop ten minutes earlier,
# at a whole revision and with a message that says what was in the way.
DEFAULT_SECONDS = 3000.0


class Deadline:
    """A point in time. Lock waits, retries and backfill batches of one run all end there.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float = DEFAULT_SECONDS) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; never negative."""
        return max(0.0, self._end - time.monotonic())

    def milliseconds(self) -> int:
        """What is left, as a value for statement_timeout. Never 0, because 0 means no limit there."""
        return int(self.left() * 1000) + 1

    def sleep(self, seconds: float) -> None:
        """Sleep, but not past the deadline."""
        time.sleep(min(seconds, self.left()))
