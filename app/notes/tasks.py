"""What the worker does for notes: at night it empties the trash of what has been there for thirty days."""

from app.jobs import NIGHTLY, queue, retrying
from app.notes import service


@queue.periodic(cron=NIGHTLY)
@queue.task(name="notes.remove_forgotten", queueing_lock="notes.remove_forgotten", retry=retrying(3))
def remove_forgotten(timestamp: int) -> None:
    while service.remove_forgotten_notes():
        pass
