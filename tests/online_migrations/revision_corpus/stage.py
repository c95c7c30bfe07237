"""The database of the corpus: the service's own at head, with many rows, and things that a service may have besides."""

from contextlib import suppress
from pathlib import Path

from sqlalchemy import Column, Engine, FetchedValue, Index, MetaData, Table, func, inspect, text
from sqlalchemy.exc import IntegrityError

from online_migrations.state import live, tables
from tests.databases import Environment
from tests.online_migrations.migrating import connected

SCRIPT = Path(__file__).with_suffix(".sql")

# Tables that the live release does not map: any more, by this name, as a part, or since they are a tool's.
UNMAPPED_TABLES = {
    *("drafts", "leftovers", "page_views", "guests", "logged_more", "visits_2026", "happened"),
    *("alembic_version", "schema_ledger", "schema_releases"),
}
TOOLS_PREFIX = "procrastinate_"
UNMAPPED_COLUMNS = ("colour", "size", "plan_id", "other_plan_id")  # of notes and of surveys
FILLED = ("due_on", "remark")  # of todos: its models say NOT NULL, and the database does not yet
LEFT_TO_DEFAULT = ("room", "state")  # of bookings

# Fails, since one user has many todos, and leaves an INVALID index.
INVALID_INDEX = "CREATE UNIQUE INDEX CONCURRENTLY ix_todos_completed_at ON todos (user_id)"


def build(environment: Environment) -> None:
    """Build it on a database at head with rows in every table."""
    with connected(environment) as database:
        database.execute(SCRIPT.read_text())
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            with suppress(IntegrityError):
                connection.execute(text(INVALID_INDEX))
            connection.execute(text("ANALYZE"))
        with database.migrating.connect() as connection:
            tables.prepare(connection)
            live.record_live(connection, live_models(database.engine), "0024")


def live_models(engine: Engine) -> MetaData:
    """Return the models of the release that serves the database."""
    metadata, inspector = MetaData(), inspect(engine)
    for schema in (None, "archive"):
        names = {*inspector.get_table_names(schema), *inspector.get_view_names(schema)} - UNMAPPED_TABLES
        for name in (name for name in names if not name.startswith(TOOLS_PREFIX)):
            mapped = (
                Column(
                    column["name"],
                    column["type"],
                    nullable=column["nullable"] and column["name"] not in FILLED,
                    server_default=FetchedValue() if column["name"] in LEFT_TO_DEFAULT else None,
                )
                for column in inspector.get_columns(name, schema)
                if column["name"] not in UNMAPPED_COLUMNS
            )
            Table(name, metadata, *mapped, schema=schema)
    bookings = metadata.tables["bookings"].c
    Index(None, bookings.code, unique=True)
    Index("ix_bookings_room", bookings.room, bookings.id, unique=True)
    Index("ix_bookings_state", bookings.state, bookings.id, unique=True)
    Index("ix_bookings_lower", bookings.id, func.lower(bookings.code), unique=True)
    return metadata
