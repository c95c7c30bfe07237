"""The nightly job of notes: purge the trash."""

from app.jobs import NIGHTLY, queue, retrying
from app.notes import service


@queue.periodic(cron=NIGHTLY)
@queue.task(
    name="notes.purge_deleted",
    aliases=["notes.remove_forgotten"],  # jobs that the release before deferred
    queueing_lock="notes.purge_deleted",
    retry=retrying(3),
)
def purge_deleted(timestamp: int) -> None:
    service.purge_deleted_notes()
