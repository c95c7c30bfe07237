"""The contract of what an export holds, and what a feature's module `portable` is written with.

Each feature with rows to export has a module `portable` with one PortableTable. It reads an item by an ItemValidator,
as if a stranger had written it.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

from flask_babel import LazyString
from sqlalchemy import (
    JSON,
    ColumnElement,
    Insert,
    Integer,
    Table,
    Text,
    Update,
    bindparam,
    column,
    func,
    insert,
    select,
)

from app.extensions import Base, db
from app.limits.quotas import Quota
from app.web.fields import has_control_characters, normalize

Item = dict[str, Any]
Value = TypeVar("Value")

INTEGER_MAX = 2**31 - 1
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # the earliest time that a ZIP can hold
CLOCK_SKEW = timedelta(days=1)  # how far another server's clock may be ahead
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?(Z|[+-][0-9]{2}:[0-9]{2})")


class InvalidItem(Exception):
    """An item is not as an export writes it; `field` names the wrong field."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class ItemValidator:
    """Validates one item of an import, anything that JSON can hold, field by field: a method for each kind of value.

    An item must have the fields `names`, and no others. `absent` are those of them that exports of before did not have,
    and what they stand for then.

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

    def value(self, name: str, kind: type[Value]) -> Value:
        value = self.item[name]
        if type(value) is not kind:  # not isinstance: True would be a number
            raise InvalidItem(name)
        return value

    def text(self, name: str, at_most: int, *, exact: bool = False) -> str:
        """Read text by the rules of the forms (app/web/fields.py), or `exact`, as an address; `at_most` code points."""
        value = self.value(name, str) if exact else normalize(self.value(name, str))
        self._require(len(value) <= at_most and not has_control_characters(value), name)
        return value

    def line(self, name: str, at_most: int) -> str:
        value = self.text(name, at_most).strip()
        self._require("\n" not in value, name)
        return value

    def number(self, name: str) -> int:
        value = self.value(name, int)
        self._require(0 <= value <= INTEGER_MAX, name)
        return value

    def moment(self, name: str) -> str:
        """Read a time in ISO 8601 with a zone, from 1980 until now."""
        value = self.value(name, str)
        self._require(MOMENT.fullmatch(value) is not None, name)
        try:
            moment = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise InvalidItem(name) from None
        self._require(EARLIEST <= moment <= datetime.now(UTC) + CLOCK_SKEW, name)
        return moment.isoformat()

    def day(self, name: str, earliest: date, latest: date) -> str:
        value = self.value(name, str)
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise InvalidItem(name) from None
        self._require(day.isoformat() == value and earliest <= day <= latest, name)
        return value

    def counts(self, name: str, at_most: int, longest: int) -> dict[str, int]:
        """Read a dict of word to number of occurrences."""
        value = self.value(name, dict)
        self._require(len(value) <= at_most and all(0 < len(word) <= longest for word in value), name)
        self._require(all(type(times) is int and 0 < times <= INTEGER_MAX for times in value.values()), name)
        self._require(not has_control_characters("".join(value)), name)
        return value

    def _require(self, holds: bool, name: str) -> None:
        if not holds:
            raise InvalidItem(name)


@dataclass(frozen=True, kw_only=True)
class PortableTable:
    """The rows of a table that an export holds, and how an import stores them."""

    name: str  # of their list in the export
    came: LazyString  # how many came in, as a part of a sentence, with %(count)s
    model: type[Base]
    fields: Sequence[str]  # the columns that an item has
    exported: ColumnElement[bool]  # the rows that an export holds, of all users'
    order: Sequence[str] = ("id",)  # the columns by which they are to come back
    longest_item: int  # code points of a row as JSON, which may write each code point of a text as 12
    row_of: Callable[[object], Item]  # turns an item of an import into a row. Raises: InvalidItem
    sets: Sequence[str] = ()  # the columns that it sets besides the fields
    same: Sequence[str]  # the columns by which a stored row and an item are the same
    compared: ColumnElement[bool]  # the stored rows that an item may be the same as
    quota: Quota
    batch: int = 500  # rows in one INSERT, and read at once
    then: Update | None = None  # of the owner's rows, after the INSERT

    @property
    def table(self) -> Table:
        return Base.metadata.tables[self.model.__tablename__]

    def dump(self, user_id: int) -> Iterator[Item]:
        """Read the user's rows without ids, in the order in which they are to come back. One statement."""
        columns = self.table.c
        rows = select(*(columns[field] for field in self.fields)).where(columns.user_id == user_id, self.exported)
        rows = rows.order_by(*(columns[name] for name in self.order)).execution_options(yield_per=self.batch)
        return (dict(row) for row in db.session.execute(rows).mappings())

    def load(self, user_id: int, items: Iterable[object]) -> int:
        """Store what `dump` gave and JSON carried, but for what is here already. Return how many rows were new.

        Raises: InvalidItem; QuotaReached: there are more than the user may store. The caller commits or rolls back.
        """
        # Of all users: one row of the primary key. A user's own last id has no index that serves it everywhere.
        before = db.session.scalar(select(func.coalesce(func.max(self.table.c.id), 0)))
        insertion, new = self._insertion(), 0
        rows = map(self.row_of, items)
        while batch := list(islice(rows, self.batch)):
            placed = [{"place": place, **row} for place, row in enumerate(batch)]
            # As UTF-8: escaped, Korean is twice as long, which costs memory here and time in the database.
            sent = json.dumps(placed, ensure_ascii=False, separators=(",", ":"))
            stored = db.session.execute(insertion, {"owner": user_id, "before": before, "rows": sent})
            new += stored.rowcount  # type: ignore[attr-defined]
        if new:  # what was there before is nobody's fault
            self.quota.enforce(user_id)
        if self.then is not None:
            db.session.execute(self.then, {"owner": user_id})
        return new

    def _insertion(self) -> Insert:
        columns, names = self.table.c, (*self.fields, *self.sets)
        owner = bindparam("owner", type_=columns.user_id.type)
        rows = func.json_to_recordset(bindparam("rows", type_=Text).cast(JSON))
        typed = (column(name, columns[name].type) for name in names)
        new = rows.table_valued(column("place", Integer), *typed, name="new").render_derived(with_types=True)
        # Compared only with rows from before the import: two equal items of one export are both imported.
        here = select(columns.id).where(columns.user_id == owner, columns.id <= bindparam("before"), self.compared)
        is_here = here.where(*(columns[name] == new.c[name] for name in self.same)).exists()
        arriving = select(owner, *(new.c[name] for name in names)).where(~is_here).order_by(new.c.place)
        return insert(self.table).from_select(["user_id", *names], arriving)
