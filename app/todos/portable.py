"""Export todos, and import them."""

from functools import partial

from flask_babel import lazy_gettext as _
from sqlalchemy import bindparam, update

from app.portability.contract import InvalidItem, Item, ItemValidator, PortableTable
from app.todos.models import DESCRIPTION_LENGTH, EARLIEST, LATEST, UNPLACED, Todo
from app.todos.service import NOT_DELETED, QUOTA

FIELDS = ("description", "completed", "due_on", "created_at", "completed_at")


def _row(item: object) -> Item:
    todo = ItemValidator(item, FIELDS)
    description = todo.line("description", DESCRIPTION_LENGTH)
    if not description:
        raise InvalidItem("description")
    return {
        "description": description,
        "completed": todo.value("completed", bool),
        "due_on": todo.optional(partial(todo.day, earliest=EARLIEST, latest=LATEST), "due_on"),
        "created_at": todo.moment("created_at"),
        "completed_at": todo.optional(todo.moment, "completed_at"),
    }


TODOS = PortableTable(
    name="todos",
    came=_("todos %(count)s"),
    model=Todo,
    longest_item=8 * 1024,
    fields=FIELDS,
    exported=NOT_DELETED,
    order=("position", "id"),  # the lowest first. None says its place: what is stored later stands higher
    same=("created_at", "description"),
    row_of=_row,
    quota=QUOTA,
    compared=NOT_DELETED,  # a deleted one is not shown anywhere, so it is imported again
    # On top, like each new todo: see service.py.
    then=update(Todo).where(Todo.user_id == bindparam("owner"), Todo.position == UNPLACED).values(position=Todo.id),
)
