"""Moving a todo up or down.

Two neighbours exchange their positions; no other row changes its own. For that each needs one that nobody else has,
and a new todo gets its id, the highest yet, which puts it on top. What was written before that stands at UNPLACED,
newest first and below everything else, and gets its id when it is first moved past. Positions of a person's todos are
therefore always their ids in some order: none is ever missing, and none is used twice.
"""

from sqlalchemy import bindparam, case, select, update
from sqlalchemy import tuple_ as tuple_of

from app.extensions import db
from app.keyset import Cursor
from app.todos.models import UNPLACED, Todo
from app.todos.service import LOCK_OWNER, NOT_DELETED, TodoNotFound, TodoRow

_HERE = tuple_of(Todo.position, Todo.id)
_THERE = tuple_of(bindparam("position"), bindparam("todo_id"))
_OWN = select(Todo.id, Todo.position).where(Todo.user_id == bindparam("owner"), NOT_DELETED)
_ONE = _OWN.where(Todo.id == bindparam("todo_id"))
_ABOVE = _OWN.where(_HERE > _THERE).order_by(Todo.position, Todo.id).limit(1)
_BELOW = _OWN.where(_HERE < _THERE).order_by(Todo.position.desc(), Todo.id.desc()).limit(1)


def move_todo(user_id: int, todo_id: int, *, up: bool, completed: bool | None = None) -> int | None:
    """Let a todo exchange places with its neighbour; at the end of the list nothing happens.

    Args:
        completed: pass by the open ones, or the done ones, as the list does that is on the screen.

    Returns:
        The lowest id that got a position of its own by this, if any did; see `cursor_after_move`.

    Raises:
        TodoNotFound
    """
    db.session.execute(LOCK_OWNER, {"owner": user_id})  # two moves at once would exchange what the other just did
    todo = db.session.execute(_ONE, {"owner": user_id, "todo_id": todo_id}).one_or_none()
    if todo is None:
        db.session.rollback()
        raise TodoNotFound
    neighbours = _ABOVE if up else _BELOW
    if completed is not None:
        neighbours = neighbours.where(Todo.completed == completed)
    parameters = {"owner": user_id, "position": todo.position, "todo_id": todo.id}
    neighbour = db.session.execute(neighbours, parameters).one_or_none()
    lowest = _exchange(user_id, todo, neighbour) if neighbour else None
    db.session.commit()
    return lowest


def cursor_after_move(cursor: Cursor, lowest: int | None) -> Cursor:
    """The same position in the list after `move_todo` gave the todos from id `lowest` on their positions."""
    position, todo_id = cursor.key
    if position == UNPLACED and lowest is not None and todo_id >= lowest:
        return Cursor((todo_id, todo_id))
    return cursor


def _exchange(user_id: int, todo: TodoRow, neighbour: TodoRow) -> int | None:
    lowest = min((row.id for row in (todo, neighbour) if row.position == UNPLACED), default=None)
    if lowest is not None:
        # Also what stands above the two, which would fall below them otherwise; each todo once in its life.
        above = update(Todo).where(Todo.user_id == user_id, Todo.position == UNPLACED, Todo.id >= lowest)
        db.session.execute(above.values(position=Todo.id))
    places = {neighbour.id: todo.position or todo.id, todo.id: neighbour.position or neighbour.id}
    pair = update(Todo).where(Todo.user_id == user_id, Todo.id.in_(places))
    db.session.execute(pair.values(position=case(places, value=Todo.id)))
    return lowest
