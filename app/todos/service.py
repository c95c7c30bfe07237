"""Create, complete, edit, move, delete and restore todos. Another user's todo is not found.

The list is in listing.py. To reorder it, a todo swaps positions with its neighbour, or goes to the place of another.
For that each of the two needs a position that no other todo of the user has. A new todo's position is its id, the
highest so far, so it stands on top. Todos that were created before positions existed have the position UNPLACED: they
stand below the others, the newest first, and get their id as position when a todo is first moved past them. So the
positions of a user's todos are always a permutation of their ids, apart from UNPLACED.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, TypedDict, Unpack

from sqlalchemy import BigInteger, Row, Update, bindparam, case, cast, extract, func, select, tuple_, update

from app.accounts.service import lock_owner, owner_required
from app.extensions import db, read
from app.keyset import Cursor
from app.limits.quotas import Key, Quota, StoredBefore
from app.rejection import RowNotFound, existing
from app.soft_delete import purged_nightly
from app.sync import Feed
from app.todos.models import UNPLACED, Todo

UNDO_FOR = timedelta(days=1)  # how long a deleted todo can be restored
QUOTA = Quota(Todo, 20_000)
FARTHEST = 100  # places that a todo can be moved at once: two pages of the list

TodoRow = Row[*tuple[Any, ...]]  # the columns that the statement names


class TooFar(Exception):
    """There are more than FARTHEST todos from one place to the other."""


class Changes(TypedDict, total=False):
    """The fields of a partial update."""

    description: str
    due_on: date | None
    completed: bool


NOT_DELETED = Todo.deleted_at.is_(None)

_CREATE = QUOTA.insert("description", "due_on").returning(Todo.id)
# `completed_at` means nothing while a todo is open, and before revision 0063 none says when it changed.
_COMPLETED_SINCE = case((Todo.completed, Todo.completed_at))
WHOLE = (
    *(Todo.id, Todo.description, Todo.due_on, Todo.completed, Todo.position, Todo.version, Todo.created_at),
    func.coalesce(Todo.changed_at, _COMPLETED_SINCE, Todo.created_at).label("updated_at"),
    *(_COMPLETED_SINCE.label("completed_at"), Todo.deleted_at),
)
_ONE_OR_DELETED = select(*WHOLE).where(Todo.user_id == bindparam("owner"), Todo.id == bindparam("todo_id"))
_ONE = _ONE_OR_DELETED.where(NOT_DELETED)
# A todo that is completed again, in a second window, keeps its first time.
_COMPLETED_AT = case((Todo.completed, Todo.completed_at), else_=func.now())
# The same for all rows of a statement and different for the next one: it identifies what was cleared together.
_THIS_MOMENT = select(func.clock_timestamp()).scalar_subquery()
_MICROSECOND = cast(extract("epoch", Todo.deleted_at) * 1_000_000, BigInteger).label("microsecond")
CAN_BE_RESTORED = Todo.deleted_at > func.now() - UNDO_FOR
FEED = Feed(Todo, WHOLE, NOT_DELETED | CAN_BE_RESTORED)

_PLACES = select(Todo.id, Todo.position).where(Todo.user_id == bindparam("owner"), NOT_DELETED)
_POSITION = _PLACES.where(Todo.id == bindparam("todo_id")).with_only_columns(Todo.position).correlate(None)
_KEY, _MOVED_KEY = tuple_(Todo.position, Todo.id), tuple_(_POSITION.scalar_subquery(), bindparam("todo_id"))
_ABOVE = _PLACES.where(_KEY > _MOVED_KEY).order_by(Todo.position, Todo.id).limit(1)
_BELOW = _PLACES.where(_KEY < _MOVED_KEY).order_by(Todo.position.desc(), Todo.id.desc()).limit(1)


def create_todo(user_id: int, description: str, due_on: date | None = None, key: Key | None = None) -> int:
    """Store an open todo on top of the list and return its id.

    If a todo has this idempotency key already, nothing is stored, and the id is that todo's.

    Raises: AccountGone, QuotaReached, DeletedSince: nothing was stored.
    """
    try:
        with owner_required():
            todo_id: int = QUOTA.store(_CREATE, user_id, key, description=description, due_on=due_on).id
    except StoredBefore as before:
        return before.row_id
    db.session.execute(update(Todo).where(Todo.id == todo_id).values(position=todo_id))
    db.session.commit()
    return todo_id


def get_todo(user_id: int, todo_id: int, *, or_deleted: bool = False) -> TodoRow:
    """Return a todo, and on demand also a deleted one that is not purged yet. Raises: RowNotFound."""
    statement = _ONE_OR_DELETED if or_deleted else _ONE
    return existing(read(statement, {"owner": user_id, "todo_id": todo_id}).one_or_none())


def change_todo(user_id: int, todo_id: int, **changes: Unpack[Changes]) -> str:
    """Change the given fields alone (partial update), so a new text and a tick from two windows are both kept.

    Return the description. Raises: RowNotFound.
    """
    values: dict[str, Any] = {**changes}
    if "completed" in changes:
        values["completed_at"] = _COMPLETED_AT if changes["completed"] else None
    return _apply(_own(user_id, todo_id).where(NOT_DELETED).values(values))


def move_todo(user_id: int, todo_id: int, *, up: bool, completed: bool | None = None) -> int | None:
    """Swap a todo with its neighbour; at the end of the list nothing happens. The rest is as in `place_todo`."""
    lock_owner(user_id)  # two moves at once could use one position twice
    neighbours = _ABOVE if up else _BELOW
    if completed is not None:
        neighbours = neighbours.where(Todo.completed == completed)
    neighbour = db.session.scalar(neighbours, {"owner": user_id, "todo_id": todo_id})
    return place_todo(user_id, todo_id, neighbour or todo_id, completed=completed)


def place_todo(user_id: int, todo_id: int, onto: int, *, completed: bool | None = None) -> int | None:
    """Move a todo to the place of another; it and those between them move by one place. At most FARTHEST rows change.

    Those between have to be `completed`, or open, as in the list on the screen; None takes any. Return the lowest id of
    the UNPLACED todos that this gave a position, or None; see `cursor_after_move`.

    Raises: RowNotFound, TooFar: nothing was changed.
    """
    lock_owner(user_id)
    pair = db.session.execute(_PLACES.where(Todo.id.in_([todo_id, onto])), {"owner": user_id}).all()
    if len(pair) != len({todo_id, onto}):
        db.session.rollback()
        raise RowNotFound
    if todo_id == onto:
        db.session.rollback()
        return None
    lowest = _give_positions(user_id, pair)
    positions = sorted(row.position or row.id for row in pair)
    between = _PLACES.where(Todo.position.between(*positions)).order_by(Todo.position).limit(FARTHEST + 1)
    if completed is not None:
        between = between.where((Todo.completed == completed) | Todo.id.in_([todo_id, onto]))
    rows = db.session.execute(between, {"owner": user_id}).all()
    if len(rows) > FARTHEST:
        db.session.rollback()
        raise TooFar
    others = [row.id for row in rows if row.id != todo_id]
    placed = [*others, todo_id] if rows[-1].id == onto else [todo_id, *others]
    moved = dict(zip(placed, (row.position for row in rows), strict=True))
    move = update(Todo).where(Todo.user_id == user_id, Todo.id.in_(moved)).values(position=case(moved, value=Todo.id))
    db.session.execute(move)
    db.session.commit()
    return lowest


def cursor_after_move(cursor: Cursor, lowest: int | None) -> Cursor:
    """Return the same position in the list after `move_todo` gave the todos from id `lowest` on their positions."""
    position, todo_id = cursor.key
    if position == UNPLACED and lowest is not None and todo_id >= lowest:
        return Cursor((todo_id, todo_id))
    return cursor


def _give_positions(user_id: int, rows: Sequence[TodoRow]) -> int | None:
    """Place all UNPLACED todos from those of the rows on, or those above would fall below. Return the lowest id."""
    lowest = min((row.id for row in rows if row.position == UNPLACED), default=None)
    if lowest is not None:
        above = update(Todo).where(Todo.user_id == user_id, Todo.position == UNPLACED, Todo.id >= lowest)
        db.session.execute(above.values(position=Todo.id))
    return lowest


def delete_todo(user_id: int, todo_id: int) -> str:
    """Delete a todo (soft delete) and return its description. Raises: RowNotFound."""
    return _apply(_own(user_id, todo_id).where(NOT_DELETED).values(deleted_at=_THIS_MOMENT))


def restore_todo(user_id: int, todo_id: int) -> str:
    """Restore a deleted todo at its position and return its description. Does nothing to one that is not deleted.

    Raises: RowNotFound: also when it was deleted longer than UNDO_FOR ago.
    """
    return _apply(_own(user_id, todo_id).where(NOT_DELETED | CAN_BE_RESTORED).values(deleted_at=None))


def clear_completed(user_id: int) -> tuple[int, int]:
    """Delete all done todos, as delete_todo() does. Return the moment for `restore_cleared`, and how many they were."""
    lock_owner(user_id)
    clear = update(Todo).where(Todo.user_id == user_id, Todo.completed, NOT_DELETED).values(deleted_at=_THIS_MOMENT)
    moments = db.session.scalars(clear.returning(_MICROSECOND)).all()
    db.session.commit()
    return max(moments, default=0), len(moments)


def restore_cleared(user_id: int, moment: int) -> None:
    """Restore the todos that `clear_completed` deleted at that moment. Raises: RowNotFound: none of them is left."""
    lock_owner(user_id)
    cleared = update(Todo).where(Todo.user_id == user_id, CAN_BE_RESTORED, _MICROSECOND.in_([moment]))
    restored = db.session.scalars(cleared.values(deleted_at=None).returning(Todo.id)).all()
    db.session.commit()
    if not restored:
        raise RowNotFound


purge_deleted_todos = purged_nightly("todos.purge_deleted", (Todo, Todo.deleted_at <= func.now() - UNDO_FOR))


def _own(user_id: int, todo_id: int) -> Update:
    return update(Todo).where(Todo.user_id == user_id, Todo.id == todo_id)


def _apply(change: Update) -> str:
    """Run an update of one todo and return its description. Raises: RowNotFound."""
    description: str | None = db.session.scalar(change.returning(Todo.description))
    db.session.commit()
    return existing(description)
