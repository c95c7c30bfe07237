"""Reorder todos: move one up or down by swapping its position with its neighbour's, or to the place of another one.

For that each of the two needs a position that no other todo of the user has. A new todo's position is its id, the
highest so far, so it stands on top. Todos that were created before positions existed have the position UNPLACED: they
stand below the others, the newest first, and get their id as position when a todo is first moved past them. So the
positions of a user's todos are always a permutation of their ids, apart from UNPLACED.
"""

from sqlalchemy import bindparam, case, select, tuple_, update

from app.extensions import db
from app.keyset import Cursor
from app.todos.models import UNPLACED, Todo
from app.todos.service import LOCK_OWNER, NOT_DELETED, TodoNotFound, TodoRow

FARTHEST = 100  # places: two pages of the list


class TooFar(Exception):
    """There are more than FARTHEST todos from one place to the other."""


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

    Returns: the lowest id of the UNPLACED todos that this gave a position, or None; see `cursor_after_move`.

    Raises: TodoNotFound.
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


def place_todo(user_id: int, todo_id: int, onto: int, *, completed: bool | None = None) -> int | None:
    """Move a todo to the place of another; it and those between them move by one place. At most FARTHEST rows change.

    Args and return value are those of `move_todo`, but:
        onto: the todo that stands there now.

    Raises: TodoNotFound, TooFar: nothing was changed.
    """
    db.session.execute(LOCK_OWNER, {"owner": user_id})
    pair = db.session.execute(_OWN.where(Todo.id.in_([todo_id, onto])), {"owner": user_id}).all()
    if len(pair) != len({todo_id, onto}):
        db.session.rollback()
        raise TodoNotFound
    if todo_id == onto:
        db.session.rollback()
        return None
    lowest = min((row.id for row in pair if row.position == UNPLACED), default=None)
    if lowest is not None:
        _give_positions(user_id, lowest)
    positions = sorted(row.position or row.id for row in pair)
    between = _OWN.where(Todo.position.between(*positions)).order_by(Todo.position).limit(FARTHEST + 1)
    if completed is not None:
        between = between.where((Todo.completed == completed) | Todo.id.in_([todo_id, onto]))
    rows = db.session.execute(between, {"owner": user_id}).all()
    if len(rows) > FARTHEST:
        db.session.rollback()
        raise TooFar
    others = [row.id for row in rows if row.id != todo_id]
    placed = [*others, todo_id] if rows[-1].id == onto else [todo_id, *others]
    _set_positions(user_id, dict(zip(placed, (row.position for row in rows), strict=True)))
    db.session.commit()
    return lowest


def cursor_after_move(cursor: Cursor, lowest: int | None) -> Cursor:
    """Return the same position in the list after `move_todo` gave the todos from id `lowest` on their positions."""
    position, todo_id = cursor.key
    if position == UNPLACED and lowest is not None and todo_id >= lowest:
        return Cursor((todo_id, todo_id))
    return cursor


def _swap(user_id: int, todo: TodoRow, neighbour: TodoRow) -> int | None:
    """Swap two positions, and return the lowest id that got its first position by this."""
    lowest = min((row.id for row in (todo, neighbour) if row.position == UNPLACED), default=None)
    if lowest is not None:
        _give_positions(user_id, lowest)
    _set_positions(user_id, {neighbour.id: todo.position or todo.id, todo.id: neighbour.position or neighbour.id})
    return lowest


def _give_positions(user_id: int, lowest: int) -> None:
    """Place the UNPLACED todos from this id on, or those above would fall below. Once in a todo's life."""
    above = update(Todo).where(Todo.user_id == user_id, Todo.position == UNPLACED, Todo.id >= lowest)
    db.session.execute(above.values(position=Todo.id))


def _set_positions(user_id: int, positions: dict[int, int]) -> None:
    rows = update(Todo).where(Todo.user_id == user_id, Todo.id.in_(positions))
    db.session.execute(rows.values(position=case(positions, value=Todo.id)))
