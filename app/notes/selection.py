"""Do something to several notes at once, each in one bounded statement. Notes of others and vanished ones are left out.

The rows are locked in the order of their ids, so two such statements never wait for each other in a circle. What was
put away together has the same moment, by which undo finds it, so no list of ids has to be kept.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, cast, collate, func, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import BigInteger, Boolean, Text

from app.extensions import db
from app.notes.listing import MOST_SHOWN
from app.notes.models import CONTENT_LENGTH, Note
from app.notes.service import IN_ARCHIVE, IN_TRASH, NOT_DELETED, OWNER, changing
from app.notes.versions import keeping
from app.rejection import RowNotFound

MOST_SELECTED = MOST_SHOWN


def _chosen(condition: ColumnElement[bool], *columns: Any) -> Select[Any]:
    own = select(Note.id, *columns).where(Note.user_id == OWNER, condition)
    return own.order_by(Note.id).limit(MOST_SELECTED).with_for_update(key_share=True)


_IDS = Note.id == func.any(bindparam("ids", type_=ARRAY(BigInteger)))
_KEPT = NOT_DELETED | IN_TRASH
_MOMENT = bindparam("moment", type_=Note.archived_at.type)
_TAG = cast(bindparam("tag"), Text)
_WRITTEN = "#" + cast(bindparam("written"), Text)


def _change(chosen: Select[Any], column: InstrumentedAttribute[Any], value: Any) -> Any:
    rows = chosen.cte("chosen")
    return update(Note).where(Note.id == rows.c.id).values(changing(column, value)).returning(column.label("value"))


def _content_with_tag() -> ColumnElement[str]:
    """Return the text with the tag at its end: behind the tags that its last line is made of, or below the text."""
    text = func.rtrim(Note.content, " \n\t", type_=Text)
    ends_with_tags = text.op("~", is_comparison=True)(r"(^|\n)#[^ #\n]+( #[^ #\n]+)*$")
    return case((text == "", _WRITTEN), (ends_with_tags, text + " " + _WRITTEN), else_=text + "\n\n" + _WRITTEN)


def _tag() -> Select[int, int, datetime]:
    """Add the tag to those of the text (texts.py): what ends a text ends no other tag in it."""
    chosen = _chosen(
        _IDS & NOT_DELETED,
        *(Note.version, Note.title, Note.content, Note.updated_at, _content_with_tag().label("tagged")),
        func.array_position(Note.tags, _TAG).is_not(None).label("has_it"),
    ).cte("chosen")
    gets_it = ~chosen.c.has_it & (func.char_length(chosen.c.tagged) <= CONTENT_LENGTH)
    names = func.unnest(func.array_append(Note.tags, _TAG)).column_valued("name")
    tags = select(func.array_agg(aggregate_order_by(names, collate(names, "C").asc()))).scalar_subquery()
    change = update(Note).where(Note.id == chosen.c.id, gets_it)
    change = change.values(content=chosen.c.tagged, tags=tags, version=Note.version + 1, updated_at=func.now())
    changed = change.returning(Note.updated_at).cte("changed")
    number_changed = select(func.count()).select_from(changed).scalar_subquery()
    tagged = func.count().filter(chosen.c.has_it) + number_changed
    moment = select(func.max(changed.c.updated_at)).scalar_subquery()
    found = select(func.count().label("found"), tagged.label("tagged"), moment.label("moment")).select_from(chosen)
    return found.add_cte(*keeping(chosen, gets_it))


def _untag() -> Any:
    """Take the tag out of the texts that got it at this moment and were not edited since: it ends them."""
    length = func.char_length(_WRITTEN)
    ends_with_it = func.right(Note.content, length) == _WRITTEN
    is_tagged = NOT_DELETED & (Note.updated_at == _MOMENT) & ends_with_it
    rows = _chosen(is_tagged, Note.version, Note.title, Note.content, Note.updated_at).cte("chosen")
    content = func.rtrim(func.left(Note.content, -length), " \n", type_=Text)
    change = update(Note).where(Note.id == rows.c.id).values(content=content, tags=func.array_remove(Note.tags, _TAG))
    changed = change.values(version=Note.version + 1, updated_at=func.now()).returning(Note.id).cte("changed")
    return select(changed.c.id).add_cte(*keeping(rows, true()))


_PIN = _change(_chosen(_IDS & NOT_DELETED), Note.pinned, bindparam("pinned", type_=Boolean))
_ADD_TAG = _tag()
_PUT_AWAY = {
    "archive": _change(_chosen(_IDS & NOT_DELETED), Note.archived_at, func.coalesce(Note.archived_at, func.now())),
    "delete": _change(_chosen(_IDS & _KEPT), Note.deleted_at, func.coalesce(Note.deleted_at, func.now())),
}
_UNDO = {
    "archive": _change(_chosen(IN_ARCHIVE & (Note.archived_at == _MOMENT)), Note.archived_at, None),
    "delete": _change(_chosen(IN_TRASH & (Note.deleted_at == _MOMENT)), Note.deleted_at, None),
    "tag": _untag(),
}
UNDONE = tuple(_UNDO)  # the actions that can be undone


def pin_notes(user_id: int, ids: Sequence[int], *, pinned: bool) -> int:
    """Pin or unpin notes and return how many they are. Raises: RowNotFound: none of them is there."""
    return len(_apply(_PIN, user_id, ids=ids, pinned=pinned))


def tag_notes(user_id: int, ids: Sequence[int], tag: str) -> tuple[int, int, datetime | None]:
    """Write a tag at the end of each text that has not got it, which is an edit as any other: it keeps what was there.

    Return how many have it now, how many have no room for it and are as they were, and the moment for undo; None if
    nothing was written.

    Args:
        tag: one that texts.tags_of() finds as it is, without `#`.

    Raises: RowNotFound: none of them is there.
    """
    parameters = {"owner": user_id, "ids": list(ids), "tag": tag.lower(), "written": tag}
    found, tagged, moment = db.session.execute(_ADD_TAG, parameters).one()
    db.session.commit()
    if not found:
        raise RowNotFound
    return tagged, found - tagged, moment


def put_away(user_id: int, ids: Sequence[int], action: str) -> tuple[int, datetime]:
    """Archive or delete notes (`action`); return how many are put away now, and the moment for undo.

    Raises: RowNotFound: none of them is there.
    """
    rows = _apply(_PUT_AWAY[action], user_id, ids=ids)
    return len(rows), max(row.value for row in rows)


def undo(user_id: int, action: str, moment: datetime, tag: str = "") -> int:
    """Take back what was done at this moment, with the tag that was given if it was so; return to how many notes.

    Raises: RowNotFound: nothing is left.
    """
    given = {"tag": tag.lower(), "written": tag} if action == "tag" else {}
    return len(_apply(_UNDO[action], user_id, moment=moment, **given))


def _apply(statement: Any, user_id: int, **parameters: object) -> Sequence[Any]:
    rows = db.session.execute(statement, {"owner": user_id, **parameters}).all()
    db.session.commit()
    if not rows:
        raise RowNotFound
    return rows
