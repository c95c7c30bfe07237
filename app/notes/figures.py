"""The figures of notes on my page."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Date, DateTime, ScalarSelect, bindparam, cast, func, select

from app.notes.listing import NOT_DELETED
from app.notes.models import Note
from app.notes.service import QUOTA

_OWN = (Note.user_id == bindparam("owner"), NOT_DELETED)
_DAY = cast(func.timezone(bindparam("zone"), Note.created_at), Date).label("day")
_BY_DAY = (
    select(_DAY, func.count().label("written"))
    .where(*_OWN, Note.created_at >= func.timezone(bindparam("zone"), cast(bindparam("since"), DateTime)))
    .group_by(_DAY)
    .subquery()
)
FIGURES: Mapping[str, ScalarSelect[Any]] = {
    "notes": select(func.count()).select_from(Note).where(*_OWN).scalar_subquery(),
    # {"2026-11-21": 2}, only days with notes
    "notes_by_day": select(func.json_object_agg(_BY_DAY.c.day, _BY_DAY.c.written)).scalar_subquery(),
    "notes_left": QUOTA.room_left(),
}
