"""The tables of this library in a project's database, and the one place that asks whether one of them is there.

They belong to the tool, like Alembic's own: no migration creates or drops them, and no model maps them. So each is on a
MetaData of its own. A database that an older version of this library migrated may lack some of them, or columns.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import CreateColumn, CreateTable

from online_migrations import options
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import DIALECT

# One row for each applied revision.
LEDGER = sa.Table(
    "schema_ledger",
    sa.MetaData(),
    sa.Column("revision", sa.String(32), primary_key=True),
    sa.Column("down_revisions", ARRAY(sa.Text), nullable=False),
    sa.Column("phase", sa.String(8), nullable=False),
    sa.Column("applied_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    sa.Column("content_hash", sa.String(64)),  # of the file that ran; NULL: an older version of this tool ran it
    sa.Column("renumbered_from", sa.String(32)),  # the number that the file had when it ran here
    sa.Column("cost", JSONB),  # time and attempts, by the guard; NULL: no release was there to be kept waiting
    sa.Column("verified", sa.String(64)),  # see fingerprint() of the runner; NULL: nobody has compared the models since
)

# One row for each release that has served.
RELEASES = sa.Table(
    "schema_releases",
    sa.MetaData(),
    sa.Column("mapping_hash", sa.String(64), primary_key=True),
    sa.Column("code_head", sa.Text, primary_key=True),  # several, with commas, where branches were not merged
    sa.Column("mapping", JSONB, nullable=False),  # MappedTables of live.py
    sa.Column("rules", JSONB, nullable=False),  # table: definitions, when the release first went live
    # When its newest process began.
    sa.Column("live_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    # table: what its models declare as unique; NULL: an older version of this tool noted the release.
    sa.Column("unique_columns", JSONB),
)

# One row for each long backfill, with how far it is.
BACKFILLS = sa.Table(
    "schema_backfills",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("set_sql", sa.Text, nullable=False),
    sa.Column("where_sql", sa.Text, nullable=False),
    sa.Column("pk", sa.Text, nullable=False),
    # In which its SQL was written, as in_schema() may have set it; the worker takes it over.
    sa.Column("search_path", sa.Text, nullable=False, server_default=sa.text("current_setting('search_path')")),
    sa.Column("state", sa.String(8), nullable=False),
    # A fencing token. A job does the turn that it was deferred for, and only once, because the batch moves the turn on.
    # So a job that was deferred twice, or that a dead worker left, finds that it is late.
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="1"),
    sa.Column("pass_number", sa.Integer, nullable=False, server_default="1"),
    sa.Column("pass_scanned", sa.BigInteger, nullable=False, server_default="0"),  # rows
    sa.Column("pass_wanted", sa.BigInteger, nullable=False, server_default="0"),  # rows that met the condition
    sa.Column("position", sa.Text),  # key of the last row that this pass has scanned; NULL: it begins
    sa.Column("rows_done", sa.BigInteger, nullable=False, server_default="0"),  # filled, in all passes
    sa.Column("estimated_rows", sa.BigInteger, nullable=False),  # the server's estimate of the table's
    sa.Column("rows_per_second", sa.Double),  # scanned, a moving average
    sa.Column("batch_size", sa.Integer, nullable=False),  # rows
    sa.Column("waiting_for", sa.Text),  # why it makes no progress just now, though it is running
    sa.Column("error", sa.Text),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
)

ALL = (LEDGER, RELEASES, BACKFILLS)
TOOL_TABLES = (*(table.name for table in ALL), "alembic_version")

_COLUMNS = sa.text(
    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
)


def is_of_a_tool(table: str) -> bool:
    """Tell whether the table, named without its schema, has no model: a job queue's, Alembic's, or one of these."""
    return table in TOOL_TABLES or table.startswith(options.current().unmapped_prefixes)


def exists(connection: sa.Connection, table: sa.Table) -> bool:
    return bool(_columns(connection, table))


def prepare(connection: sa.Connection) -> None:
    """Create the tables, or add the columns that an older version of this tool did not have. Commits."""
    for table in ALL:
        there = _columns(connection, table)
        if not there:
            connection.execute(CreateTable(table, if_not_exists=True))
        for column in [one for one in table.columns if there and one.name not in there]:
            definition = str(CreateColumn(column).compile(dialect=DIALECT))
            execute_verbatim(connection, f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS {definition}")
    connection.commit()


def newer(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Return an expression of a column that the table of an older version of this tool may lack; None then."""
    arrow = "->>" if isinstance(column.type, sa.String) else "->"
    return sa.literal_column(f"to_jsonb({column.table}) {arrow} '{column.name}'", column.type).label(column.name)


def _columns(connection: sa.Connection, table: sa.Table) -> set[str]:
    return set(connection.scalars(_COLUMNS, {"table": table.name}))
