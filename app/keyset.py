"""Keyset pagination: the next page starts after the last row of this one, found by that row's sort key.

Unlike OFFSET it reads only the rows of one page, and a row that is added or deleted meanwhile shifts nothing.
Every list runs from the highest sort key to the lowest. The key ends with the row's id, so no two rows share one.
Source: https://use-the-index-luke.com/no-offset
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

BIGINTS = range(-(2**63), 2**63)
IDS = range(1, 2**63)

_NUMBER = "(0|-?[1-9][0-9]{0,18})"  # of a bigint, in one spelling only

RowT = TypeVar("RowT")


@dataclass(frozen=True)
class Cursor:
    """A position in a list: the sort key of the last row of a page, as integers.

    It holds the values themselves and not only a row's id, so it stays valid when that row is changed or deleted.
    """

    key: tuple[int, ...]

    @classmethod
    def start(cls, bounds: Sequence[range]) -> "Cursor":
        """Return the position before the first row."""
        return cls(tuple(values[-1] for values in bounds))

    @classmethod
    def parse(cls, text: str, bounds: Sequence[range]) -> "Cursor":
        """Read the cursor that `str()` wrote into `?before=`, such as "17", "-3-17" or "1-1700000000000000-17".

        The bounds are the values that each part of the list's sort key can have. Raises: ValueError: it is not a cursor
        of this list.
        """
        match = re.fullmatch("-".join([_NUMBER] * len(bounds)), text)
        key = tuple(map(int, match.groups())) if match else ()
        if not match or any(number not in values for number, values in zip(key, bounds, strict=True)):
            raise ValueError(f"not a cursor of this list: {text!r}")
        return cls(key)

    def __str__(self) -> str:
        return "-".join(map(str, self.key))


def cut_page(
    rows: Sequence[RowT], size: int, key: Callable[[RowT], tuple[int, ...]]
) -> tuple[Sequence[RowT], Cursor | None]:
    """Split what a query with LIMIT size + 1 returned: the rows of the page, and where the next page starts, if any."""
    page = rows[:size]
    return page, Cursor(key(page[-1])) if len(rows) > size else None
