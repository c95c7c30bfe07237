"""Options: what a project tells this library, once, in init_app(). The library imports nothing of the project."""

from collections.abc import Callable
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import Connection, MetaData, Row

from online_migrations.errors import ReleaseError


class Options(NamedTuple):
    """The first three have no default, because nobody but the project knows them.

    Args:
        metadata: the models' MetaData.
        url: of the database, past any connection pooler: session locks and SET need a backend of their own. Whatever
            driver it names, this library connects through psycopg2.
        name: the project's, such as "shop". It stands in application_name ("shop-migrations"), and the key of the
            advisory lock is made of it. Never change it: two releases with two names would migrate at once.
        url_variable: the environment variable that `url` comes from. A message names it when the URL has to change.
        unreachable_advice: a sentence for the case that no database answers, such as how to start one.
        unmapped_prefixes: what the names of tables begin with that have no model, such as those of a job queue. They
            are not compared to the models.
        waiting_jobs: counts the jobs that wait in a queue, for `flask release status`; its answer is None while there
            is no queue yet. None: the project has no queue.
        failed_jobs: counts the jobs of that queue that have failed, for the same command: `failed`, those that wait for
            another attempt: `retried`, and `newest`, which is the last of both and why, in a sentence; None while that
            is not known. None: the project has no queue.
        defer_backfill: adds a job to the transaction of the connection, which calls backfills.batches.run_batch() with
            the name and turn that are given, after so many seconds, and commits. backfill_later() needs it.
        baseline: the newest revision from before the project took this library over. `flask release lint` excuses it
            and all that it follows.
    """

    metadata: MetaData
    url: str
    name: str
    url_variable: str = "DATABASE_URL"
    unreachable_advice: str = ""
    unmapped_prefixes: tuple[str, ...] = ()
    waiting_jobs: Callable[[Connection], Row[Any] | None] | None = None
    failed_jobs: Callable[[Connection], Row[Any] | None] | None = None
    defer_backfill: Callable[[Connection, str, int, float], None] | None = None
    baseline: str | None = None


def is_of_a_tool(table: str) -> bool:
    """Whether the table, named without its schema, is one of those that have no model: a job queue's, for example."""
    return table.startswith(current().unmapped_prefixes)


def current() -> Options:
    """The options of the application in whose context this runs.

    Raises:
        ReleaseError: init_app() was not called for it.
    """
    try:
        found: Options = current_app.extensions["release"]
    except KeyError:
        raise ReleaseError("This application was not set up: call release.init_app(app, Options(…)).") from None
    return found
