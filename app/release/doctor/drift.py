"""Schema drift: where database and models differ, as `flask db check` sees it."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, ForeignKeyConstraint, Identity, MetaData
from sqlalchemy.exc import SAWarning
from sqlalchemy.schema import AddConstraint, CreateIndex

from app.release.autogenerate import COMPARISON_OPTIONS
from app.release.doctor.diagnosis import ERROR, Diagnosis, psql, psql_with_strong_lock
from app.release.operations.steps import RETIRED_COMMENT
from app.release.sql.dialect import DIALECT, quote

WRITE_REVISION = 'flask db migrate -m "Bring the schema to the models"'
NO_VALUE = "none"
KINDS = {"fk": "foreign-key", "table_comment": "table-comment"}  # Alembic's word: ours


class Difference(NamedTuple):
    """
    Args:
        action: add (to the database), remove (from it), modify, or replace: remove and add.
        kind: table, column, index, constraint, foreign-key, table-comment; of "modify" what of a column differs.
        columns: on which an index or a constraint stands.
        there, wanted: what the database and the models have.
    """

    action: str
    kind: str
    table: str
    name: str
    columns: Sequence[str] = ()
    there: str = ""
    wanted: str = ""


def differences(connection: Connection, metadata: MetaData) -> list[Difference]:
    """What `flask db migrate` would write into a new revision, without what only follows from another difference."""
    migration = MigrationContext.configure(connection, opts=COMPARISON_OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # SQLAlchemy 2.1 warns of a CHECK that is NOT VALID
        found = compare_metadata(migration, metadata)
    changes = [change for item in found for change in (item if isinstance(item, list) else [item])]
    return list(_replaced(_causes(list(map(_difference, changes)))))


def diagnosis(one: Difference) -> Diagnosis:
    if one.kind == "comment" and one.there == RETIRED_COMMENT:
        what = f"The column {one.table}.{one.name} is marked as retired, and a model uses it."
        unmark = f"COMMENT ON COLUMN {quote(one.table)}.{quote(one.name)} IS NULL"
        return Diagnosis(ERROR, "retired-column", what, psql(unmark))
    if one.kind == "identity":
        what = f"{one.table}.{one.name} is {one.there} in the database and {one.wanted} in the models: inserts fail."
        return Diagnosis(ERROR, "other-identity", what, _make_identity(one))
    if one.action == "modify":
        what = (
            f"{one.table}.{one.name} has another {one.kind}: {one.there} in the database and {one.wanted} in the models"
        )
        return Diagnosis(ERROR, f"other-{one.kind}", f"{what}.", WRITE_REVISION)
    if one.action == "replace":
        what = f"{_named(one)} is {one.there} in the database and {one.wanted} in the models."
        return Diagnosis(ERROR, f"other-{one.kind}", what, WRITE_REVISION)
    if one.action == "add":
        what = f"{_named(one)} is in the models and not in the database."
        return Diagnosis(ERROR, f"missing-{one.kind}", what, WRITE_REVISION)
    what = f"{_named(one)} is in the database and in no model."
    return Diagnosis(ERROR, f"extra-{one.kind}", what, WRITE_REVISION)


def _difference(change: tuple[Any, ...]) -> Difference:
    """One of Alembic's tuples."""
    action, kind = change[0].split("_", 1)
    kind = KINDS.get(kind, kind)
    if action == "modify":
        _, _, table, column, _, old, new = change
        if isinstance(new, Identity):
            kind = "identity"
        return Difference(action, kind, table, column, there=_shown_value(old), wanted=_shown_value(new))
    if kind == "column":
        _, _, table, column = change
        return Difference(action, kind, table, column.name)
    item = change[1]
    if kind in ("table", "table-comment"):
        return Difference(action, kind, item.name, item.name)
    columns = [column.name for column in item.columns]
    return Difference(action, kind, item.table.name, str(item.name), columns, _shown_item(item), _shown_item(item))


def _causes(differences: list[Difference]) -> list[Difference]:
    """Without what follows from another: the index of a table or column that is missing is missing too."""
    tables = {one.table for one in differences if one.kind == "table"}
    columns = {(one.table, one.name) for one in differences if one.kind == "column"}

    def follows(one: Difference) -> bool:
        return one.kind != "table" and (
            one.table in tables or any((one.table, column) in columns for column in one.columns)
        )

    return [one for one in differences if not follows(one)]


def _replaced(differences: list[Difference]) -> Iterator[Difference]:
    """Alembic says "remove" and "add" of what is there with another definition."""
    added = {(one.kind, one.table, one.name): one for one in differences if one.action == "add"}
    removed = {(one.kind, one.table, one.name): one for one in differences if one.action == "remove"}
    for one in differences:
        key = (one.kind, one.table, one.name)
        if key not in added or key not in removed:
            yield one
        elif one.action == "remove":
            yield one._replace(action="replace", wanted=added[key].wanted)


def _make_identity(one: Difference) -> str:
    """In one transaction, so that nobody is given an id that is taken."""
    table, column = quote(one.table), quote(one.name)
    if one.there != NO_VALUE:
        return psql_with_strong_lock(
            f"ALTER TABLE {table} ALTER {column} SET {one.wanted.removesuffix(' AS IDENTITY')}"
        )
    sequence = f"pg_get_serial_sequence('{table}', '{one.name}')"
    highest = f"greatest(max({column}), 1), max({column}) IS NOT NULL"
    add = f"ALTER TABLE {table} ALTER {column} ADD {one.wanted}"
    return psql_with_strong_lock(f"{add}; SELECT setval({sequence}, {highest}) FROM {table}")


def _named(one: Difference) -> str:
    kind = f"The {one.kind.replace('-', ' ')}"
    if one.kind in ("table", "table-comment"):
        return f"{kind} {one.table}" if one.kind == "table" else f"{kind} of {one.table}"
    return f"{kind} {one.table}.{one.name}" if one.kind == "column" else f"{kind} {one.name} on {one.table}"


def _shown_value(value: Any) -> str:
    if isinstance(value, Identity):
        return f"GENERATED {'ALWAYS' if value.always else 'BY DEFAULT'} AS IDENTITY"
    return NO_VALUE if value is None else str(getattr(value, "arg", value))


def _shown_item(item: Any) -> str:
    """Its definition as SQL, without its name and its table."""
    if isinstance(item, ForeignKeyConstraint) or not hasattr(item, "expressions"):
        statement = str(AddConstraint(item, isolate_from_table=False).compile(dialect=DIALECT))
        return statement.partition(" ADD ")[2].partition(f"CONSTRAINT {quote(str(item.name))} ")[2]
    unique = "UNIQUE " if item.unique else ""
    return unique + str(CreateIndex(item).compile(dialect=DIALECT)).partition(f" ON {quote(item.table.name)} ")[2]
