"""The nightly job of todos: purge what nobody restored for a day."""

from app.jobs import NIGHTLY, queue, retrying
from app.todos import service


@queue.periodic(cron=NIGHTLY)
@queue.task(
    name="todos.purge_deleted",
    aliases=["todos.remove_forgotten"],  # jobs that the release before deferred
    queueing_lock="todos.purge_deleted",
    retry=retrying(3),
)
def purge_deleted(timestamp: int) -> None:
    service.purge_deleted_todos()
