"""Schema drift: where database and models differ.

It sees what `flask db check` sees, and the text of a CHECK, which that does not compare.
"""

import warnings
from collections.abc import Iterator
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, MetaData, Table, text
from sqlalchemy.exc import DBAPIError, SAWarning

from app.release.autogenerate import COMPARISON_OPTIONS
from app.release.connection import execute_verbatim
from app.release.doctor.diagnosis import ERROR, WARNING, Diagnosis
from app.release.errors import server_message
from app.release.sql.dialect import DIALECT, quote

_CHECKS = text(
    "SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint"
    " WHERE conrelid = to_regclass(:table) AND contype = 'c'"
)
_SCHEMA = text(
    "SELECT quote_ident(nspname) FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid"
    " WHERE c.oid = CAST(:table AS regclass)"
)
_WRITE_REVISION = 'flask db migrate -m "Bring the schema to the models"'


def drift(connection: Connection, metadata: MetaData) -> list[Diagnosis]:
    """All differences. If a lock or a missing privilege prevents the comparison, one diagnosis says so."""
    diagnoses: list[Diagnosis] = []
    try:
        diagnoses += differences(connection, metadata)
        diagnoses += changed_checks(connection, metadata)
    except DBAPIError as error:
        what = f"The schema could not be compared to the models ({server_message(error)}); somebody may be changing it."
        diagnoses.append(Diagnosis(WARNING, "not-compared", what, "flask release doctor"))
    connection.rollback()
    return diagnoses


def differences(connection: Connection, metadata: MetaData) -> Iterator[Diagnosis]:
    """What `flask db migrate` would write into a new revision."""
    migration = MigrationContext.configure(connection, opts=COMPARISON_OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # SQLAlchemy 2.1 warns of a CHECK that is NOT VALID
        found = compare_metadata(migration, metadata)
    for difference in found:
        for change in difference if isinstance(difference, list) else [difference]:
            rule, what = _described(change)
            yield Diagnosis(ERROR, rule, what, _WRITE_REVISION)


def _described(change: tuple[Any, ...]) -> tuple[str, str]:
    """A rule such as extra-index, and a sentence, for one of Alembic's difference tuples."""
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


def changed_checks(connection: Connection, metadata: MetaData) -> Iterator[Diagnosis]:
    """CHECK constraints that have the same name in models and database, but another condition."""
    for table in metadata.sorted_tables:
        conditions = {str(check.name): _condition(check) for check in _named_checks(table)}
        found = {row.conname: row.definition for row in connection.execute(_CHECKS, {"table": _quoted(table)})}
        both = {name: conditions[name] for name in sorted(conditions.keys() & found.keys())}
        for name, definition in _server_definitions(connection, table, both).items():
            there = found[name].removesuffix(" NOT VALID")
            if there != definition:
                what = f"The check {name} on {table.name} is {there} in the database and {definition} in the models."
                yield Diagnosis(ERROR, "other-check", what, f'flask db revision -m "Bring {name} to the models"')


def _named_checks(table: Table) -> Iterator[CheckConstraint]:
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint) and constraint.name:
            yield constraint


def _condition(check: CheckConstraint) -> str:
    return str(check.sqltext.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))


def _quoted(table: Table) -> str:
    return str(DIALECT.identifier_preparer.format_table(table))


def _server_definitions(connection: Connection, table: Table, conditions: dict[str, str]) -> dict[str, str]:
    """name: the model's condition as pg_get_constraintdef() prints it.

    Only the server knows that `x in (1, 2)` and `x = ANY (ARRAY[1, 2])` are the same. So we put the conditions on an
    empty temporary copy of the table, in a transaction that is rolled back.
    """
    if not conditions:
        return {}
    schema = connection.scalar(_SCHEMA, {"table": _quoted(table)})
    name = quote(table.name)
    connection.rollback()
    connection.execute(text("SET TRANSACTION READ WRITE"))
    execute_verbatim(connection, f"CREATE TEMPORARY TABLE {name} (LIKE {schema}.{name})")
    for check, condition in conditions.items():
        execute_verbatim(connection, f"ALTER TABLE pg_temp.{name} ADD CONSTRAINT {quote(check)} CHECK ({condition})")
    rows = connection.execute(_CHECKS, {"table": f"pg_temp.{name}"}).all()
    connection.rollback()
    return {row.conname: row.definition for row in rows}
