"""`flask release plan`: what the next `flask db upgrade` would send, and which lock each statement takes."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from alembic.script import Script
from sqlalchemy import Connection, text

from app.release.sql.grammar import bare, created_table, literals, plain, split
from app.release.sql.locks import Lock, locks
from app.release.sql.render import Statement, render

# The table of an index stands for it. to_regclass follows the search path and knows nothing of what is not there yet.
_SIZE = text(
    "SELECT pg_total_relation_size(c.oid) AS bytes, pg_size_pretty(pg_total_relation_size(c.oid)) AS pretty,"
    " c.reltuples::bigint AS rows, c.relname"
    " FROM pg_class c WHERE c.oid = coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass(:name)),"
    " to_regclass(:name))"
)


# What only steers a block of PL/pgSQL.
_CONTROL = re.compile(
    r"(?:(?:BEGIN|LOOP|END LOOP|END|COMMIT)\b ?|EXIT WHEN .*|PERFORM pg_sleep ?\(.*\))*", re.IGNORECASE
)


class LockedTable(NamedTuple):
    lock: str
    table: str | None  # None: nobody knows which one
    size: str  # "new" when it does not exist yet
    bytes: int
    rows: int | None  # as the server estimates them; None: it never counted


class Step(NamedTuple):
    sql: str
    transaction: int | None  # which one of the revision's; None: it commits by itself
    locks: list[LockedTable]


class RevisionPlan(NamedTuple):
    revision: str
    title: str
    phase: str | None
    steps: list[Step]
    unreadable: str | None  # why its SQL, or the rest of it, cannot be shown


def plan(connection: Connection, pending: Iterable[Script]) -> list[RevisionPlan]:
    """Each pending revision, the next one first. Reads sizes; locks nothing beyond ACCESS SHARE."""
    return [_revision(connection, script) for script in pending]


def _revision(connection: Connection, script: Script) -> RevisionPlan:
    rendered = render(script)
    return RevisionPlan(
        revision=script.revision,
        title=script.doc,
        phase=getattr(script.module, "phase", None),
        steps=list(_steps(connection, rendered.statements)),
        unreadable=rendered.unreadable.reason if rendered.unreadable else None,
    )


def _steps(connection: Connection, statements: list[Statement]) -> Iterator[Step]:
    for statement in statements:
        created = created_table(statement.bare)
        sent = _in_block(statement) or [statement.bare]
        taken = [*([Lock("none", created)] if created else []), *(lock for one in sent for lock in locks(one))]
        tables = [_measured(connection, lock) for lock in taken]
        yield Step(statement.sql, statement.transaction, tables)


def _in_block(statement: Statement) -> list[str]:
    """The bare statements of a DO block that an operation of ours wrote: a loop around plain statements."""
    if not statement.by_operation or not statement.bare.upper().startswith("DO "):
        return []
    [body] = literals(statement.sql)
    pieces = split(re.sub(r"\A\$\w*\$|\$\w*\$\Z", "", body))
    statements = (_CONTROL.sub("", bare(piece), count=1) for piece in pieces)
    return [statement for statement in statements if statement]


def _measured(connection: Connection, lock: Lock) -> LockedTable:
    if lock.relation is None:
        return LockedTable(lock.mode, None, "unknown", 0, None)
    row = connection.execute(_SIZE, {"name": lock.relation}).one_or_none()
    if row is None:
        return LockedTable(lock.mode, plain(lock.relation), "new", 0, None)
    return LockedTable(lock.mode, row.relname, row.pretty, row.bytes, row.rows if row.rows >= 0 else None)
