"""The contract of what an export holds: a feature with rows to export has a PortableTable in its module `portable`.

It has a reader for each field, since a stranger may have written the item.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Insert, Select, Table, Update, bindparam, column, func, insert, select, true
from sqlalchemy.types import JSON, Integer, Text

from app.extensions import Base, db
from app.limits.quotas import Quota
from app.web.fields import has_control_characters, lines, normalize, strip

Item = dict[str, Any]
Rows = Select[*tuple[Any, ...]]  # of `owner`
Records = Mapping[str, Rows]  # by name of the file that an export has of them, and no import reads
Reader = Callable[[Any], Any]  # turns a value of JSON into that of the column. Raises: ValueError

INTEGER_MAX = 2**31 - 1
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # the earliest time that a ZIP can hold
CLOCK_SKEW = timedelta(days=1)  # how far another server's clock may be ahead
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?(Z|[+-][0-9]{2}:[0-9]{2})")


class InvalidItem(ValueError):
    """An item is not as an export writes it; `field` names the wrong field."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class EmptyItem(InvalidItem):
    """Nobody sees anything of the item. It may have been stored before that was refused."""


def read_item(item: object, readers: Mapping[str, Reader], absent: Mapping[str, object] | None = None) -> Item:
    """Read an item of an import, anything that JSON can hold. Fields without a reader are read over.

    `absent` are those that exports of before did not have, and what they stand for. Raises: InvalidItem.
    """
    if not isinstance(item, dict):
        raise InvalidItem("")
    item = {**(absent or {}), **item}
    for name in readers.keys() - item.keys():
        raise InvalidItem(name)
    row = {}
    for name, read in readers.items():
        try:
            row[name] = read(item[name])
        except ValueError as error:
            raise InvalidItem(name) from error
    return row


def read_rows(rows: Rows, user_id: int) -> Iterator[Item]:
    """Run the statement once the first row is asked for."""
    yield from map(dict, db.session.execute(rows, {"owner": user_id}).mappings())


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError


# Readers. A table binds what follows the value by `partial`.
def optional(value: Any, read: Reader) -> Any:
    return None if value is None else read(value)


def exactly(value: Any, kind: type) -> Any:
    _require(type(value) is kind)  # not isinstance: True would be a number
    return value


def text(value: Any, at_most: int) -> Any:
    """Read text by the rules of the forms (app/web/fields.py); `at_most` code points."""
    return exact_text(lines(normalize(exactly(value, str))), at_most)


def exact_text(value: Any, at_most: int) -> Any:
    """Read text that is not normalized, such as an address."""
    _require(len(exactly(value, str)) <= at_most and not has_control_characters(value))
    return value


def line(value: Any, at_most: int) -> str:
    found: str = exact_text(strip(normalize(exactly(value, str))), at_most)
    _require("\n" not in found)
    return found


def number(value: Any) -> Any:
    _require(0 <= exactly(value, int) <= INTEGER_MAX)
    return value


def moment(value: Any) -> str:
    """Read a time in ISO 8601 with a zone, from 1980 until now."""
    _require(MOMENT.fullmatch(exactly(value, str)) is not None)
    try:
        found = datetime.fromisoformat(value).astimezone(UTC)
    except OverflowError as error:
        raise ValueError from error
    _require(EARLIEST <= found <= datetime.now(UTC) + CLOCK_SKEW)
    return found.isoformat()


def day(value: Any, earliest: date, latest: date) -> Any:
    found = date.fromisoformat(exactly(value, str))
    _require(found.isoformat() == value and earliest <= found <= latest)
    return value


def counts(value: Any, at_most: int, longest: int) -> Any:
    """Read a dict of word to number of occurrences."""
    _require(len(exactly(value, dict)) <= at_most and all(0 < len(word) <= longest for word in value))
    _require(all(type(times) is int and 0 < times <= INTEGER_MAX for times in value.values()))
    _require(not has_control_characters("".join(value)))
    return value


@dataclass(frozen=True, kw_only=True)
class PortableTable:
    """The rows of a table that an export holds, and how an import stores them."""

    name: str  # of their list in the export
    came: Callable[[int], str]  # how many came in, as a part of a sentence
    model: type[Base]
    fields: Mapping[str, Reader]  # the columns that an item has
    absent: Mapping[str, object] = field(default_factory=dict)  # see read_item
    also: Mapping[str, Any]  # what an export says besides, and no import reads
    exported: ColumnElement[bool]  # the rows that an export holds, of all users'
    order: Sequence[str] = ("id",)  # the columns by which they are to come back
    longest_item: int  # code points of a row as JSON, which may write each code point of a text as 12
    complete: Callable[[Item], Item] = dict  # checks a row as a whole. Raises: InvalidItem
    same: Sequence[str]  # the columns by which a stored row and an item are the same
    compared: ColumnElement[bool] = field(default_factory=true)  # the stored rows that an item may be the same as
    quota: Quota
    batch: int = 500  # rows in one INSERT, and read at once
    then: Update | None = None  # of the owner's rows, after the INSERT

    @property
    def table(self) -> Table:
        return Base.metadata.tables[self.model.__tablename__]

    def rows(self, which: ColumnElement[bool]) -> Rows:
        """Select rows as an export has them, in the order in which they are to come back."""
        columns = self.table.c
        shown = [*(value.label(name) for name, value in self.also.items()), *(columns[name] for name in self.fields)]
        rows = select(*shown).where(columns.user_id == bindparam("owner"), which)
        return rows.order_by(*(columns[name] for name in self.order)).execution_options(yield_per=self.batch)

    def read(self, item: object) -> Item:
        """Read what `rows` gave and JSON carried. Raises: InvalidItem, EmptyItem."""
        return self.complete(read_item(item, self.fields, self.absent))

    def load(self, user_id: int, items: Iterable[Item]) -> int:
        """Store what `read` returned, but for what is here already. Return how many rows were new.

        Raises: QuotaReached: there are more than the user may store. The caller commits or rolls back.
        """
        # Of all users: one row of the primary key. A user's own last id has no index that serves it everywhere.
        before = db.session.scalar(select(func.coalesce(func.max(self.table.c.id), 0)))
        insertion, new = self._insertion().execution_options(preserve_rowcount=True), 0
        rows = iter(items)
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
        columns, names = self.table.c, [*self.fields]
        owner = bindparam("owner", type_=columns.user_id.type)
        rows = func.json_to_recordset(bindparam("rows", type_=Text).cast(JSON))
        typed = (column(name, columns[name].type) for name in names)
        new = rows.table_valued(column("place", Integer), *typed, name="new").render_derived(with_types=True)
        # Compared only with rows from before the import: two equal items of one export are both imported.
        here = select(columns.id).where(columns.user_id == owner, columns.id <= bindparam("before"), self.compared)
        is_here = here.where(*(columns[name] == new.c[name] for name in self.same)).exists()
        arriving = select(owner, *(new.c[name] for name in names)).where(~is_here).order_by(new.c.place)
        return insert(self.table).from_select(["user_id", *names], arriving)
