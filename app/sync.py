"""Sync: give a program all rows of a person once, and from then on what has changed since it asked last.

Triggers note the transaction that changed a row last, in `changed`, and remember which rows were deleted for good
(revisions 0061 to 0063), so it is all the same which release writes. A page of changes has them in the order of these
transactions, up to the oldest one that is still open: what commits late comes late, and is never passed over. All rows
come first. What changes while they are read comes again among the changes after that.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, column, func, select, text, true, tuple_, union_all
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import CheckConstraint, ForeignKey
from sqlalchemy.types import BigInteger, SmallInteger, Text

from app.database.statements import fixed
from app.extensions import Base, read
from app.keyset import Cursor
from app.soft_delete import purged_nightly

PAGE_SIZE = 100
DELETIONS_KEPT = timedelta(days=90)
CURSOR_HOLDS = timedelta(days=60)  # since the copy was whole; less than the deletions that it needs are kept
BIGINT = range(2**63)
CHANGES, FIRST, LAST = range(3)  # the part that a cursor is in: of all rows, the first ones have False before their id


class CursorExpired(Exception):
    """The cursor is of another database, such as one before a backup was restored, or deletions since are forgotten."""


class Deletion(Base):
    """A row that was deleted for good. Triggers alone write it; it goes with the account."""

    __tablename__ = "deletions"

    user_id: Mapped[int] = mapped_column(ForeignKey("figures.user_id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)  # its table
    changed: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    row_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    deleted_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class DatabaseMark(Base):
    """The one row by which a database is known: its xmin is that of `xid` until somebody copies it (revision 0059)."""

    __tablename__ = "database_marks"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint"))


def _number(transaction: ColumnElement[Any]) -> ColumnElement[int]:
    return transaction.cast(Text).cast(BigInteger)


_OWNER = bindparam("owner", type_=BigInteger)
_ROW_ID = bindparam("row_id", type_=BigInteger)
# Each transaction below it has ended, and the statement sees what it did.
_HORIZON = _number(func.pg_snapshot_xmin(func.pg_current_snapshot()))
_NOW = select(
    _number(column("xmin")).label("mark"),
    _HORIZON.label("horizon"),
    func.extract("epoch", func.now()).cast(BigInteger).label("now"),
).select_from(DatabaseMark)


class Feed:
    def __init__(self, model: Any, columns: Sequence[Any], is_kept: ColumnElement[bool], *first: Any) -> None:
        """Build the statements of a table that has `user_id`, `changed` and the triggers.

        Args:
            columns: those that a program gets.
            is_kept: false for a row that is only waiting to be purged: it is gone already.
            first: the boolean column, if any, that stands before the id in the index of all rows.
        """

        def page(keys: Any, *order: str) -> Any:
            """Return the rows of these keys, in one snapshot with the state of the database, which is in each."""
            now, key = _NOW.subquery(), keys.limit(fixed(PAGE_SIZE + 1)).subquery()
            own = select(*columns).where(model.id == key.c.key, model.user_id == _OWNER, is_kept)
            row = own.limit(fixed(1)).lateral()  # by its key: a join may read all rows instead
            rows = now.outerjoin(key, true()).outerjoin(row, true())
            return select(now, *key.c, *row.c).select_from(rows).order_by(*(key.c[name] for name in order))

        key = (model.user_id, *first, model.id)
        after = tuple_(_OWNER, *(bindparam("is_last", type_=each.type) for each in first), _ROW_ID)
        # With `user_id = …` in its place, a plan for any values may walk the primary key, past the rows of all others.
        is_last = [each.label("is_last") for each in first]
        rest = select(model.id.label("key"), *is_last).where(model.user_id <= _OWNER, tuple_(*key) > after)
        self._all = page(rest.order_by(*key), *(each.key for each in is_last), "key")
        deleted = _changes(Deletion, Deletion.row_id).where(Deletion.kind == model.__tablename__)
        both = union_all(_changes(model, model.id), deleted)
        self._changes = page(both.order_by("at", "key"), "at", "key")

    def read(self, user_id: int, since: Cursor | None) -> tuple[Sequence[Any], Sequence[int], Cursor, bool]:
        """Return a page of all rows, or of what changed since, the ids of rows that are gone, and where to go on.

        The last says whether there may be more yet. Raises: CursorExpired.
        """
        _user, mark, whole_at, changed, part, row_id = since.key if since else (user_id, 0, 0, 0, FIRST, 0)
        given = {"owner": user_id, "changed": changed, "is_last": part == LAST, "row_id": row_id}
        rows = read(self._all if part else self._changes, given).all()
        now = rows[0]
        if since is None:
            mark, whole_at, changed = now.mark, now.now, now.horizon
        elif mark != now.mark or changed > now.horizon or whole_at < now.now - CURSOR_HOLDS.total_seconds():
            raise CursorExpired
        page = [row for row in rows[:PAGE_SIZE] if row.key]
        more = len(rows) > PAGE_SIZE
        if more:
            part = part and (LAST if getattr(page[-1], "is_last", False) else FIRST)
            place = (whole_at, changed if part else page[-1].at, part, page[-1].key)
        elif part:
            place, more = (whole_at, changed, CHANGES, 0), changed < now.horizon
        else:
            place = (now.now, now.horizon, CHANGES, 0)
        kept, gone = [row for row in page if row.id], [row.key for row in page if not row.id]
        return kept, gone, Cursor((user_id, mark, *place)), more


def _changes(model: Any, row_id: Any) -> Any:
    after = tuple_(model.changed, row_id) > tuple_(bindparam("changed", type_=BigInteger), _ROW_ID)
    keys = select(row_id.label("key"), model.changed.label("at")).where(model.user_id == _OWNER, after)
    return keys.where(model.changed < _HORIZON).order_by(model.changed, row_id).limit(fixed(PAGE_SIZE + 1))


def parse(cursor: str, user_id: int) -> Cursor:
    """Read a cursor of this person's. Raises: ValueError."""
    return Cursor.parse(cursor, (range(user_id, user_id + 1), range(2**32), BIGINT, BIGINT, range(3), BIGINT))


# Every cursor from before has expired.
purge_deletions = purged_nightly("sync.purge_deletions", (Deletion, Deletion.deleted_at <= func.now() - DELETIONS_KEPT))
