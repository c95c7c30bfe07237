"""`flask release lint`: apply revisions to a scratch database with rows in it, and say what an upgrade would refuse.

Rows for a scratch database: some in every table, so that a step is judged on a schema that is in use.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from online_migrations import options
from online_migrations.backfills.store import completion, prepare, take_search_path, unfinished_backfills
from online_migrations.connection import direct_connection
from online_migrations.errors import ReleaseError, server_message
from online_migrations.guard import watch as other_connections
from online_migrations.guard.guard import Guard, Refused
from online_migrations.guard.record import MANY_ROWS
from online_migrations.locks import Blockers, Deadline
from online_migrations.operations.backfill import BackfillQuery
from online_migrations.revisions import duplicate_revisions
from online_migrations.scratch import scratch_database
from online_migrations.state.ledger import CONTRACT, EXPAND, TOOL_TABLES

ROWS = MANY_ROWS + 200  # in a table; more than a step may write at once

# Tables after those that they refer to. A column that has a default or is numbered is left out.
_TABLES = text(
    """
SELECT c.oid::int AS oid, c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relname <> ALL (:tools)
ORDER BY (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'), c.oid
""".replace("::", r"\:\:")
).bindparams(tools=list(TOOL_TABLES))
_COLUMNS = text(
    """
SELECT quote_ident(a.attname) AS name, a.attnotnull AS is_required,
  format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS type,
  t.typtype::text AS kind, t.typcategory::text AS category, format_type(t.oid, a.atttypmod) AS full_type,
  CASE WHEN a.atttypmod > 4 AND t.typcategory = 'S' THEN a.atttypmod - 4 ELSE 100 END AS length,
  (SELECT quote_literal(enumlabel) FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder LIMIT 1) AS label,
  (SELECT format('(SELECT %I FROM %s ORDER BY 1 OFFSET (n - 1) %% greatest((SELECT count(*) FROM %s), 1) LIMIT 1)',
     r.attname, k.confrelid::regclass, k.confrelid::regclass)
   FROM pg_constraint k JOIN pg_attribute r ON r.attrelid = k.confrelid
     AND r.attnum = k.confkey[array_position(k.conkey, a.attnum)]
   WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey) LIMIT 1) AS parent
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.atthasdef
  AND a.attidentity = '' ORDER BY a.attnum
""".replace("::", r"\:\:")
)

# By type, or by category of types (PostgreSQL manual, pg_type.typcategory); n counts from 1.
_VALUES = {
    "uuid": "md5(n::text)::uuid",
    "bytea": "decode(md5(n::text), 'hex')",
    "json": "'{}'",
    "jsonb": "'{}'",
    "inet": "'127.0.0.1'",
    "N": "n",
    "S": "left('x' || n, LENGTH)",
    "B": "n % 2 = 0",
    "D": "now() - n * interval '1 minute'",
    "T": "n * interval '1 minute'",
    "A": "'{}'",
    "R": "'empty'",
}


def fill(connection: Connection) -> None:
    """Give each table that is empty ROWS rows: with a value in every column, or else in the required ones; or one row,
    or none, if a rule does not allow more.
    """
    for table in connection.execute(_TABLES).all():
        if not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table.name})")):  # noqa: S608 - quoted by the server
            columns = list(connection.execute(_COLUMNS, {"oid": table.oid}))
            every = {row.name: _value(row) for row in columns}
            required = {row.name: every[row.name] for row in columns if row.is_required}
            for values, number in ((every, ROWS), (required, ROWS), (required, 1)):
                if _insert(connection, table.name, values, number):
                    break
    connection.commit()


def empty(connection: Connection) -> None:
    """Take all rows out again."""
    names = [table.name for table in connection.execute(_TABLES).all()]
    if names:
        connection.execute(text(f"TRUNCATE {', '.join(names)} CASCADE"))
    connection.commit()


def end_backfills(connection: Connection) -> None:
    """Do what a worker does between two releases: fill what the revisions before left to it."""
    for backfill in unfinished_backfills(connection):
        query = BackfillQuery(backfill.table_name, backfill.set_sql, backfill.where_sql, backfill.pk)
        with suppress(DBAPIError), connection.begin_nested():  # rows of our making may refuse
            take_search_path(connection, backfill.search_path)
            query.fill_batch(connection, None, ROWS)
        connection.execute(completion(backfill.name, ROWS))
    connection.commit()


def _value(column: Row[Any]) -> str:
    if column.parent:
        return str(column.parent)
    if column.label:
        return str(column.label)
    template = _VALUES.get(column.type) or _VALUES.get(column.category) or "NULL"
    return f"({template.replace('LENGTH', str(column.length))})::{column.full_type}"


def _insert(connection: Connection, table: str, columns: dict[str, str], rows: int) -> bool:
    names = f"({', '.join(columns)})" if columns else ""
    values = ", ".join(columns.values())
    sql = f"INSERT INTO {table} {names} SELECT {values} FROM generate_series(1, {rows}) n"  # noqa: S608 - likewise
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    except DBAPIError:  # a CHECK, or a key that these values do not meet
        return False
    return True


SECONDS = 60  # for one revision; nobody holds a lock here
WHERE_TO_RUN = (
    "Revisions are judged on one: run it where the database is your own, such as beside a development server."
)


class Finding(NamedTuple):
    """
    Args:
        place: file and line, "0025_x.py:14".
        rule: its name: a code of effects/rules.py, or one of this module.
    """

    revision: str
    place: str
    rule: str
    what: str
    instead: str


def lint(code: ScriptDirectory, metadata: MetaData, only: Sequence[str] = ()) -> list[Finding]:
    """The findings, in the order of the revisions.

    Args:
        metadata: whose naming convention names constraints that a revision does not name.
        only: revisions to judge; when empty, all since the baseline of the options.

    Raises:
        ReleaseError: a revision is unknown, or no scratch database can be made.
    """
    wanted = _wanted(code, only)
    history = list(code.walk_revisions())[::-1]
    findings = [finding for script in history if script.revision in wanted for finding in _of_file(code, script)]
    with scratch_database(WHERE_TO_RUN) as engine, direct_connection(engine) as connection:
        _create_schemas(connection, metadata)
        prepare(connection)
        for script in history:
            if not wanted:
                break
            end_backfills(connection)
            if script.revision in wanted:
                findings += _judged(connection, script, metadata)
            else:
                _apply(connection, script, metadata)
            wanted -= {script.revision}
    return findings


def _create_schemas(connection: Connection, metadata: MetaData) -> None:
    """Those of the models, which no revision makes."""
    for schema in {table.schema for table in metadata.tables.values() if table.schema}:
        connection.execute(CreateSchema(schema))
    connection.commit()


def _wanted(code: ScriptDirectory, only: Sequence[str]) -> set[str]:
    try:
        if not only:
            return {script.revision for script in code.walk_revisions()} - _excused_past(code)
        return {script.revision for name in only for script in code.get_revisions(name)}
    except CommandError as error:
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error


def _excused_past(code: ScriptDirectory) -> set[str]:
    """The baseline and what it follows; nothing when there is no baseline."""
    baseline = options.current().baseline
    if baseline is None:
        return set()
    return {script.revision for script in code.iterate_revisions(baseline, "base")}


def _of_file(code: ScriptDirectory, script: Script) -> Iterator[Finding]:
    """What is wrong with the file, whatever it does."""
    file = Path(script.path).name
    if names := duplicate_revisions(code).get(script.revision):
        yield Finding(
            script.revision,
            file,
            "revision-twice",
            f"{', '.join(names)} have the same revision: Alembic applies one of them and leaves the other out.",
            "Give the later one the next number, in its name and as its revision, and let it follow the other.",
        )
    phase = getattr(script.module, "phase", None)
    if phase not in (EXPAND, CONTRACT):
        yield Finding(
            script.revision,
            file,
            "phase-missing" if phase is None else "phase-unknown",
            f"It says {phase!r} for its phase, so it counts as a contract and a rollback will be refused.",
            'Write phase = "expand" when the release before runs on the result, else phase = "contract".',
        )


def _judged(connection: Connection, script: Script, metadata: MetaData) -> list[Finding]:
    """What the guard would refuse, all of it; the step is then committed, for those after it."""
    findings: list[Finding] = []

    def found(refused: list[Refused]) -> None:
        for place, (effect, what, instead) in refused:
            findings.append(Finding(script.revision, place, effect.code, what, instead))

    fill(connection)
    guard = Guard(connection, None, Blockers(), found)
    try:
        with guard.revision(script):
            _apply(connection, script, metadata, guard)
        if guard.committed_early:
            findings += _run_again(connection, script, metadata)
    except ReleaseError as error:
        findings += _refused(connection, script, metadata, error)
    return findings


def _refused(connection: Connection, script: Script, metadata: MetaData, error: ReleaseError) -> Iterator[Finding]:
    """A step that fails, or an operation that refuses by itself; unless it does not without the rows of our making."""
    empty(connection)
    try:
        _apply(connection, script, metadata)
    except ReleaseError:
        yield Finding(script.revision, Path(script.path).name, "refused", error.message, "")


def _run_again(connection: Connection, script: Script, metadata: MetaData) -> Iterator[Finding]:
    """Whether the step can be run again, as after a kill. Only for one that commits a part of it before its end."""
    try:
        _apply(connection, script, metadata)
    except ReleaseError as error:
        yield Finding(
            script.revision,
            Path(script.path).name,
            "not-rerunnable",
            f"A part of it is committed before its end, and after a kill it does not run again. {error.message}",
            "Give each step a revision of its own, or use an operation, which looks first.",
        )


def _apply(connection: Connection, script: Script, metadata: MetaData, guard: Guard | None = None) -> None:
    """Run upgrade() as the runner does.

    Raises:
        ReleaseError: it fails on this database.
    """
    deadline, blockers = Deadline(SECONDS), Blockers()
    opts = {
        "transaction_per_migration": True,
        "deadline": deadline,
        "blockers": blockers,
        "guard": guard,
        "is_new": True,
    }
    migration = MigrationContext.configure(connection, opts={**opts, "target_metadata": metadata})
    try:
        with (
            other_connections.refused(script.module),  # they lead to the project's own database
            Operations.context(migration),
            migration.begin_transaction(_per_migration=True),
        ):
            script.module.upgrade()
    except DBAPIError as error:
        file = Path(script.path).name
        raise ReleaseError(
            f"{file} fails on a scratch database that ran what is before it: {server_message(error)}."
        ) from error
    finally:
        connection.rollback()
