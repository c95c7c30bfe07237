"""A backfill as a test begins it, and the worker's part, done in this process."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from flask import Flask, current_app
from procrastinate.schema import SchemaManager

from app.extensions import db
from online_migrations.backfills.store import Backfill, read
from online_migrations.operations.backfill import backfill_later
from online_migrations.sessions import execute_verbatim
from online_migrations.state.tables import prepare
from tests.databases import Environment, copied_database, template
from tests.online_migrations.migrating import Database, connected
from tests.online_migrations.revision_corpus.cases import TABLES
from tests.queued import queued, run_queued

UNFILLED = "SELECT count(*) FROM things WHERE size IS NULL"
FILLED = "SELECT count(*) FROM things WHERE size = 1"
BATCH = 500  # rows of the first one
MOST_JOBS = 200  # of one backfill in these tests; a chain that has no end is noticed


def database_in_use(server_environment: Environment) -> AbstractContextManager[Environment]:
    """Return a database with the queue, what the runner prepares, and a table that has been in use."""
    return copied_database(server_environment, template(server_environment, "backfilling", _build))


def _build(environment: Environment) -> None:
    with connected(environment) as database:
        with database.engine.begin() as connection:
            execute_verbatim(connection, SchemaManager.get_schema())
        with database.engine.connect() as connection:
            prepare(connection)
        database.execute(TABLES)
        database.execute("ANALYZE things")


def begin(things: Database, set_sql: str = "size = 1", where: str = "size IS NULL", pk: str = "id") -> None:
    """Migrate as a release that fills things.size."""
    things.migrate(lambda: backfill_later("sizes", "things", set_sql, where, pk=pk))


def work_once() -> None:
    """Do the jobs that wait, as a worker would. The pauses of a schedule are not waited for."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    run_queued(app)


def work_until(condition: Callable[[], bool]) -> int:
    """Do jobs until it holds, however large the batches have become; return how many rounds that took."""
    for rounds in range(MOST_JOBS):
        if condition():
            return rounds
        work_once()
    raise AssertionError("the chain of jobs does not get there")


def work_until_idle() -> int:
    return work_until(lambda: not jobs())


def jobs() -> list[tuple[str, int]]:
    """Return the name and turn of each batch that waits."""
    found = [(arguments["name"], arguments["turn"]) for task, arguments in queued() if task == "release.fill_batch"]
    db.session.commit()
    return found


def sizes(things: Database) -> Backfill:
    with things.engine.connect() as connection:
        found = read(connection, "sizes")
    assert found is not None
    return found
