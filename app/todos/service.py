"""Writing, completing, changing and deleting todos, one use case a function; somebody else's is not there.

The list is in listing.py, its order in order.py.
"""

from datetime import date, timedelta
from typing import Any, TypedDict, Unpack

from sqlalchemy import BigInteger, Row, Update, bindparam, case, cast, extract, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts.errors import owner_is_gone
from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db
from app.soft_delete import can_be_restored, has_expired, purge
from app.todos.models import Todo

UNDO_FOR = timedelta(days=1)  # how long a deleted todo can be restored

TodoRow = Row[*tuple[Any, ...]]  # the columns that the statement names


class TodoNotFound(Exception):
    """No such todo, or somebody else's, or deleted."""


class Changes(TypedDict, total=False):
    """What of a todo is to change."""

    description: str
    due_on: date | None
    completed: bool


NOT_DELETED = Todo.deleted_at.is_(None)

# Whatever touches more than one todo of a person begins with this, so that no two of them wait for each other in a
# circle. It is not in the way of new todos, whose foreign key asks for less.
LOCK_OWNER = select(User.id).where(User.id == bindparam("owner")).with_for_update(key_share=True)

_ONE = select(Todo.id, Todo.description, Todo.due_on, Todo.completed, Todo.completed_at).where(
    Todo.user_id == bindparam("owner"), Todo.id == bindparam("todo_id"), NOT_DELETED
)
# Completed twice, in two windows say, it stays completed since the first time.
_COMPLETED_AT = case((Todo.completed, Todo.completed_at), else_=func.now())
# One moment for all rows of a statement, and another for the next, by which what was cleared together is known.
_THIS_MOMENT = select(func.clock_timestamp()).scalar_subquery()
_MICROSECOND = cast(extract("epoch", Todo.deleted_at) * 1_000_000, BigInteger).label("microsecond")
_CAN_BE_RESTORED = can_be_restored(Todo.deleted_at, UNDO_FOR)


def create_todo(user_id: int, description: str, due_on: date | None = None) -> int:
    """Store an open todo on top of the list and return its id. Raises: AccountGone."""
    new_todo = insert(Todo).values(user_id=user_id, description=description, due_on=due_on).returning(Todo.id)
    try:
        todo_id = db.session.execute(new_todo).scalar_one()
    except IntegrityError as error:
        db.session.rollback()
        if owner_is_gone(error):
            raise AccountGone from error
        raise
    db.session.execute(update(Todo).where(Todo.id == todo_id).values(position=todo_id))
    db.session.commit()
    return todo_id


def get_todo(user_id: int, todo_id: int) -> TodoRow:
    """Raises: TodoNotFound."""
    todo = db.session.execute(_ONE, {"owner": user_id, "todo_id": todo_id}).one_or_none()
    if todo is None:
        raise TodoNotFound
    return todo


def change_todo(user_id: int, todo_id: int, **changes: Unpack[Changes]) -> None:
    """Change what is given and nothing else, so that a new text and a tick from two windows both stay.

    Raises:
        TodoNotFound
    """
    values: dict[str, Any] = {**changes}
    if "completed" in changes:
        values["completed_at"] = _COMPLETED_AT if changes["completed"] else None
    _apply(_own(user_id, todo_id).where(NOT_DELETED).values(values))


def delete_todo(user_id: int, todo_id: int) -> str:
    """Delete a todo, which can be taken back for UNDO_FOR; its description. Raises: TodoNotFound."""
    return _apply(_own(user_id, todo_id).where(NOT_DELETED).values(deleted_at=_THIS_MOMENT))


def restore_todo(user_id: int, todo_id: int) -> str:
    """Take a deleted todo back to its place; its description. Of one that is there, nothing changes.

    Raises:
        TodoNotFound: also once it was deleted for longer than UNDO_FOR.
    """
    return _apply(_own(user_id, todo_id).where(NOT_DELETED | _CAN_BE_RESTORED).values(deleted_at=None))


def clear_completed(user_id: int) -> int | None:
    """Delete all the user's done todos; by what `restore_cleared` knows them, or None if nothing was done."""
    db.session.execute(LOCK_OWNER, {"owner": user_id})
    clear = update(Todo).where(Todo.user_id == user_id, Todo.completed, NOT_DELETED).values(deleted_at=_THIS_MOMENT)
    moment = db.session.scalars(clear.returning(_MICROSECOND)).first()
    db.session.commit()
    return moment


def restore_cleared(user_id: int, moment: int) -> None:
    """Take back what was cleared at that moment, and nothing else.

    Raises:
        TodoNotFound: none of it is left.
    """
    db.session.execute(LOCK_OWNER, {"owner": user_id})
    cleared = update(Todo).where(Todo.user_id == user_id, _CAN_BE_RESTORED, _MICROSECOND.in_([moment]))
    restore = cleared.values(deleted_at=None).returning(Todo.id)
    restored = db.session.scalars(restore).all()
    db.session.commit()
    if not restored:
        raise TodoNotFound


def purge_deleted_todos() -> int:
    """Delete for good what anybody deleted longer than UNDO_FOR ago; how many todos."""
    return purge(Todo, has_expired(Todo.deleted_at, UNDO_FOR))


def _own(user_id: int, todo_id: int) -> Update:
    return update(Todo).where(Todo.user_id == user_id, Todo.id == todo_id)


def _apply(change: Update) -> str:
    """Run a change of one todo; its description. Raises: TodoNotFound."""
    description: str | None = db.session.scalar(change.returning(Todo.description))
    db.session.commit()
    if description is None:
        raise TodoNotFound
    return description
