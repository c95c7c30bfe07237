"""What the worker does for todos: at night it deletes for good what nobody took back for a day."""

from app.jobs import NIGHTLY, queue, retrying
from app.todos import service


@queue.periodic(cron=NIGHTLY)
@queue.task(name="todos.remove_forgotten", queueing_lock="todos.remove_forgotten", retry=retrying(3))
def remove_forgotten(timestamp: int) -> None:
    while service.remove_forgotten_todos():
        pass
