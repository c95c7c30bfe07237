"""The contract of what an export holds: each feature with rows in it has a module `portable` with these names."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

Item = dict[str, Any]


class Portable(Protocol):
    """A feature's module `portable`."""

    NAME: str  # of the feature's list in the export
    LONGEST_ITEM: int  # code points of a row as JSON, which may write each code point of a text as 12

    def dump(self, user_id: int) -> Iterator[Item]:
        """The user's rows without ids, in the order in which they are to come back. One statement."""

    def load(self, user_id: int, items: Iterable[object]) -> int:
        """Store what `dump` gave and JSON carried, in the caller's transaction. Returns how many rows were new.

        Raises:
            InvalidItem: the caller rolls back.
        """
