"""What a page of the list shows of a note, and the figures beside it."""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Label,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from app.figures.kept import kept
from app.figures.models import Figures
from app.notes.models import Note, TagCount
from app.soft_delete import can_be_restored

TAGS_OF_NOTE = 8  # tags that one note shows
TAGS_BESIDE = 12  # tags beside the list
TRASH_COUNTED = 100  # beyond that the list says 99+, so that a full trash does not slow it down
TRASH_RETENTION = timedelta(days=30)

NoteRow = Row[*tuple[Any, ...]]  # the columns that the statement names

OWNER: BindParameter[int] = bindparam("owner")
NOT_DELETED = Note.deleted_at.is_(None)
LISTED = and_(NOT_DELETED, Note.archived_at.is_(None))
IN_ARCHIVE = and_(NOT_DELETED, Note.archived_at.is_not(None))
IN_TRASH = can_be_restored(Note.deleted_at, TRASH_RETENTION)
DAYS_LEFT = func.ceil(func.extract("epoch", Note.deleted_at + TRASH_RETENTION - func.now()) / 86400)  # in the trash
MOST_USED_TAGS = (
    select(TagCount.tag, TagCount.used).where(TagCount.user_id == OWNER).order_by(TagCount.used.desc(), TagCount.tag)
)


# A task as task_boxes.py finds it. Only notes that look as if they had one pay for the regular expression.
_TASK = r"^[ >]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]+\[%s\][ \t]"
_MAY_HAVE_TASKS = Note.content.like("%[_] %")


def _number_of_tasks(mark: str) -> ColumnElement[int]:
    counted = func.regexp_count(Note.content, _TASK % mark, 1, "n", type_=Integer)
    return case((_MAY_HAVE_TASKS, counted), else_=0)


def shown(text: ColumnElement[str] | InstrumentedAttribute[str]) -> Select[Any]:
    """Notes of the list and of the archive."""
    tags = Note.tags[1:TAGS_OF_NOTE].label("tags")
    return select(
        Note.id,
        Note.title,
        text.label("text"),
        tags,
        Note.pinned,
        Note.version,
        Note.created_at,
        Note.updated_at,
        Note.archived_at,
        _number_of_tasks("[ xX]").label("tasks"),
        _number_of_tasks("[xX]").label("tasks_done"),
    ).where(Note.user_id == OWNER, NOT_DELETED)


def figures() -> tuple[Label[Any], ...]:
    """The number of all notes of the list, of those in the archive and in the trash, and the most used tags."""
    tags = MOST_USED_TAGS.limit(TAGS_BESIDE + 1).subquery()
    pairs = aggregate_order_by(func.json_build_array(tags.c.tag, tags.c.used), tags.c.used.desc(), tags.c.tag)
    trash = select(literal(1)).where(Note.user_id == OWNER, IN_TRASH).limit(TRASH_COUNTED).subquery()
    return (
        kept(Figures.notes).label("total"),
        kept(Figures.notes_archived).label("in_archive"),
        select(func.count()).select_from(trash).scalar_subquery().label("in_trash"),
        # As text: psycopg2 would parse a column of JSON again for each row.
        cast(select(func.json_agg(pairs)).scalar_subquery(), Text).label("used_tags"),
    )
