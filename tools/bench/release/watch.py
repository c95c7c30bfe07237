"""Watch one table during a migration: how long ACCESS EXCLUSIVE is held, and how long a probe query waits."""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

import psycopg2

SAMPLE_EVERY = 0.002  # seconds between two looks at the locks
PROBE_EVERY = 0.002

HOLDERS = """
SELECT pid FROM pg_locks
WHERE relation = 'numbers'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND mode = 'AccessExclusiveLock' AND granted
"""
# The probe, like a request: read a row, change it. No page uses this table, so only the migration can block it.
READ = "SELECT value FROM numbers WHERE id = 17"
CHANGE = "UPDATE numbers SET seen = seen + 1 WHERE id = 17"


class Seen(NamedTuple):
    """Seconds."""

    lock_held: float  # longest time between the first and the last sample of one ACCESS EXCLUSIVE lock: lower bound
    lock_at_most: float  # from the sample before it to the sample after it: upper bound
    longest_gap: float  # between two samples
    longest_wait: float  # of the probe
    probes: int


class Look(NamedTuple):
    moment: float
    is_held: bool


class Watch:
    """Sample the locks of the table `numbers`, and probe it, while the block runs."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._stopped = threading.Event()
        self._looks: list[Look] = []
        self._waits: list[float] = []
        self._threads = [threading.Thread(target=self._run, args=(task,)) for task in (self._look, self._probe)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, task: Callable[[Any], None]) -> None:
        connection = psycopg2.connect(self._url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not self._stopped.is_set():
                task(cursor)
        connection.close()

    def _look(self, cursor: Any) -> None:
        cursor.execute(HOLDERS)
        self._looks.append(Look(time.monotonic(), bool(cursor.fetchall())))
        time.sleep(SAMPLE_EVERY)

    def _probe(self, cursor: Any) -> None:
        start = time.monotonic()
        cursor.execute(READ)
        cursor.execute(CHANGE)
        self._waits.append(time.monotonic() - start)
        time.sleep(PROBE_EVERY)

    def seen(self) -> Seen:
        gaps = (later[0] - earlier[0] for earlier, later in pairwise(self._looks))
        return Seen(*longest_hold(self._looks), max(gaps, default=0.0), max(self._waits), len(self._waits))


def longest_hold(looks: Sequence[Look]) -> tuple[float, float]:
    """Return a lower and an upper bound of the longest time that the lock was held."""
    held = at_most = 0.0
    first, free = None, looks[0].moment
    for look in looks:
        if look.is_held:
            first = look.moment if first is None else first
            held = max(held, look.moment - first)
        if look.is_held or first is not None:
            at_most = max(at_most, look.moment - free)
        if not look.is_held:
            first, free = None, look.moment
    return held, at_most
