"""Export todos, and import them."""

from functools import partial

from flask_babel import ngettext
from sqlalchemy import bindparam, update

from app.portability.contract import EmptyItem, Item, PortableTable, day, exactly, line, moment, optional
from app.todos.models import DESCRIPTION_LENGTH, EARLIEST, LATEST, UNPLACED, Todo
from app.todos.service import CAN_BE_RESTORED, NOT_DELETED, QUOTA
from app.web.formats import number


def _complete(todo: Item) -> Item:
    if not todo["description"]:
        raise EmptyItem("description")
    return todo


TODOS = PortableTable(
    name="todos",
    came=lambda count: ngettext("%(count)s todo", "%(count)s todos", count, count=number(count)),
    model=Todo,
    longest_item=16 * 1024,
    also={"id": Todo.id, "position": Todo.position, "version": Todo.version, "changed_at": Todo.changed_at},
    fields={
        "description": partial(line, at_most=DESCRIPTION_LENGTH),
        "completed": partial(exactly, kind=bool),
        "due_on": partial(optional, read=partial(day, earliest=EARLIEST, latest=LATEST)),
        "created_at": moment,
        "completed_at": partial(optional, read=moment),
    },
    complete=_complete,
    exported=NOT_DELETED,
    order=("position", "id"),  # the lowest first. None says its place: what is stored later stands higher
    same=("created_at", "description"),
    quota=QUOTA,
    compared=NOT_DELETED,  # a deleted one is not shown anywhere, so it is imported again
    # On top, like each new todo: see service.py.
    then=update(Todo).where(Todo.user_id == bindparam("owner"), Todo.position == UNPLACED).values(position=Todo.id),
)

# No import reads them: they would come without their Undo.
DELETED = TODOS.rows(CAN_BE_RESTORED).add_columns(Todo.deleted_at)
