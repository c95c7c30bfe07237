"""Export todos, and import them."""

from collections.abc import Iterable, Iterator
from functools import partial

from sqlalchemy import bindparam, select, update

from app.extensions import db
from app.portability.contract import BulkImporter, InvalidItem, Item, ItemValidator
from app.todos.models import DESCRIPTION_LENGTH, EARLIEST, LATEST, UNPLACED, Todo
from app.todos.service import QUOTA

NAME = "todos"
LONGEST_ITEM = 8 * 1024
FIELDS = ("description", "completed", "due_on", "created_at", "completed_at")
BATCH = 500

_OWN = (Todo.user_id == bindparam("owner"), Todo.deleted_at.is_(None))
_ALL = select(*(Todo.__table__.c[name] for name in FIELDS)).where(*_OWN).order_by(Todo.position, Todo.id)
# A deleted one is not shown anywhere, so it is imported again.
_IMPORTER = BulkImporter(
    Todo, FIELDS, same=("created_at", "description"), batch=BATCH, quota=QUOTA, counts=Todo.deleted_at.is_(None)
)
# On top, like each new todo: see order.py.
_PLACE = update(Todo).where(Todo.user_id == bindparam("owner"), Todo.position == UNPLACED).values(position=Todo.id)


def dump(user_id: int) -> Iterator[Item]:
    """Yield the one that stands lowest first. None says its place: what is stored later stands higher."""
    rows = db.session.execute(_ALL, {"owner": user_id}, execution_options={"yield_per": BATCH})
    return (dict(row) for row in rows.mappings())


def load(user_id: int, items: Iterable[object]) -> int:
    new = _IMPORTER.store(user_id, map(_row, items))
    db.session.execute(_PLACE, {"owner": user_id})
    return new


def _row(item: object) -> Item:
    todo = ItemValidator(item, FIELDS)
    description = todo.line("description", DESCRIPTION_LENGTH)
    if not description:
        raise InvalidItem("description")
    return {
        "description": description,
        "completed": todo.flag("completed"),
        "due_on": todo.optional(partial(todo.day, earliest=EARLIEST, latest=LATEST), "due_on"),
        "created_at": todo.moment("created_at"),
        "completed_at": todo.optional(todo.moment, "completed_at"),
    }
