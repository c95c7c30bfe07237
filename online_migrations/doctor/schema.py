"""Checks of what is there and does not hold, or does something else than it seems to.

Tables: their owner, privileges, row security, triggers, rules and marks. Constraints and indexes that do not hold. What
a rename or a change of type left behind. Other schemas than those of the search path and the models are left alone.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, MetaData, Row, Table, text

from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.doctor.diagnosis import ERROR, WARNING, Diagnosis, psql, psql_with_strong_lock, query

Models = Mapping[str, Table]  # the name as the server prints it: the model

_TABLES = query("tables.sql")
_VIEWS = query("views.sql")
# A constraint that is NOT ENFORCED (PostgreSQL 18) is never validated, on purpose.
_CONSTRAINTS = text(
    "SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS name, c.contype::text AS type,"
    " (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = c.conkey[1]) AS column,"
    " coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) AS enforced"
    " FROM pg_constraint c WHERE NOT c.convalidated AND c.conrelid <> 0 AND pg_table_is_visible(c.conrelid)"
    " ORDER BY enforced DESC, 1, 2"
)
# An index that is being built stands in pg_stat_progress_create_index. REINDEX CONCURRENTLY builds under another name.
_INVALID_INDEXES = text(
    "SELECT i.indexrelid::regclass::text AS index, i.indrelid::regclass::text AS table, c.relname"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND pg_table_is_visible(i.indrelid)"
    " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
    " ORDER BY 1"
)
# A dual write (operations/dual_writes.py) names its trigger so, and marks a column that only the trigger writes.
_UNKEPT_SHADOWS = text(
    "SELECT a.attrelid::regclass::text AS table, quote_ident(a.attname) AS column FROM pg_attribute a"
    " WHERE col_description(a.attrelid, a.attnum) LIKE 'shadow: %' AND pg_table_is_visible(a.attrelid)"
    " AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = a.attrelid AND starts_with(tgname, 'zz_dual_write'))"
    " ORDER BY 1, 2"
)


def read_tables(connection: Connection, schemas: list[str]) -> list[Row[Any]]:
    """Read one row for each table.

    Args:
        schemas: besides those on the search path.
    """
    return list(connection.execute(_TABLES, {"schemas": schemas}))


def mapped(tables: Iterable[Row[Any]], metadata: MetaData) -> Models:
    """Return the models of the tables that have one."""
    by_name = {(model.schema, model.name): model for model in metadata.tables.values()}
    found = {table.name: by_name.get((table.schema, table.relname)) for table in tables}
    return {name: model for name, model in found.items() if model is not None}


def tables(found: Collection[Row[Any]], models: Models) -> Iterator[Diagnosis]:
    """Run the checks of tables."""
    for table in found:
        yield from owner(table)
        yield from triggers(table)
        if table.name in models:
            yield from instead_rules(table)
            yield from row_security(table, models[table.name])
    for name in retired_again(found, models):
        what = f"The table {name} is marked as retired, and a model uses it."
        yield Diagnosis(ERROR, "retired-table", what, psql(f"COMMENT ON TABLE {name} IS NULL"))


def owner(table: Row[Any]) -> Iterator[Diagnosis]:
    """Require that the role that migrates owns the table, since only its owner may alter it."""
    if table.owner != table.migrating_role:
        what = (
            f"The table {table.name} belongs to {table.owner} and not to {table.migrating_role}, who migrates: a"
            " revision that changes it fails. Only a member of both roles, or a superuser, may change that."
        )
        command = psql_with_strong_lock(f"ALTER TABLE {table.name} OWNER TO {table.migrating_role}")
        yield Diagnosis(ERROR, "other-owner", what, command)
    elif not table.may_write:
        what = f"{table.role} may not read and write {table.name}."
        command = psql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.name} TO {table.role}")
        yield Diagnosis(ERROR, "missing-privilege", what, command)


def triggers(table: Row[Any]) -> Iterator[Diagnosis]:
    """Find disabled triggers. PostgreSQL checks a foreign key by its own, which only a superuser may disable."""
    if names := ", ".join([*table.disabled_foreign_keys, *table.disabled_triggers]):
        what = f"Triggers of {table.name} are disabled, so nothing keeps {names}: rows of now may break it."
        which = "ALL" if table.disabled_foreign_keys else "USER"
        command = psql_with_strong_lock(f"ALTER TABLE {table.name} ENABLE TRIGGER {which}")
        yield Diagnosis(ERROR, "disabled-trigger", what, command)


def instead_rules(table: Row[Any]) -> Iterator[Diagnosis]:
    """Find CREATE RULE … DO INSTEAD. Code that writes the table is told that it did."""
    for rule in table.instead_rules:
        what = f"The rule {rule} on {table.name} does something else INSTEAD of what is written."
        yield Diagnosis(ERROR, "instead-rule", what, psql_with_strong_lock(f"DROP RULE {rule} ON {table.name}"))


def row_security(table: Row[Any], model: Table) -> Iterator[Diagnosis]:
    """Find row security that the model does not want: __table_args__ = {"info": {"row_security": True}}."""
    if table.row_security and not (model.info.get("row_security") and table.policies):
        hidden = "hide rows from" if table.policies else "are none, so no row is shown to"
        what = f"Row security of {table.name} is on, and its policies {hidden} a role that does not own the table."
        disable = f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
        yield Diagnosis(ERROR, "row-security", what, psql_with_strong_lock(disable))


def retired_again(tables: Iterable[Row[Any]], models: Models) -> Iterator[str]:
    """Yield the tables that are marked as retired, and that a model uses: as its table, or as a part of that."""
    for table in tables:
        if table.comment == RETIRED_COMMENT and not models.keys().isdisjoint([table.name, *table.parents]):
            yield table.name


def constraints(connection: Connection) -> Iterator[Diagnosis]:
    """Find constraints that are NOT VALID, which hold for new rows only, and foreign keys that are NOT ENFORCED.

    Both are PostgreSQL 18's for NOT NULL and foreign keys, and neither models nor `flask db check` show them.
    """
    for row in connection.execute(_CONSTRAINTS):
        alter = f"ALTER TABLE {row.table}"
        validate = psql(f"{alter} VALIDATE CONSTRAINT {row.name}")
        if not row.enforced and row.type == "f":
            what = f"Nothing checks the foreign key {row.name} on {row.table}: it is NOT ENFORCED. Rows may break it."
            command = psql_with_strong_lock(f"{alter} ALTER CONSTRAINT {row.name} ENFORCED")
            yield Diagnosis(ERROR, "not-enforced-constraint", what, command)
        elif row.enforced and row.type == "n":
            what = f"{row.table}.{row.column} is NOT NULL only for new rows: {row.name} is NOT VALID."
            yield Diagnosis(ERROR, "not-null-not-valid", what, validate)
        elif row.enforced:
            what = f"The constraint {row.name} on {row.table} is NOT VALID: rows from before may break it."
            yield Diagnosis(ERROR, "not-valid-constraint", what, validate)


def read_invalid_indexes(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(_INVALID_INDEXES))


def invalid_indexes(rows: Iterable[Row[Any]], metadata: MetaData | None) -> Iterator[Diagnosis]:
    """Report what a CREATE INDEX CONCURRENTLY that failed leaves: every write maintains it, and no query uses it.

    Args:
        metadata: another index than theirs is no use when it is valid either. None: the database is not at the code's
            head, so nobody knows.
    """
    models = () if metadata is None else metadata.tables.values()
    items: list[Any] = [item for model in models for item in (*model.indexes, *model.constraints)]
    expected = {str(item.name) for item in items}  # the index of a unique constraint is built first
    for row in rows:
        what = f"The index {row.index} on {row.table} is INVALID: writes pay for it, and no query uses it."
        # REINDEX CONCURRENTLY leaves its copy under such a name. The original index still stands.
        is_copy = re.search(r"_cc(?:new|old)\d*$", row.relname)
        is_wanted = (metadata is None or row.relname in expected) and not is_copy
        command = "REINDEX INDEX CONCURRENTLY" if is_wanted else "DROP INDEX CONCURRENTLY"
        yield Diagnosis(ERROR, "invalid-index", what, psql(f"{command} {row.index}"))


def unkept_shadows(connection: Connection) -> Iterator[Diagnosis]:
    """Find the shadow column of a changed type, without the trigger that keeps it right."""
    for row in connection.execute(_UNKEPT_SHADOWS):
        what = (
            f"No trigger keeps {row.table}.{row.column} any more, the shadow of a column whose type changes: what it"
            " holds is old. Without it, the change cannot be reversed."
        )
        command = psql_with_strong_lock(f"ALTER TABLE {row.table} DROP COLUMN {row.column}")
        yield Diagnosis(ERROR, "unkept-shadow", what, command)


def compatibility_views(connection: Connection) -> Iterator[Diagnosis]:
    """Find a view that passes a whole table on, under another name, as rename_with_view leaves it."""
    for view in connection.execute(_VIEWS):
        if _passes_all_on(view):
            what = (
                f"{view.view} is a view of {view.renamed}, for releases from before the table was renamed. If none runs"
                f' any more, drop it in a contract revision: drop_compat_view("{view.old}").'
            )
            yield Diagnosis(WARNING, "compatibility-view", what, f'flask db revision -m "Drop the view {view.old}"')


def _passes_all_on(view: Row[Any]) -> bool:
    """Tell whether it is SELECT * FROM table. Columns that the table was given later are not in it."""
    words = " ".join(view.definition.split())
    selected, _, rest = words.removeprefix("SELECT ").partition(" FROM ")
    columns = [column.rpartition(".")[2] for column in selected.split(", ")]
    is_from_all_rows = rest.rstrip(";").rpartition(".")[2].strip('"') == view.renamed
    # A view of the first few columns was made for something else.
    return is_from_all_rows and columns == view.columns[: len(columns)] and 2 * len(columns) > len(view.columns)
