"""The list of notes and what stands beside it, in one statement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import db
from app.notes.excerpts import LENGTH
from app.notes.models import Note
from app.notes.search import Search

PAGE_SIZE = 20
TAGS_OF_NOTE = 8  # chips that one note shows
TAGS_BESIDE = 12
TAGS_SHOWN = 500
ID_MAX = 2**63 - 1
TRASH_KEPT = timedelta(days=30)

NoteRow = Row[*tuple[Any, ...]]  # the columns that the statement names


@dataclass(frozen=True)
class Cursor:
    """Where a page of the list ended: the place of its last note in the order of the list."""

    pinned: bool
    note_id: int

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor of "0-17" or "1-17".

        Raises:
            ValueError: it is not one that `str()` made.
        """
        pinned, _, note_id = text.partition("-")
        if pinned not in ("0", "1") or not note_id.isascii() or not note_id.isdigit() or int(note_id) > ID_MAX:
            raise ValueError(text)
        return cls(pinned == "1", int(note_id))

    def __str__(self) -> str:
        return f"{self.pinned:d}-{self.note_id}"


@dataclass(frozen=True)
class Page:
    """Up to PAGE_SIZE notes, where the older ones begin if there are any, and the figures beside them."""

    notes: Sequence[NoteRow]
    older: Cursor | None
    found: int  # all that the search finds, on all pages
    shown: int  # how many of them are on this page and those before it
    total: int
    in_trash: int
    tags: list[tuple[str, int]]  # the most used ones and their notes, one more than TAGS_BESIDE if there are more
    before: tuple[bool, datetime] | None  # the note that the page before ended with: whether pinned, when written


START = Cursor(pinned=True, note_id=ID_MAX)

IS_ALIVE = Note.deleted_at.is_(None)
IS_IN_TRASH = Note.deleted_at > func.now() - TRASH_KEPT

_OWNER: BindParameter[int] = bindparam("owner")
# When the note was written that the page before ended with; none is as late as the beginning of the list.
_ENDED_AT = select(Note.created_at).where(Note.user_id == _OWNER, Note.id == bindparam("note_id")).scalar_subquery()
_CURSOR = tuple_(
    bindparam("pinned"), func.coalesce(_ENDED_AT, literal("infinity", Note.created_at.type)), bindparam("note_id")
)


def _tag_counts(notes: FromClause) -> Select[Any]:
    """Each tag of the living ones among `notes` with their number, the most used first."""
    tags = select(func.unnest(notes.c.tags).label("tag")).where(notes.c.deleted_at.is_(None)).subquery()
    used = func.count().label("used")
    return select(tags.c.tag, used).group_by(tags.c.tag).order_by(used.desc(), tags.c.tag.collate("C"))


def _figures(own: FromClause, found: ColumnElement[bool]) -> FromClause:
    """One row: what stands beside the list, counted in one pass over the owner's notes."""
    tags = _tag_counts(own).limit(TAGS_BESIDE + 1).subquery()
    pairs = aggregate_order_by(
        func.json_build_array(tags.c.tag, tags.c.used), tags.c.used.desc(), tags.c.tag.collate("C")
    )
    return select(
        func.count().filter(found).label("found"),
        func.count().filter(found, tuple_(own.c.pinned, own.c.created_at, own.c.id) >= _CURSOR).label("passed"),
        func.count().filter(own.c.deleted_at.is_(None)).label("total"),
        func.count().filter(own.c.deleted_at > func.now() - TRASH_KEPT).label("in_trash"),
        select(func.json_agg(pairs)).scalar_subquery().label("used_tags"),
        _ENDED_AT.label("ended_at"),
    ).subquery("figures")


def _page(text: ColumnElement[str] | InstrumentedAttribute[str], hit: ColumnElement[bool]) -> Select[Any]:
    """The statement of a page: the owner's rows are read once for the figures and the hits, then those of the page."""
    columns = (Note.id, Note.pinned, Note.tags, Note.created_at, Note.deleted_at)
    own = select(*columns, hit.label("hit")).where(Note.user_id == _OWNER).cte("own")
    found = and_(own.c.hit, own.c.deleted_at.is_(None))
    page = select(own.c.id).where(found, tuple_(own.c.pinned, own.c.created_at, own.c.id) < _CURSOR)
    page = page.order_by(own.c.pinned.desc(), own.c.created_at.desc(), own.c.id.desc()).limit(PAGE_SIZE + 1)
    shown = (Note.id, Note.title, text.label("text"), Note.tags[1:TAGS_OF_NOTE].label("tags"), Note.pinned)
    notes = select(*shown, Note.version, Note.created_at, Note.updated_at).where(Note.id.in_(page)).subquery("page")
    figures = _figures(own, found)
    return (
        select(figures, notes)
        .select_from(figures.outerjoin(notes, true()))  # the figures stand also where no note does
        .order_by(notes.c.pinned.desc(), notes.c.created_at.desc(), notes.c.id.desc())
    )


def _asked(name: str, hit: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """`hit` of the array of a parameter. None asked: the planner sees it and leaves out what would be true of all."""
    values = cast(bindparam(name), ARRAY(Text))
    return or_(func.cardinality(values) == 0, hit(values))


_TEXT = Note.title + "\n" + Note.content
_PAGE = _page(func.left(Note.content, LENGTH), true())
# LIKE ALL has no ESCAPE of its own; PostgreSQL's default is the backslash, by which search.pattern() escapes.
_SEARCH = _page(
    Note.content,
    and_(
        IS_ALIVE,
        _asked("tags", lambda tags: Note.tags.contains(tags)),
        _asked("patterns", lambda patterns: _TEXT.like(func.all(patterns))),
        _asked("cased_patterns", lambda patterns: _TEXT.ilike(func.all(patterns))),
    ),
)
_OWN_TAGS = _tag_counts(select(Note.tags, Note.deleted_at).where(Note.user_id == _OWNER).subquery("own")).limit(
    TAGS_SHOWN
)


def list_notes(user_id: int, after: Cursor = START, search: Search = Search()) -> Page:  # noqa: B008 - it is frozen
    """A page of the user's notes that the search finds, pinned ones on top, the newest first."""
    parameters: dict[str, Any] = {"owner": user_id, "pinned": after.pinned, "note_id": after.note_id}
    if search:
        parameters |= {"tags": list(search.tags), "patterns": search.patterns, "cased_patterns": search.cased_patterns}
    rows = db.session.execute(_SEARCH if search else _PAGE, parameters).all()
    figures = rows[0]
    notes = [row for row in rows[:PAGE_SIZE] if row.id is not None]
    return Page(
        notes=notes,
        older=Cursor(notes[-1].pinned, notes[-1].id) if len(rows) > PAGE_SIZE else None,
        found=figures.found,
        shown=figures.passed + len(notes),
        total=figures.total,
        in_trash=figures.in_trash,
        tags=[(tag, count) for tag, count in figures.used_tags or ()],
        before=(after.pinned, figures.ended_at) if figures.ended_at else None,
    )


def list_tags(user_id: int) -> list[tuple[str, int]]:
    """The tags of the user's notes and how many have each, the most used first; at most TAGS_SHOWN."""
    return [(tag, used) for tag, used in db.session.execute(_OWN_TAGS, {"owner": user_id})]
