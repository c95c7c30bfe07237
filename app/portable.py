"""What the features share whose rows an export holds and an import brings back.

Each has a module `portable` with the names of `Portable`. They read what comes back as if a stranger had written it, by
the rules of the forms, and leave out what is here already.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Protocol, TypeVar

from sqlalchemy import JSON, ColumnElement, Integer, ScalarSelect, bindparam, column, exists, func, insert, select, true

from app.extensions import Base, db
from app.web.fields import has_control_characters, normalize

Item = dict[str, Any]
Value = TypeVar("Value")

INTEGER_MAX = 2**31 - 1
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # what a ZIP can tell the time of
CLOCKS_DIFFER = timedelta(days=1)
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?(Z|[+-][0-9]{2}:[0-9]{2})")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Portable(Protocol):
    """A feature's module `portable`."""

    NAME: str  # of its list in the export
    # What my page says of it; each may ask for the parameters `owner`, `zone` and `since`, a day there.
    FIGURES: Mapping[str, ScalarSelect[Any]]

    def dump(self, user_id: int) -> Iterator[Item]:
        """What the user has of it, without ids, in the order in which it is to come back; one statement."""

    def load(self, user_id: int, items: Iterable[object]) -> int:
        """Store, in the caller's transaction, what `dump` said and JSON carried; how many were new.

        Raises:
            Unfit: the caller rolls back.
        """


class Unfit(Exception):
    """Something that `dump` does not say; `field` is where."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Reader:
    """The fields of one item, each of which is asked for by its kind.

    Args:
        item: anything that JSON can carry.
        names: the fields it has to have, and no others.

    Raises:
        Unfit: also by every method.
    """

    def __init__(self, item: object, names: Iterable[str]) -> None:
        if not isinstance(item, dict):
            raise Unfit("")
        for name in item.keys() ^ set(names):
            raise Unfit(name if name in names else "?")
        self.item = item

    def optional(self, read: Callable[[str], Value], name: str) -> Value | None:
        return None if self.item[name] is None else read(name)

    def nested(self, name: str, names: Iterable[str]) -> "Reader":
        return Reader(self.item[name], names)

    def text(self, name: str, at_most: int) -> str:
        """By the rules of the forms, of app/web/fields.py."""
        return self._bounded(normalize(self._checked(name, str)), name, at_most)

    def exact(self, name: str, at_most: int) -> str:
        """To the letter, as addresses are."""
        return self._bounded(self._checked(name, str), name, at_most)

    def line(self, name: str, at_most: int) -> str:
        value = self.text(name, at_most).strip()
        self._require("\n" not in value, name)
        return value

    def flag(self, name: str) -> bool:
        return self._checked(name, bool)

    def number(self, name: str, least: int = 0, most: int = INTEGER_MAX) -> int:
        value = self._checked(name, int)
        self._require(least <= value <= most, name)
        return value

    def moment(self, name: str) -> str:
        """As ISO 8601 with a zone, neither before there were such services nor to come."""
        value = self._checked(name, str)
        self._require(MOMENT.fullmatch(value) is not None, name)
        try:
            moment = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Unfit(name) from None
        self._require(EARLIEST <= moment <= datetime.now(UTC) + CLOCKS_DIFFER, name)
        return moment.isoformat()

    def day(self, name: str, earliest: date, latest: date) -> str:
        value = self._checked(name, str)
        self._require(DAY.fullmatch(value) is not None, name)
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise Unfit(name) from None
        self._require(earliest <= day <= latest, name)
        return day.isoformat()

    def counts(self, name: str, at_most: int, longest: int) -> dict[str, int]:
        """word: how often it occurs."""
        value = self._checked(name, dict)
        self._require(len(value) <= at_most, name)
        self._require(all(type(times) is int and 0 < times <= INTEGER_MAX for times in value.values()), name)
        self._require(all(0 < len(word) <= longest for word in value), name)
        self._require(not has_control_characters("".join(value)), name)
        return value

    def _checked(self, name: str, kind: type[Value]) -> Value:
        value = self.item[name]
        if type(value) is not kind:  # not isinstance: True would be a number
            raise Unfit(name)
        return value

    def _bounded(self, value: str, name: str, at_most: int) -> str:
        self._require(len(value) <= at_most and not has_control_characters(value), name)
        return value

    def _require(self, holds: bool, name: str) -> None:
        if not holds:
            raise Unfit(name)


class Arrivals:
    """How rows of a model come back: in their order, but for those that the user had before.

    Args:
        columns: what a row is given.
        same: those of them in which a row that is here already is the same.
        counts: which of the rows that are here count as being here; without it all of them.
        batch: rows that one statement stores.
    """

    def __init__(
        self,
        model: type[Base],
        columns: Sequence[str],
        same: Sequence[str],
        batch: int,
        counts: ColumnElement[bool] | None = None,
    ) -> None:
        table = Base.metadata.tables[model.__tablename__]
        rows = func.json_to_recordset(bindparam("rows", type_=JSON))
        new = rows.table_valued(
            column("place", Integer), *(column(name, table.c[name].type) for name in columns), name="new"
        ).render_derived(with_types=True)
        owner = bindparam("owner", type_=table.c.user_id.type)
        # Compared is with what was here before, not with what came along: twice the same in one export comes twice.
        is_here = exists().where(
            table.c.user_id == owner,
            table.c.id <= bindparam("before"),
            *(table.c[name] == new.c[name] for name in same),
            true() if counts is None else counts,
        )
        arriving = select(owner, *(new.c[name] for name in columns)).where(~is_here).order_by(new.c.place)
        self._insert = insert(table).from_select(["user_id", *columns], arriving)
        self._last = select(func.coalesce(func.max(table.c.id), 0)).where(table.c.user_id == owner)
        self._batch = batch

    def store(self, user_id: int, rows: Iterable[Item]) -> int:
        """Insert without committing; how many were new."""
        before = db.session.execute(self._last, {"owner": user_id}).scalar_one()
        new = 0
        rest = iter(rows)
        while batch := list(islice(rest, self._batch)):
            placed = [{"place": place, **row} for place, row in enumerate(batch)]
            stored = db.session.execute(self._insert, {"owner": user_id, "before": before, "rows": placed})
            new += stored.rowcount  # type: ignore[attr-defined]
        return new
