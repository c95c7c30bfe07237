"""How long a release may take."""

import time

# A release phase is killed after an hour (devcenter.heroku.com/articles/release-phase); ending before that, with a
# sentence and at a whole revision, is worth more than the last ten minutes.
SECONDS = 3000.0


class Deadline:
    """A moment that the waiting for locks, the retries and the batches of one run share.

    Args:
        seconds: from now on.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; never below zero."""
        return max(0.0, self._end - time.monotonic())

    def milliseconds(self) -> int:
        """left(), as statement_timeout takes it; never zero, which would be no limit."""
        return int(self.left() * 1000) + 1

    def sleep(self, seconds: float) -> None:
        """Wait, but not past the deadline."""
        time.sleep(min(seconds, self.left()))
