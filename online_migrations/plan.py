"""`flask release plan`: the SQL of the next `flask db upgrade`, with the lock that each statement takes.

Lock modes: which lock a statement takes, on which table.

Source: PostgreSQL manual, "Explicit Locking" and the page of each command. The tests run each pattern and read
pg_locks, except for statements that cannot run in a transaction. An unknown statement counts as ACCESS EXCLUSIVE.

Render a revision to SQL in Alembic's offline mode, without a database: for the plan.
"""

import re
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from sqlalchemy import Connection, MetaData, text

from online_migrations.connection import execute_verbatim
from online_migrations.guard.watch import origin, refused
from online_migrations.sql import (
    NAME,
    TABLE,
    alterations,
    created_table,
    normalize,
    split_at_commas,
    split_statements,
    unqualified_name,
)

ACCESS_SHARE = "ACCESS SHARE"
ROW_SHARE = "ROW SHARE"
ROW_EXCLUSIVE = "ROW EXCLUSIVE"
SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
SHARE = "SHARE"
SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
EXCLUSIVE = "EXCLUSIVE"
ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

# From weak to strong. Under the first four, requests can read and write; under the next three, only read; under ACCESS
# EXCLUSIVE, neither.
MODES = (
    *(ACCESS_SHARE, ROW_SHARE, ROW_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE),
    *(SHARE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE, ACCESS_EXCLUSIVE),
)


class Lock(NamedTuple):
    mode: str
    relation: str | None  # as the statement writes it; an index stands for its table. None: the text does not say


class Pattern(NamedTuple):
    text: str  # a regular expression, matched at the start; its groups are relations, or lists of them
    mode: str | None  # None: no lock on a relation


# Actions of ALTER TABLE. The statement takes the strongest lock of its actions.
ACTIONS = (
    Pattern(r"VALIDATE CONSTRAINT", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"ADD (?:CONSTRAINT {NAME} )?FOREIGN KEY", SHARE_ROW_EXCLUSIVE),
    Pattern(r"(?:RE)?SET ?\(", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"ALTER (?:COLUMN )?{NAME} (?:SET STATISTICS|(?:RE)?SET ?\()", SHARE_UPDATE_EXCLUSIVE),
    Pattern(r"CLUSTER ON|SET WITHOUT CLUSTER", SHARE_UPDATE_EXCLUSIVE),
    Pattern(r"(?:EN|DIS)ABLE TRIGGER", SHARE_ROW_EXCLUSIVE),
    Pattern(r"", ACCESS_EXCLUSIVE),
)

STATEMENTS = (
    Pattern(rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY .*?\bON (?:ONLY )?({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"CREATE (?:UNIQUE )?INDEX .*?\bON (?:ONLY )?({TABLE})", SHARE),
    Pattern(rf"DROP INDEX CONCURRENTLY (?:IF EXISTS )?({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"DROP INDEX (?:IF EXISTS )?({TABLE}(?: ?, ?{TABLE})*)", ACCESS_EXCLUSIVE),
    Pattern(rf"REINDEX (?:TABLE|INDEX) CONCURRENTLY ({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    # SHARE on the table, but ACCESS EXCLUSIVE on its indexes, and every query on the table opens all of them.
    Pattern(rf"REINDEX (?:TABLE|INDEX) ({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"DROP (?:TABLE|(?:MATERIALIZED )?VIEW) (?:IF EXISTS )?({TABLE}(?: ?, ?{TABLE})*)", ACCESS_EXCLUSIVE),
    Pattern(rf"CREATE OR REPLACE VIEW ({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"ALTER (?:MATERIALIZED )?VIEW (?:IF EXISTS )?({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .*? ON ({TABLE})", SHARE_ROW_EXCLUSIVE),
    Pattern(rf"DROP TRIGGER .*? ON ({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"ALTER INDEX (?:IF EXISTS )?({TABLE}) RENAME", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"CREATE STATISTICS .*? FROM ({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"COMMENT ON TABLE ({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"COMMENT ON COLUMN ({TABLE})\.{NAME} IS", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"(?:VACUUM (?:FULL|\(.*FULL.*\)) ?|CLUSTER )({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"(?:VACUUM|ANALYZE) (?:\(.*\) ?|ANALYZE |VERBOSE )*({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"REFRESH MATERIALIZED VIEW CONCURRENTLY ({TABLE})", EXCLUSIVE),
    Pattern(rf"REFRESH MATERIALIZED VIEW ({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"TRUNCATE (?:TABLE )?(?:ONLY )?({TABLE}(?: ?, ?{TABLE})*)", ACCESS_EXCLUSIVE),
    Pattern(rf"(?:WITH .*?\) )?(?:UPDATE|DELETE FROM|INSERT INTO|MERGE INTO) (?:ONLY )?({TABLE})", ROW_EXCLUSIVE),
    Pattern(rf"SELECT .*?\bFROM ({TABLE}).*\bFOR (?:UPDATE|NO KEY UPDATE|SHARE|KEY SHARE)\b", ROW_SHARE),
    Pattern(rf"(?:SELECT|CREATE VIEW) .*?\bFROM ({TABLE})", ACCESS_SHARE),
    Pattern(r"(?:CREATE|ALTER|DROP) (?:OR REPLACE )?(?:TYPE|DOMAIN|FUNCTION|PROCEDURE|SCHEMA|EXTENSION|ROLE)\b", None),
    Pattern(r"CREATE SEQUENCE\b|(?:SET|RESET|SHOW|GRANT|REVOKE|SELECT|NOTIFY)\b", None),
)

_LOCKED = rf"(?:ONLY )?{TABLE}(?: ?\*)?"
_LOCK_TABLE = re.compile(rf"LOCK (?:TABLE )?({_LOCKED}(?:, ?{_LOCKED})*)(?: IN ([A-Z ]+) MODE)?", re.IGNORECASE)
_ALTER_TABLE = re.compile(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?({TABLE})", re.IGNORECASE)
_REFERENCES = re.compile(rf"\bREFERENCES ({TABLE})", re.IGNORECASE)


def locks(statement: str) -> list[Lock]:
    """The locks that a normalized statement takes.

    Not seen in the text: tables that a dropped foreign key refers to, and what triggers and functions do.
    """
    if match := _ALTER_TABLE.match(statement):
        modes = (_first_match(ACTIONS, action).mode for _, action in alterations(statement))
        strongest = max((mode for mode in modes if mode), key=MODES.index, default=ACCESS_EXCLUSIVE)
        return [Lock(strongest, match[1]), *_referenced_tables(statement, match[1])]
    if match := _LOCK_TABLE.match(statement):
        names = re.findall(rf"(?:ONLY )?({TABLE})", match[1], re.IGNORECASE)
        return [Lock((match[2] or ACCESS_EXCLUSIVE).upper(), name) for name in names]
    if table := created_table(statement):
        return list(_referenced_tables(statement, table))
    pattern = _first_match(STATEMENTS, statement)
    match = re.match(pattern.text, statement, re.IGNORECASE)
    names = [name for group in (match.groups() if match else ()) for name in split_at_commas(group)]
    if pattern.mode is None:
        return []
    return [Lock(pattern.mode, name) for name in names] or [Lock(pattern.mode, None)]


def _first_match(patterns: tuple[Pattern, ...], text: str) -> Pattern:
    matching = (pattern for pattern in patterns if re.match(pattern.text, text, re.IGNORECASE))
    return next(matching, Pattern("", ACCESS_EXCLUSIVE))


def _referenced_tables(statement: str, table: str) -> Iterator[Lock]:
    """A foreign key creates triggers on the table that it refers to, which locks that table too."""
    for name in dict.fromkeys(_REFERENCES.findall(statement)):
        if unqualified_name(name) != unqualified_name(table):
            yield Lock(SHARE_ROW_EXCLUSIVE, name)


# Offline mode, for PostgreSQL. psycopg2's own paramstyle would double each %.
OFFLINE_OPTIONS: dict[str, Any] = {
    "url": "postgresql+psycopg2://",
    "literal_binds": True,
    "dialect_opts": {"paramstyle": "named"},
}


class Statement(NamedTuple):
    sql: str  # as it is sent, with its comments and without a semicolon
    transaction: int | None  # number of the transaction within the revision; None: it commits by itself
    by_operation: bool  # sent by one of online_migrations.operations

    @property
    def normalized(self) -> str:
        return normalize(self.sql)


class Rendered(NamedTuple):
    statements: list[Statement]
    unreadable: str | None  # why upgrade() failed without a database


def render(script: Script, metadata: MetaData | None = None) -> Rendered:
    """The statements of upgrade(), in the transactions in which they are sent.

    `flask db upgrade --sql` would go through env.py and print one text.

    Args:
        metadata: whose naming convention names constraints that the revision does not name.
    """
    module = script.module
    recorder = _Recorder(module)
    migration = MigrationContext.configure(
        url=OFFLINE_OPTIONS["url"],
        dialect_opts=OFFLINE_OPTIONS["dialect_opts"],
        opts={"as_sql": True, "literal_binds": True, "output_buffer": recorder, "target_metadata": metadata},
    )
    unreadable = None
    with refused(module), Operations.context(migration):
        try:
            module.upgrade()
        except Exception as error:  # a file may do anything; the plan says what went wrong
            unreadable = f"{type(error).__name__}: {error}".splitlines()[0]
    return Rendered(recorder.statements, unreadable)


class _Recorder:
    """The output_buffer of offline mode: a file-like object. Alembic writes one text to it for each execute."""

    def __init__(self, module: ModuleType) -> None:
        self.statements: list[Statement] = []
        self.transaction: int | None = 1  # Alembic opens one before upgrade()
        self._module = module
        self._opened = 1
        self._comment = ""

    def write(self, text: str) -> None:
        by_operation = origin(self._module).is_operation
        for piece in split_statements(text):
            normalized = normalize(piece)
            if not normalized:  # a comment; it belongs to the next statement
                self._comment += f"{piece}\n"
            elif normalized.upper() in ("BEGIN", "START TRANSACTION"):
                self._opened += 1
                self.transaction = self._opened
            elif normalized.upper() in ("COMMIT", "END", "ROLLBACK"):
                self.transaction = None
            else:
                self.statements.append(Statement(self._comment + piece, self.transaction, by_operation))
                self._comment = ""

    def flush(self) -> None:
        """Alembic calls it; there is nothing to flush."""


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
