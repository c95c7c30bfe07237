"""Deferring the next batch: the project's job queue, as its options name it."""

from sqlalchemy import Connection

from app.release import options
from app.release.errors import ReleaseError


def defer_batch(connection: Connection, name: str, turn: int, delay: float) -> None:
    """Add the job of the next batch to the transaction, by the project's queue.

    Args:
        delay: seconds that it waits at least.

    Raises:
        ReleaseError: the project has no queue.
    """
    defer = options.current().defer_backfill
    if defer is None:
        raise ReleaseError(
            "A backfill that goes on after the release needs a job queue, and this project gave none to"
            " release.init_app(): set Options(defer_backfill=…), or use backfill(), which is done within the release."
        )
    defer(connection, name, turn, delay)
