"""Running operations as a migration does, on a database of the test's own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import StringIO
from threading import Event
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from flask_migrate import Migrate
from sqlalchemy import Engine, MetaData, create_engine, event, text

import online_migrations as library
from app import release_options
from app.database import engine
from app.extensions import db
from config import TestingConfig
from online_migrations.connection import direct_engine
from online_migrations.locks import Deadline, lock_key
from online_migrations.sql import OFFLINE_OPTIONS
from online_migrations.state import live
from tests.databases import Environment
from tests.online_migrations import dumps

LOCK_KEY = lock_key("semicircle")


class Database:
    """Work with a database, by the engine of anybody or that of a release, which has its limits.

    Each call is a transaction of its own, on a connection of its own.
    """

    def __init__(self, engine: Engine, migrating: Engine) -> None:
        self.engine = engine
        self.migrating = migrating

    @property
    def url(self) -> str:
        return self.engine.url.render_as_string(hide_password=False)

    @property
    def version(self) -> int:
        return int(self.scalar("SHOW server_version_num"))

    @property
    def is_superuser(self) -> bool:
        return bool(self.scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))

    def goes_live(self, metadata: MetaData, head: str, age: float = 0) -> None:
        """Note that code with these models serves the database, as its processes do. Each revision is then judged."""
        with self.engine.connect() as connection:
            live.record_live(connection, metadata, head, age)

    def schema(self) -> dumps.Fingerprint:
        return dumps.found(self.engine, dumps.CATALOG)

    def definitions(self) -> dumps.Fingerprint:
        """Return the schema without files and places, which other ways to the same schema leave different."""
        return dumps.found(self.engine, dumps.DEFINITIONS)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Require that the block leaves the schema as it is."""
        before = self.schema()
        yield
        assert self.schema() == before

    def execute(self, sql: str, **parameters: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(sql), parameters)

    def scalar(self, sql: str, **parameters: Any) -> Any:
        with self.engine.begin() as connection:
            return connection.scalar(text(sql), parameters)

    def migrate(self, upgrade: Callable[[], object], seconds: float = 60) -> None:
        """Run what would be a revision's upgrade(), with a deadline, in a transaction as the runner begins it."""
        options = {"deadline": Deadline(seconds), "transaction_per_migration": True}
        with self.migrating.connect() as connection:
            connection.execute(text(f"SET statement_timeout = {int(seconds * 1000)}"))
            connection.commit()
            migration = MigrationContext.configure(connection, opts=options)
            with Operations.context(migration), migration.begin_transaction(_per_migration=True):
                upgrade()

    @contextmanager
    def holding(self, sql: str) -> Iterator[None]:
        """Keep another session's transaction open, which has run `sql`."""
        with self.engine.connect() as connection:
            connection.execute(text(sql))
            yield
            connection.rollback()


@contextmanager
def connected(environment: Environment) -> Iterator[Database]:
    """Yield the database of an environment, in the context of an application without pages."""
    app = Flask("app")
    app.config.from_object(TestingConfig(environment))
    db.init_app(app)
    engine.init_app(app)
    Migrate(app, db)
    library.init_app(app, release_options(app))
    with app.app_context():
        migrating, other = direct_engine(), create_engine(app.config["MIGRATION_DATABASE_URI"])
        yield Database(other, migrating)


@contextmanager
def sent_statements() -> Iterator[list[str]]:
    """Yield the statements that this process sends to any database in the block."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def traffic(writers: int, write: Callable[[int, int], object], least: int = 10, pause: float = 0.0) -> Iterator[None]:
    """Call write(writer, turn) again and again in a thread each, while the block runs. No call may fail."""
    is_over = Event()

    def serve(writer: int) -> int:
        turn = 0
        while not is_over.wait(pause):
            write(writer, turn)
            turn += 1
        return turn

    with ThreadPoolExecutor(writers) as threads:
        serving = [threads.submit(serve, writer) for writer in range(writers)]
        try:
            yield
        finally:
            is_over.set()
        assert min(served.result() for served in serving) >= least


def printed(upgrade: Callable[[], object]) -> str:
    """Return what --sql prints for it; no database is asked."""
    output = StringIO()
    options = {"as_sql": True, "output_buffer": output, "literal_binds": True}
    dialect = OFFLINE_OPTIONS["dialect_opts"]
    migration = MigrationContext.configure(dialect_name="postgresql", dialect_opts=dialect, opts=options)
    with Operations.context(migration), migration.begin_transaction():
        upgrade()
    return output.getvalue()


def release(runner: FlaskCliRunner, *arguments: str) -> Result:
    """Run `flask release …`."""
    return runner.invoke(args=["release", *arguments])
