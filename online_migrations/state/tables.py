"""The tables of this library in a project's database, and the one place that asks whether one of them is there.

They belong to the tool, like Alembic's own: no migration creates or drops them, and no model maps them. So each is on a
MetaData of its own. A database that an older version of this library migrated may lack some of them, or columns.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import CreateColumn, CreateTable

from online_migrations.connection import execute_verbatim
from online_migrations.sql import DIALECT

# One row for each applied revision.
LEDGER = Table(
    "schema_ledger",
    MetaData(),
    Column("revision", String(32), primary_key=True),
    Column("down_revisions", ARRAY(Text), nullable=False),
    Column("phase", String(8), nullable=False),
    Column("applied_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    Column("content_hash", String(64)),  # of the file that ran; NULL: an older version of this tool ran it
    Column("renumbered_from", String(32)),  # the number that the file had when it ran here
    Column("cost", JSONB),  # measured by the guard; NULL: no release was there to be kept waiting
    Column("verified", String(64)),  # see verification.py; NULL: nobody has compared schema and models since it ran
)

# One row for each release that has served.
RELEASES = Table(
    "schema_releases",
    MetaData(),
    Column("mapping_hash", String(64), primary_key=True),
    Column("code_head", Text, primary_key=True),
    Column("mapping", JSONB, nullable=False),
    Column("rules", JSONB, nullable=False),  # of the mapped tables, when the release first went live
    Column("live_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    # table: what its models declare as unique; NULL: an older version of this tool noted the release.
    Column("unique_columns", JSONB),
)

# One row for each long backfill, with how far it is.
BACKFILLS = Table(
    "schema_backfills",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("set_sql", Text, nullable=False),
    Column("where_sql", Text, nullable=False),
    Column("pk", Text, nullable=False),
    # In which its SQL was written, as in_schema() may have set it; the worker takes it over.
    Column("search_path", Text, nullable=False, server_default=text("current_setting('search_path')")),
    Column("state", String(8), nullable=False),
    # A fencing token. A job does the turn that it was deferred for, and only once, because the batch moves the turn on.
    # So a job that was deferred twice, or that a dead worker left, finds that it is late.
    Column("turn", BigInteger, nullable=False, server_default="1"),
    Column("pass_number", Integer, nullable=False, server_default="1"),
    Column("pass_scanned", BigInteger, nullable=False, server_default="0"),  # rows
    Column("pass_wanted", BigInteger, nullable=False, server_default="0"),  # rows that met the condition
    Column("position", Text),  # key of the last row that this pass has scanned; NULL: it begins
    Column("rows_done", BigInteger, nullable=False, server_default="0"),  # filled, in all passes
    Column("estimated_rows", BigInteger, nullable=False),  # the server's estimate of the table's
    Column("rows_per_second", Double),  # scanned, a moving average
    Column("batch_size", Integer, nullable=False),  # rows
    Column("waiting_for", Text),  # why it makes no progress just now, though it is running
    Column("error", Text),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
)

ALL = (LEDGER, RELEASES, BACKFILLS)
TOOL_TABLES = tuple(table.name for table in ALL)
VERSION_TABLE = "alembic_version"

_COLUMNS = text(
    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
)


def exists(connection: Connection, table: Table) -> bool:
    return bool(_columns(connection, table))


def prepare(connection: Connection) -> None:
    """Create the tables, or add the columns that an older version of this tool did not have. Commits."""
    for table in ALL:
        there = _columns(connection, table)
        if not there:
            connection.execute(CreateTable(table, if_not_exists=True))
        for column in table.columns if there else ():
            if column.name not in there:
                definition = str(CreateColumn(column).compile(dialect=DIALECT))
                execute_verbatim(connection, f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS {definition}")
    connection.commit()


def newer(column: Column[Any]) -> ColumnElement[Any]:
    """Return an expression of a column that the table of an older version of this tool may lack; None then."""
    arrow = "->>" if isinstance(column.type, String) else "->"
    return literal_column(f"to_jsonb({column.table}) {arrow} '{column.name}'", column.type)


def _columns(connection: Connection, table: Table) -> set[str]:
    return set(connection.scalars(_COLUMNS, {"table": table.name}))
