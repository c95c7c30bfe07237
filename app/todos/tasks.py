"""Purge the todos that nobody restored for a day, every night."""

from app.jobs.queue import nightly
from app.todos import service


@nightly("todos.purge_deleted", old_name="todos.remove_forgotten")
def purge_deleted(timestamp: int) -> None:
    service.purge_deleted_todos()
