"""Notes in an export, those in the trash too, and back."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Date, DateTime, ScalarSelect, bindparam, cast, func, or_, select

from app.extensions import db
from app.notes.listing import IS_ALIVE, IS_IN_TRASH, TRASH_KEPT
from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH, Note
from app.notes.tags import tags_of
from app.portable import Arrivals, Item, Reader, Unfit

NAME = "notes"
FIELDS = ("title", "content", "tags", "pinned", "created_at", "updated_at", "deleted_at")
BATCH = 500

_OWN = (Note.user_id == bindparam("owner"), IS_ALIVE)
_DAY = cast(func.timezone(bindparam("zone"), Note.created_at), Date).label("day")
_BY_DAY = (
    select(_DAY, func.count().label("written"))
    .where(*_OWN, Note.created_at >= func.timezone(bindparam("zone"), cast(bindparam("since"), DateTime)))
    .group_by(_DAY)
    .subquery()
)
FIGURES: Mapping[str, ScalarSelect[Any]] = {
    "notes": select(func.count()).select_from(Note).where(*_OWN).scalar_subquery(),
    # {"2026-11-21": 2}, without the days of none
    "notes_by_day": select(func.json_object_agg(_BY_DAY.c.day, _BY_DAY.c.written)).scalar_subquery(),
}

_ALL = (
    select(*(Note.__table__.c[name] for name in FIELDS))
    .where(
        Note.user_id == bindparam("owner"),
        or_(IS_ALIVE, IS_IN_TRASH),
    )
    .order_by(Note.id)
)
_ARRIVALS = Arrivals(Note, FIELDS, same=("created_at", "title", "content"), batch=BATCH)


def dump(user_id: int) -> Iterator[Item]:
    rows = db.session.execute(_ALL, {"owner": user_id}, execution_options={"yield_per": BATCH})
    return (dict(row) for row in rows.mappings())


def load(user_id: int, items: Iterable[object]) -> int:
    return _ARRIVALS.store(user_id, map(_row, items))


def _row(item: object) -> Item:
    note = Reader(item, FIELDS)
    title, content = note.line("title", TITLE_LENGTH), note.text("content", CONTENT_LENGTH)
    if not (title or content.strip()):
        raise Unfit("content")
    return {
        "title": title,
        "content": content,
        "tags": tags_of(title, content),  # whatever it says of them
        "pinned": note.flag("pinned"),
        "created_at": note.moment("created_at"),
        "updated_at": note.moment("updated_at"),
        "deleted_at": _still_kept(note.optional(note.moment, "deleted_at")),
    }


def _still_kept(deleted_at: str | None) -> str | None:
    """In the trash for longer than that is kept, it would never be seen: its time begins anew."""
    now = datetime.now(UTC)
    if deleted_at and datetime.fromisoformat(deleted_at) <= now - TRASH_KEPT:
        return now.isoformat()
    return deleted_at
