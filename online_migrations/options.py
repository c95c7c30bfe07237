"""Options: what a project tells this library, once, in init_app(). The library imports nothing of the project."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import Connection, MetaData

from online_migrations.errors import ReleaseError


class Options(NamedTuple):
    """The first three have no default, because nobody but the project knows them.

    Args:
        metadata: the models' MetaData.
        url: of the database, past any connection pooler: session locks and SET need a backend of their own. Whatever
            driver it names, this library connects through psycopg2.
        name: the project's, such as "shop". It stands in application_name ("shop-migrations"), and the key of the
            advisory lock is made of it. Never change it: two releases with two names would migrate at once.
        url_variable: the environment variable that `url` comes from, which a message names when it has to change.
        unreachable_advice: a sentence for the case that no database answers, such as how to start one.
        unmapped_prefixes: of the names of tables that have no model, such as those of a job queue.
        status_lines: what `flask release status` tells besides, by titles, such as {"queue": "no job waits"}.
        faults: finds what is wrong with the rows, on the schema of any revision: a severity ("error" or "warning"), a
            name of the rule, a sentence, and the command to type. `flask release doctor` tells them; an upgrade with
            something to run logs a warning, and is refused by an error.
        defer_backfill: adds a job to the transaction of the connection, which calls backfills.run_batch() with the name
            and turn that are given, after so many seconds, and commits. backfill_later() needs it.
        baseline: the newest revision from before the project took this library over. `flask release lint` excuses it
            and all that it follows.
        base_schema: a file that pg_dump --schema-only --no-owner --no-acl has made of the schema at the baseline, or
            before the first revision. `flask release lint` begins with it, where create_all() made the first tables.
    """

    metadata: MetaData
    url: str
    name: str
    url_variable: str = "DATABASE_URL"
    unreachable_advice: str = ""
    unmapped_prefixes: tuple[str, ...] = ()
    status_lines: Callable[[Connection], dict[str, str]] | None = None
    faults: Callable[[Connection], Iterable[tuple[str, str, str, str]]] | None = None
    defer_backfill: Callable[[Connection, str, int, float], None] | None = None
    baseline: str | None = None
    base_schema: str | None = None


def current() -> Options:
    """Return the options of the application in whose context this runs. Refuse one without init_app()."""
    found: Options | None = current_app.extensions.get("release")
    if found is None:
        raise ReleaseError("This application was not set up: call online_migrations.init_app(app, Options(…)).")
    return found


def directory() -> Path:
    """Return the folder that Flask-Migrate was given; its default, where a process serves without Flask-Migrate."""
    return _resolved(current_app.extensions.get("migrate"))


@cache  # a process may change the directory that it runs in
def _resolved(migrate: Any) -> Path:
    return Path(migrate.directory if migrate else "migrations").resolve()
