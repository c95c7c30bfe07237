"""The figures of notes on my page."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, DateTime, String, bindparam, cast, func, select

from app.figures.kept import kept
from app.figures.models import Figures
from app.notes.list_columns import NOT_DELETED
from app.notes.models import Note
from app.notes.service import QUOTA

_MIDNIGHTS = cast(bindparam("midnights", type_=String), ARRAY(DateTime(timezone=True)))
_DAY = func.width_bucket(Note.created_at, _MIDNIGHTS).label("day")
_BY_DAY = (
    select(_DAY, func.count().label("written"))
    .where(
        Note.user_id == bindparam("owner"),
        Note.pinned.in_((True, False)),  # so that the index of the list serves it: only what is that new is read
        Note.created_at >= bindparam("since"),
        NOT_DELETED,
    )
    .group_by(_DAY)
    .subquery()
)
FIGURES: Mapping[str, ColumnElement[Any]] = {
    "notes": kept(Figures.notes),
    # {"182": 2}: of the days that begin with `midnights`, counted from 1; only those with notes
    "notes_by_day": select(func.json_object_agg(_BY_DAY.c.day, _BY_DAY.c.written)).scalar_subquery(),
    "notes_left": QUOTA.room_left(),
}
