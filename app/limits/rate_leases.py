"""Leases: a process takes several tokens of a bucket at once, and hands them out itself, without the database.

For what is asked often and costs little, where the statement of `rate_limits.take` would be a good part of it. Who asks
this process seldom has no lease: then each request takes one token.

All processes together stay within the limit. A lease runs out by the clock too: it loses a token each `refill`, as its
bucket gets one. So what the processes hold is never more than what the bucket lacks. What a lease had left when it ran
out is given back as the next one is drawn. Near the end somebody may be refused while other processes hold a few
tokens, for two seconds at most. A process that ends loses less than a lease.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from flask import current_app
from flask.sansio.app import App

from app.limits import rate_limits
from app.limits.rate_limits import Limit, RateLimited, Standing

SIZE = 20  # tokens of a lease
OFTEN = 4  # refills between two requests; who asks in less than that has a lease
LATE = 0.5  # seconds that the database may take until it draws
KEPT = 1000  # buckets that a process has leases of


@dataclass
class Lease:
    """
    Args:
        lock: held while tokens are drawn, so that of many requests at once only one draws.
        count: tokens that were drawn.
        used: those that were handed out.
        began: seconds of the clock, just before they were drawn.
        standing: of the bucket without them; None: nothing was drawn.
    """

    lock: Lock = field(default_factory=Lock)
    count: int = 0
    used: int = 0
    began: float = 0.0
    standing: Standing | None = None


class Leases:
    """Those of a process. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._leases: dict[tuple[str, str | int], Lease] = {}

    def take(self, limit: Limit, key: str | int) -> Standing:
        """As `rate_limits.take`. Raises: RateLimited."""
        with self._lock:
            if len(self._leases) >= KEPT:
                self._leases.clear()  # whoever asks fast has a new one soon
            lease = self._leases.setdefault((limit.name, key), Lease())
        with lease.lock:
            now = self._clock()
            passed = now - lease.began
            standing = lease.standing
            if standing is None or lease.used + passed / limit.refill.total_seconds() >= lease.count:
                standing, passed = _draw(lease, limit, key, now), 0.0
            lease.used += 1
            left = standing.remaining + lease.count - lease.used
            return Standing(limit, left, max(0, standing.reset - math.floor(passed)))


def _draw(lease: Lease, limit: Limit, key: str | int, now: float) -> Standing:
    """Draw tokens into the lease. Raises: RateLimited, and the next one to ask begins with a single token."""
    refill, passed, before = limit.refill.total_seconds(), now - lease.began, lease.standing
    is_often = before is not None and before.remaining >= SIZE and passed < OFTEN * lease.used * refill
    unused = _returnable(lease, limit, passed + LATE)
    lease.standing = None
    count = SIZE if is_often else 1
    try:
        drawn = rate_limits.take(limit, key, count, unused)
    except RateLimited:
        if count == 1:
            raise
        count = 1  # others have drawn meanwhile
        drawn = rate_limits.take(limit, key, count, unused)
    lease.count, lease.used, lease.began, lease.standing = count, 0, now, drawn
    return drawn


def _returnable(lease: Lease, limit: Limit, passed: float) -> int:
    """How many tokens may be given back: those left, unless the bucket would have been full without them meanwhile.

    A full bucket takes no token back. Where others have drawn since, it would be one that they have used.
    """
    if lease.standing is None:
        return 0
    lacked = limit.capacity - lease.standing.remaining - lease.count  # before the lease was drawn
    return lease.count - lease.used if passed < lacked * limit.refill.total_seconds() else 0


def init_app(app: App) -> None:
    app.extensions["rate_leases"] = Leases()


def take(limit: Limit, key: str | int) -> Standing:
    """Take a token, often without a statement. Raises: RateLimited."""
    leases: Leases = current_app.extensions["rate_leases"]
    return leases.take(limit, key)
