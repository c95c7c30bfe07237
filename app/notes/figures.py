"""The figures of notes: beside the list, the tags of all notes, and those on My page."""

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ARRAY, DateTime, Label, String, Text, any_, bindparam, cast, false, func, literal, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by, array

from app.database.statements import fixed
from app.extensions import read
from app.figures import Figure, Figures, kept
from app.notes.models import Note, TagCount
from app.notes.service import IN_TRASH, NOT_DELETED, OWNER, QUOTA

TAGS_BESIDE = 12  # tags beside the list
TAGS_SHOWN = 500  # tags on the page of all tags
TRASH_COUNTED = 100  # beyond that the list says 99+, so that a full trash does not slow it down

_MOST_USED_TAGS = (
    select(TagCount.tag, TagCount.used).where(TagCount.user_id == OWNER).order_by(TagCount.used.desc(), TagCount.tag)
)
_TAGS_SHOWN = _MOST_USED_TAGS.limit(fixed(TAGS_SHOWN))
# Behind a SELECT of its own, which reads the text once: in a prepared statement a cast is done again for each note.
_MIDNIGHTS = select(cast(bindparam("midnights", type_=String), ARRAY(DateTime(timezone=True)))).scalar_subquery()
_DAY = func.width_bucket(Note.created_at, _MIDNIGHTS).label("day")
_BY_DAY = (
    select(_DAY, func.count().label("written"))
    .where(
        Note.user_id == OWNER,
        Note.pinned == any_(array((true(), false()))),  # so the index of the list serves it: only what is that new
        Note.created_at >= bindparam("since"),
        NOT_DELETED,
    )
    .group_by(_DAY)
    .subquery()
)
# {"182": 2}: of the days that begin with `midnights` (an array as PostgreSQL writes it), of which the first is `since`,
# counted from 1; only those with notes
BY_DAY = select(func.json_object_agg(_BY_DAY.c.day, _BY_DAY.c.written)).scalar_subquery()
FIGURE = Figure(
    label=_("Notes"),
    number=kept(Figures.notes),
    name=_("Notes"),
    room=QUOTA.room_left(),
    advice=_("Notes in the trash count too. Empty it to make room."),
)


def figures_beside() -> tuple[Label[Any], ...]:
    """Return the number of all notes of the list, of those in the archive and the trash, and the most used tags."""
    tags = _MOST_USED_TAGS.limit(fixed(TAGS_BESIDE + 1)).subquery()
    pairs = aggregate_order_by(func.json_build_array(tags.c.tag, tags.c.used), tags.c.used.desc(), tags.c.tag)
    trash = select(literal(1)).where(Note.user_id == OWNER, IN_TRASH).limit(fixed(TRASH_COUNTED)).subquery()
    return (
        kept(Figures.notes).label("total"),
        kept(Figures.notes_archived).label("in_archive"),
        select(func.count()).select_from(trash).scalar_subquery().label("in_trash"),
        # As text: a driver would parse a column of JSON again for each row.
        cast(select(func.json_agg(pairs)).scalar_subquery(), Text).label("used_tags"),
    )


def list_tags(user_id: int) -> list[tuple[str, int]]:
    """Return the tags of the user's notes and how many have each, the most used first; at most TAGS_SHOWN."""
    return [(row.tag, row.used) for row in read(_TAGS_SHOWN, {"owner": user_id})]
