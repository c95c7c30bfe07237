"""Refusals that features share: of a row that is not there, a file, or work for which the process is too busy. Pure.

The module that reads a file raises the reason; the form that shows it has the sentence.
"""

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore
from typing import TypeVar

T = TypeVar("T")


class RowNotFound(Exception):
    """There is no such row, or it belongs to somebody else, who must not know the difference. 404 at every door."""


def existing(found: T | None) -> T:
    """Return the row, or the value of a row, that a statement found. Raises: RowNotFound: it found none."""
    if found is None:
        raise RowNotFound
    return found


class Rejected(Exception):
    """The file was refused, at a place such as "notes 17, title". Nothing was stored."""

    def __init__(self, reason: enum.StrEnum, place: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


class Busy(Exception):
    """The process does as much of this at once as it may, such as decoding photos. Nothing was changed; try again."""


@contextmanager
def held(seats: Semaphore, seconds: float) -> Iterator[None]:
    """Take one of the seats that a process has for this work (bulkhead). Raises: Busy: none was free meanwhile."""
    if not seats.acquire(timeout=seconds):
        raise Busy
    try:
        yield
    finally:
        seats.release()
