"""What a migration does to one table, seen from beside: how long it is locked, how long somebody waits."""

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
# As a request does it: read a row, change it. No page uses this table, so only the migration can be in the way.
READ = "SELECT value FROM numbers WHERE id = 17"
CHANGE = "UPDATE numbers SET seen = seen + 1 WHERE id = 17"


class Seen(NamedTuple):
    """Seconds."""

    lock_held: float  # from the first to the last look that saw an ACCESS EXCLUSIVE lock, the longest
    lock_at_most: float  # from the last look before to the first look after
    longest_gap: float  # between two looks
    longest_wait: float  # of the probe
    probes: int


class Look(NamedTuple):
    moment: float
    is_held: bool


class Watch:
    """Looks at the table `numbers` while the block runs."""

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
    """From the first to the last look of a row of them that saw a lock, and from the look before to the look after."""
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
