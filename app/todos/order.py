"""Reorder todos: move one up or down by swapping its position with its neighbour's. No other row changes.

For a swap each of the two needs a position that no other todo of the user has. A new todo's position is its id, the
highest so far, so it stands on top. Todos that were created before positions existed have the position UNPLACED: they
stand below the others, the newest first, and get their id as position when a todo is first moved past them. So the
positions of a user's todos are always a permutation of their ids, apart from UNPLACED.
"""

from sqlalchemy import bindparam, case, select, tuple_, update

from app.extensions import db
from app.keyset import Cursor
from app.todos.models import UNPLACED, Todo
from app.todos.service import LOCK_OWNER, NOT_DELETED, TodoNotFound, TodoRow

_KEY = tuple_(Todo.position, Todo.id)
_MOVED_KEY = tuple_(bindparam("position"), bindparam("todo_id"))
_OWN = select(Todo.id, Todo.position).where(Todo.user_id == bindparam("owner"), NOT_DELETED)
_ONE = _OWN.where(Todo.id == bindparam("todo_id"))
_ABOVE = _OWN.where(_KEY > _MOVED_KEY).order_by(Todo.position, Todo.id).limit(1)
_BELOW = _OWN.where(_KEY < _MOVED_KEY).order_by(Todo.position.desc(), Todo.id.desc()).limit(1)


def move_todo(user_id: int, todo_id: int, *, up: bool, completed: bool | None = None) -> int | None:
    """Swap a todo with its neighbour; at the end of the list nothing happens.

    Args:
        completed: the neighbour has to be done, or open, as in the list on the screen; None takes any.

    Returns:
        The lowest id of the UNPLACED todos that this gave a position, or None; see `cursor_after_move`.

    Raises:
        TodoNotFound
    """
    db.session.execute(LOCK_OWNER, {"owner": user_id})  # two swaps at once could use one position twice
    todo = db.session.execute(_ONE, {"owner": user_id, "todo_id": todo_id}).one_or_none()
    if todo is None:
        db.session.rollback()
        raise TodoNotFound
    neighbours = _ABOVE if up else _BELOW
    if completed is not None:
        neighbours = neighbours.where(Todo.completed == completed)
    parameters = {"owner": user_id, "position": todo.position, "todo_id": todo.id}
    neighbour = db.session.execute(neighbours, parameters).one_or_none()
    lowest = _swap(user_id, todo, neighbour) if neighbour else None
    db.session.commit()
    return lowest


def cursor_after_move(cursor: Cursor, lowest: int | None) -> Cursor:
    """The same position in the list after `move_todo` gave the todos from id `lowest` on their positions."""
    position, todo_id = cursor.key
    if position == UNPLACED and lowest is not None and todo_id >= lowest:
        return Cursor((todo_id, todo_id))
    return cursor


def _swap(user_id: int, todo: TodoRow, neighbour: TodoRow) -> int | None:
    """Swap two positions; the lowest id that got its first position by this."""
    lowest = min((row.id for row in (todo, neighbour) if row.position == UNPLACED), default=None)
    if lowest is not None:
        # The UNPLACED todos above the two need positions as well, or they would fall below them. Once in a todo's life.
        above = update(Todo).where(Todo.user_id == user_id, Todo.position == UNPLACED, Todo.id >= lowest)
        db.session.execute(above.values(position=Todo.id))
    positions = {neighbour.id: todo.position or todo.id, todo.id: neighbour.position or neighbour.id}
    pair = update(Todo).where(Todo.user_id == user_id, Todo.id.in_(positions))
    db.session.execute(pair.values(position=case(positions, value=Todo.id)))
    return lowest
