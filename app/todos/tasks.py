"""Delete for good, every night, the todos that nobody restored for a day."""

from app.jobs.queue import nightly
from app.soft_delete import has_expired, purge
from app.todos.models import Todo
from app.todos.service import UNDO_FOR


@nightly("todos.purge_deleted", old_name="todos.remove_forgotten")
def purge_deleted(timestamp: int) -> None:
    purge(Todo, has_expired(Todo.deleted_at, UNDO_FOR))
