"""A deadline for the whole upload: each step that waits gets what those before it have left."""

import time


class Deadline:
    """
    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; below 0 once it has passed."""
        return self._end - time.monotonic()
