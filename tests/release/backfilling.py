"""A backfill as a test begins it, and the worker's part, done in this process."""

from collections.abc import Callable

from flask import Flask, current_app
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from app.extensions import db
from app.release.backfills import records
from app.release.backfills.table import Backfill, prepare
from app.release.connection import execute_verbatim
from app.release.operations import backfill_later
from tests.queued import queued, run_queued
from tests.release.migrating import Database
from tests.release.operation_cases import TABLES

UNFILLED = "SELECT count(*) FROM things WHERE size IS NULL"
FILLED = "SELECT count(*) FROM things WHERE size = 1"
BATCH = 500  # rows of the first one
MOST_JOBS = 200  # of one backfill in these tests; a chain that has no end is noticed


def in_use(database: Database) -> Database:
    """An empty database but for the queue, what the runner prepares, and a table that has been in use."""
    with database.engine.begin() as connection:
        execute_verbatim(connection, SchemaManager.get_schema())
    with database.engine.connect() as connection:
        prepare(connection)
    database.execute(TABLES)
    database.execute("ANALYZE things")
    return database


def begin(things: Database, set_sql: str = "size = 1", where: str = "size IS NULL", pk: str = "id") -> None:
    """The migration of a release that fills things.size."""
    things.migrate(lambda: backfill_later("sizes", "things", set_sql, where, pk=pk))


def work_once() -> None:
    """Do the jobs that wait, as a worker would. The pauses of a schedule are not waited for."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    run_queued(app)


def work_until(condition: Callable[[], bool]) -> int:
    """Do jobs until it holds, however large the batches have become; how many rounds that took."""
    for rounds in range(MOST_JOBS):
        if condition():
            return rounds
        work_once()
    raise AssertionError("the chain of jobs does not get there")


def work_until_idle() -> int:
    return work_until(lambda: not jobs())


def jobs() -> list[tuple[str, int]]:
    """Name and turn of each batch that waits."""
    found = [(arguments["name"], arguments["turn"]) for task, arguments in queued() if task == "release.fill_batch"]
    db.session.commit()
    return found


def sizes(things: Database) -> Backfill:
    with things.engine.connect() as connection:
        found = records.read(connection, "sizes")
    assert found is not None
    return found


def lose_jobs() -> None:
    db.session.execute(text("DELETE FROM procrastinate_jobs"))
    db.session.commit()
