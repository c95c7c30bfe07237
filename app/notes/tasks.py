"""Purge the trash, every night."""

from app.jobs.queue import nightly
from app.notes import service


@nightly("notes.purge_deleted", old_name="notes.remove_forgotten")
def purge_deleted(timestamp: int) -> None:
    service.purge_deleted_notes()
