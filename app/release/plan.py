"""`flask release plan`: the SQL of the next `flask db upgrade`, with the lock that each statement takes."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from alembic.script import Script
from sqlalchemy import Connection, MetaData, text

from app.release.connection import execute_verbatim
from app.release.sql.grammar import created_table, unqualified_name
from app.release.sql.locks import Lock, locks
from app.release.sql.render import Statement, render

# For an index, the size of its table. to_regclass follows the search path, and is NULL for what does not exist yet.
_SIZE = text(
    "SELECT pg_total_relation_size(c.oid) AS bytes, pg_size_pretty(pg_total_relation_size(c.oid)) AS pretty,"
    " c.reltuples::bigint AS rows, c.relname"
    " FROM pg_class c WHERE c.oid = coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass(:name)),"
    " to_regclass(:name))"
)

# A block of PL/pgSQL. Ours write rows, a batch at a time, or lock what a statement beside them names.
_BLOCK = re.compile(r"DO ", re.IGNORECASE)

# What in_schema() sends: which table a name means behind it depends on that.
_SEARCH_PATH = re.compile(r"SELECT set_config ?\(|RESET search_path", re.IGNORECASE)


class LockedTable(NamedTuple):
    lock: str
    table: str | None  # None: the text does not say which one
    size: str  # "new" when it does not exist yet
    bytes: int
    rows: int | None  # the server's estimate; None: never analyzed


class PlannedStatement(NamedTuple):
    sql: str
    transaction: int | None  # number of the transaction within the revision; None: it commits by itself
    locks: list[LockedTable]


class RevisionPlan(NamedTuple):
    revision: str
    title: str
    phase: str | None
    steps: list[PlannedStatement]
    unreadable: str | None  # why the SQL, or the rest of it, cannot be shown


def plan(connection: Connection, pending: Iterable[Script], metadata: MetaData | None = None) -> list[RevisionPlan]:
    """The plan of each pending revision, in order. Reads table sizes; takes no lock beyond ACCESS SHARE.

    Args:
        metadata: whose naming convention names constraints that a revision does not name.
    """
    return [_revision(connection, script, metadata) for script in pending]


def _revision(connection: Connection, script: Script, metadata: MetaData | None) -> RevisionPlan:
    rendered = render(script, metadata)
    return RevisionPlan(
        revision=script.revision,
        title=script.doc,
        phase=getattr(script.module, "phase", None),
        steps=list(_statements(connection, rendered.statements)),
        unreadable=rendered.unreadable,
    )


def _statements(connection: Connection, statements: list[Statement]) -> Iterator[PlannedStatement]:
    for statement in statements:
        if statement.by_operation and _SEARCH_PATH.match(statement.normalized):
            execute_verbatim(connection, statement.sql)
        created = created_table(statement.normalized)
        is_block = statement.by_operation and _BLOCK.match(statement.normalized)
        found = [] if is_block else locks(statement.normalized)
        taken = [*([Lock("none", created)] if created else []), *found]
        tables = [_with_table_size(connection, lock) for lock in taken]
        yield PlannedStatement(statement.sql, statement.transaction, tables)


def _with_table_size(connection: Connection, lock: Lock) -> LockedTable:
    if lock.relation is None:
        return LockedTable(lock.mode, None, "unknown", 0, None)
    row = connection.execute(_SIZE, {"name": lock.relation}).one_or_none()
    if row is None:
        return LockedTable(lock.mode, unqualified_name(lock.relation), "new", 0, None)
    return LockedTable(lock.mode, row.relname, row.pretty, row.bytes, row.rows if row.rows >= 0 else None)
