"""Soft delete: a deleted row stays with `deleted_at` set and can be restored, until a purge deletes it for good.

Each feature names the predicate `deleted_at IS NULL` NOT_DELETED and says for how long it keeps what is deleted.
"""

from procrastinate.tasks import Task
from sqlalchemy import ColumnElement, delete, select

from app.extensions import Base, db
from app.jobs.queue import nightly

BATCH = 500  # rows that one transaction of a purge deletes


def purge(model: type[Base], expired: ColumnElement[bool]) -> None:
    """Delete the rows that have expired, of all users, in batches that each commit.

    SKIP LOCKED passes over rows that another transaction holds, such as another purge or a restore, so that neither
    waits for the other. The next run takes them. An index should serve the condition.
    """
    table = Base.metadata.tables[model.__tablename__]
    # A CTE that locks rows runs once. As a sub-select it could run once for each row, and delete more than BATCH.
    batch = select(*table.primary_key).where(expired).limit(BATCH).with_for_update(skip_locked=True).cte("batch")
    is_of_batch = (column == batch.c[column.key] for column in table.primary_key)
    statement = delete(table).where(*is_of_batch).returning(*table.primary_key)
    while db.session.scalars(statement).all():
        db.session.commit()
    db.session.commit()


def purged_nightly(name: str, *expired: tuple[type[Base], ColumnElement[bool]]) -> Task[[int], None, [int]]:
    """Register a job that purges the expired rows of these models every night."""

    def purge_all(timestamp: int) -> None:
        for model, condition in expired:
            purge(model, condition)

    return nightly(name)(purge_all)
