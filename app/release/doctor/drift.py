"""Where the schema and the models differ: what `flask db check` sees, and the text of a CHECK, which it does not."""

import warnings
from collections.abc import Iterator
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, MetaData, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, SAWarning

from app.release.autogenerate import COMPARISON
from app.release.doctor.finding import ERROR, WARNING, Finding

DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # leaves a % as it is

_CHECKS = text(
    "SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint"
    " WHERE conrelid = to_regclass(:table) AND contype = 'c'"
)
_SCHEMA = text(
    "SELECT quote_ident(nspname) FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid"
    " WHERE c.oid = CAST(:table AS regclass)"
)
_WRITE = 'flask db migrate -m "Bring the schema to the models"'


def drift(connection: Connection, metadata: MetaData) -> list[Finding]:
    """All differences; one finding that says so when a lock or a missing right forbids to look."""
    findings: list[Finding] = []
    try:
        findings += differences(connection, metadata)
        findings += other_checks(connection, metadata)
    except DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        what = f"The schema could not be compared to the models ({reason}); somebody may be changing it."
        findings.append(Finding(WARNING, "not-compared", what, "flask release doctor"))
    connection.rollback()
    return findings


def differences(connection: Connection, metadata: MetaData) -> Iterator[Finding]:
    """What a new revision would change, by the comparison that `flask db migrate` makes."""
    migration = MigrationContext.configure(connection, opts=COMPARISON)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # SQLAlchemy 2.1 wonders about a CHECK that is NOT VALID
        found = compare_metadata(migration, metadata)
    for difference in found:
        for change in difference if isinstance(difference, list) else [difference]:
            rule, what = _told(change)
            yield Finding(ERROR, rule, what, _WRITE)


def _told(change: tuple[Any, ...]) -> tuple[str, str]:
    """A rule such as extra-index, and a sentence, for one of Alembic's tuples."""
    action, kind = change[0].split("_", 1)
    if action == "modify":
        _, _, table, column, _, old, new = change
        shown = f"{getattr(old, 'arg', old)} in the database and {getattr(new, 'arg', new)} in the models"
        return f"other-{kind}", f"{table}.{column} has another {kind}: {shown}."
    kind = {"fk": "foreign-key"}.get(kind, kind)
    names = change[2:] if kind == "column" else change[1:]
    name = ".".join(str(getattr(part, "name", part)) for part in names)
    table = getattr(getattr(change[1], "table", None), "name", None)
    named = f"The {kind.replace('-', ' ')} {name}" + (f" on {table}" if table else "")
    if action == "add":
        return f"missing-{kind}", f"{named} is in the models and not in the database."
    return f"extra-{kind}", f"{named} is in the database and in no model."


def other_checks(connection: Connection, metadata: MetaData) -> Iterator[Finding]:
    """CHECK constraints that have the model's name and another condition."""
    for table in metadata.sorted_tables:
        conditions = {str(check.name): _condition(check) for check in _named_checks(table)}
        found = {row.conname: row.definition for row in connection.execute(_CHECKS, {"table": _quoted(table)})}
        both = {name: conditions[name] for name in sorted(conditions.keys() & found.keys())}
        for name, definition in _as_the_server_says(connection, table, both).items():
            there = found[name].removesuffix(" NOT VALID")
            if there != definition:
                what = f"The check {name} on {table.name} is {there} in the database and {definition} in the models."
                yield Finding(ERROR, "other-check", what, f'flask db revision -m "Bring {name} to the models"')


def _named_checks(table: Table) -> Iterator[CheckConstraint]:
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint) and constraint.name:
            yield constraint


def _condition(check: CheckConstraint) -> str:
    return str(check.sqltext.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))


def _quoted(table: Table) -> str:
    return str(DIALECT.identifier_preparer.format_table(table))


def _as_the_server_says(connection: Connection, table: Table, conditions: dict[str, str]) -> dict[str, str]:
    """name: the model's condition in the server's own words.

    Only the server can tell that `x in (1, 2)` and `x = ANY (ARRAY[1, 2])` are one, so it is given the condition on an
    empty temporary copy of the table, in a transaction that is rolled back.
    """
    if not conditions:
        return {}
    name = _quoted(table)
    schema = connection.scalar(_SCHEMA, {"table": name})
    connection.rollback()
    connection.execute(text("SET TRANSACTION READ WRITE"))
    _send(connection, f"CREATE TEMPORARY TABLE {name} (LIKE {schema}.{name})")
    for check, condition in conditions.items():
        quoted = DIALECT.identifier_preparer.quote(check)
        _send(connection, f"ALTER TABLE pg_temp.{name} ADD CONSTRAINT {quoted} CHECK ({condition})")
    rows = connection.execute(_CHECKS, {"table": f"pg_temp.{name}"}).all()
    connection.rollback()
    return {row.conname: row.definition for row in rows}


def _send(connection: Connection, sql: str) -> None:
    connection.exec_driver_sql(sql, execution_options={"no_parameters": True})  # a % is a %
