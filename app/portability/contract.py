"""The contract of what an export holds, and what a feature's module `portable` is written with.

Each feature with rows to export has a module `portable` with the names of `Portable`. It reads an item by an
ItemValidator, as if a stranger had written it, and stores many by a BulkImporter.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from sqlalchemy import JSON, ColumnElement, Integer, Text, bindparam, cast, column, exists, func, insert, select, true

from app.extensions import Base, db
from app.limits.quotas import Quota
from app.web.fields import has_control_characters, normalize

Item = dict[str, Any]
Value = TypeVar("Value")

INTEGER_MAX = 2**31 - 1
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # the earliest time that a ZIP can hold
CLOCK_SKEW = timedelta(days=1)  # how far another server's clock may be ahead
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?(Z|[+-][0-9]{2}:[0-9]{2})")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Portable(Protocol):
    """A feature's module `portable`."""

    NAME: str  # of the feature's list in the export
    LONGEST_ITEM: int  # code points of a row as JSON, which may write each code point of a text as 12

    def dump(self, user_id: int) -> Iterator[Item]:
        """Read the user's rows without ids, in the order in which they are to come back. One statement."""

    def load(self, user_id: int, items: Iterable[object]) -> int:
        """Store what `dump` gave and JSON carried, in the caller's transaction. Return how many rows were new.

        Raises: InvalidItem: the caller rolls back.
        """


class InvalidItem(Exception):
    """An item is not as `dump` writes it; `field` names the wrong field."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class ItemValidator:
    """Validates one item of an import, anything that JSON can hold, field by field: a method for each kind of value.

    Args:
        names: the fields that the item must have; it may have no others.
        absent: those of them that exports of before did not have, and what they stand for then.

    Raises: InvalidItem: also by every method.
    """

    def __init__(
        self, item: object, names: Collection[str], absent: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        if not isinstance(item, dict):
            raise InvalidItem("")
        if len(item) > len(names):  # before it is copied: there may be any number of them
            raise InvalidItem("?")
        item = {**absent, **item}
        for name in item.keys() ^ set(names):
            raise InvalidItem(name if name in names else "?")
        self.item = item

    def optional(self, read: Callable[[str], Value], name: str) -> Value | None:
        return None if self.item[name] is None else read(name)

    def nested(self, name: str, names: Collection[str]) -> "ItemValidator":
        return ItemValidator(self.item[name], names)

    def text(self, name: str, at_most: int) -> str:
        """Read text by the rules of the forms (app/web/fields.py); `at_most` in code points."""
        return self._bounded(normalize(self._checked(name, str)), name, at_most)

    def exact(self, name: str, at_most: int) -> str:
        """Read text that is not normalized, such as an address."""
        return self._bounded(self._checked(name, str), name, at_most)

    def line(self, name: str, at_most: int) -> str:
        value = self.text(name, at_most).strip()
        self._require("\n" not in value, name)
        return value

    def flag(self, name: str) -> bool:
        return self._checked(name, bool)

    def number(self, name: str) -> int:
        value = self._checked(name, int)
        self._require(0 <= value <= INTEGER_MAX, name)
        return value

    def moment(self, name: str) -> str:
        """Read a time in ISO 8601 with a zone, from 1980 until now."""
        value = self._checked(name, str)
        self._require(MOMENT.fullmatch(value) is not None, name)
        try:
            moment = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise InvalidItem(name) from None
        self._require(EARLIEST <= moment <= datetime.now(UTC) + CLOCK_SKEW, name)
        return moment.isoformat()

    def day(self, name: str, earliest: date, latest: date) -> str:
        value = self._checked(name, str)
        self._require(DAY.fullmatch(value) is not None, name)
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise InvalidItem(name) from None
        self._require(earliest <= day <= latest, name)
        return day.isoformat()

    def counts(self, name: str, at_most: int, longest: int) -> dict[str, int]:
        """Read a dict of word to number of occurrences."""
        value = self._checked(name, dict)
        self._require(len(value) <= at_most, name)
        self._require(all(type(times) is int and 0 < times <= INTEGER_MAX for times in value.values()), name)
        self._require(all(0 < len(word) <= longest for word in value), name)
        self._require(not has_control_characters("".join(value)), name)
        return value

    def _checked(self, name: str, kind: type[Value]) -> Value:
        value = self.item[name]
        if type(value) is not kind:  # not isinstance: True would be a number
            raise InvalidItem(name)
        return value

    def _bounded(self, value: str, name: str, at_most: int) -> str:
        self._require(len(value) <= at_most and not has_control_characters(value), name)
        return value

    def _require(self, holds: bool, name: str) -> None:
        if not holds:
            raise InvalidItem(name)


class BulkImporter:
    """Inserts rows in batches, in their order, and leaves out those that the user has already (idempotent import).

    Args:
        columns: the columns that an item sets.
        same: the columns by which a stored row and an item are the same.
        batch: rows in one INSERT.
        counts: which stored rows are compared with; None compares with all.
    """

    def __init__(
        self,
        model: type[Base],
        columns: Sequence[str],
        same: Sequence[str],
        batch: int,
        quota: Quota,
        counts: ColumnElement[bool] | None = None,
    ) -> None:
        table = Base.metadata.tables[model.__tablename__]
        rows = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
        new = rows.table_valued(
            column("place", Integer), *(column(name, table.c[name].type) for name in columns), name="new"
        ).render_derived(with_types=True)
        owner = bindparam("owner", type_=table.c.user_id.type)
        # Compared only with rows from before the import: two equal items of one export are both imported.
        is_here = exists().where(
            table.c.user_id == owner,
            table.c.id <= bindparam("before"),
            *(table.c[name] == new.c[name] for name in same),
            true() if counts is None else counts,
        )
        arriving = select(owner, *(new.c[name] for name in columns)).where(~is_here).order_by(new.c.place)
        self._insert = insert(table).from_select(["user_id", *columns], arriving)
        # Of all users: one row of the primary key. A user's own last id has no index that serves it everywhere.
        self._last = select(func.coalesce(func.max(table.c.id), 0))
        self._batch = batch
        self._quota = quota

    def store(self, user_id: int, rows: Iterable[Item]) -> int:
        """Insert without a commit. Return how many rows were new.

        Raises: QuotaReached: there are more than the user may store. The caller rolls back.
        """
        before = db.session.execute(self._last).scalar_one()
        new = 0
        rest = iter(rows)
        while batch := list(islice(rest, self._batch)):
            placed = [{"place": place, **row} for place, row in enumerate(batch)]
            # As UTF-8: escaped, Korean is twice as long, which costs memory here and time in the database.
            sent = json.dumps(placed, ensure_ascii=False, separators=(",", ":"))
            stored = db.session.execute(self._insert, {"owner": user_id, "before": before, "rows": sent})
            new += stored.rowcount  # type: ignore[attr-defined]
        if new:  # what was there before is nobody's fault
            self._quota.enforce(user_id)
        return new
