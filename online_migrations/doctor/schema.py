"""Checks of views: a compatibility view that rename_with_view left and no release needs any more.

Checks of definitions that `flask db check` does not compare: CHECK, index, primary key, collation.

Each is brought to what the models say without stopping the site, since the database may be the only one that differs.

Checks for what is there and does not hold: INVALID indexes, NOT VALID and NOT ENFORCED constraints.

Only tables on the search path are looked at. Another application may have schemas of its own in this database.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import ARRAY, Connection, Row, Table, text

from online_migrations.connection import writable_transaction
from online_migrations.definitions import CHECK, INDEX, PRIMARY_KEY, Definition, changed_definitions
from online_migrations.doctor.diagnosis import (
    ERROR,
    IF_THE_MODEL_CHANGED,
    WARNING,
    Diagnosis,
    psql,
    psql_with_strong_lock,
)
from online_migrations.doctor.tables import Models
from online_migrations.operations.names import spare_name
from online_migrations.sql import quote

_KINDS = {CHECK: "check", INDEX: "index", PRIMARY_KEY: "primary key"}

_COLLATIONS = text(
    'SELECT a.attrelid::regclass::text AS "table", a.attname::text AS column,'
    " CASE WHEN a.attcollation <> t.typcollation THEN c.collname::text ELSE 'default' END AS collation,"
    " format_type(a.atttypid, a.atttypmod) AS type FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " JOIN pg_collation c ON c.oid = a.attcollation WHERE a.attnum > 0 AND NOT a.attisdropped"
    " AND a.attrelid = ANY (CAST(CAST(:tables AS text[]) AS regclass[])::oid[]) ORDER BY 1, a.attnum"
)


def definitions(connection: Connection, models: Models, reported: Collection[str]) -> Iterator[Diagnosis]:
    """Indexes, CHECKs and primary keys that have another definition than in the models.

    Args:
        reported: names of indexes and constraints of which another check has said what is wrong.
    """
    with writable_transaction(connection):
        changed = [
            (table, change)
            for table, model in models.items()
            for change in changed_definitions(connection, model, reported)
        ]
    for table, (there, wanted) in changed:
        if wanted is None:
            continue  # a primary key that no model has harms nobody
        kind = _KINDS.get(wanted.kind, "constraint")
        rule = f"{'other' if there else 'missing'}-{kind.replace(' ', '-')}"
        found = f"is {there.text} in the database" if there else "is not in the database"
        what = f"The {kind} {wanted.name} on {table} {found}, and {wanted.text} in the models. {IF_THE_MODEL_CHANGED}"
        yield Diagnosis(ERROR, rule, what, _repair(table, there, wanted, _prefix(models[table])))


def _prefix(model: Table) -> str:
    return f"{quote(model.schema)}." if model.schema else ""


def _repair(table: str, there: Definition | None, wanted: Definition, schema: str) -> str:
    """
    Args:
        schema: in front of the name of an index.
    """
    if wanted.kind == INDEX:
        return _rebuild_index(table, wanted, schema)
    if wanted.kind == PRIMARY_KEY:
        return _rebuild_primary_key(table, there, wanted)
    drop = f"DROP CONSTRAINT {quote(there.name)}, " if there else ""
    add = f"ALTER TABLE {table} {drop}ADD CONSTRAINT {quote(wanted.name)} {wanted.text}"
    if wanted.kind != CHECK:
        return psql_with_strong_lock(add)
    validate = f"ALTER TABLE {table} VALIDATE CONSTRAINT {quote(wanted.name)}"
    return psql_with_strong_lock(f"{add} NOT VALID", validate)


def _rebuild_index(table: str, wanted: Definition, schema: str) -> str:
    """Beside the old one, which serves until the new one is there."""
    new = quote(spare_name(wanted.name))
    unique, _, rest = wanted.text.partition("USING ")
    return psql(
        f"CREATE {unique}INDEX CONCURRENTLY {new} ON {table} USING {rest}",
        f"DROP INDEX CONCURRENTLY {schema}{quote(wanted.name)}",
        f"ALTER INDEX {schema}{new} RENAME TO {quote(wanted.name)}",
    )


def _rebuild_primary_key(table: str, there: Definition | None, wanted: Definition) -> str:
    new = quote(spare_name(wanted.name))
    drop = f"DROP CONSTRAINT {quote(there.name)}, " if there else ""
    return psql(
        f"CREATE UNIQUE INDEX CONCURRENTLY {new} ON {table} {wanted.text.removeprefix('PRIMARY KEY ')}",
        f"ALTER TABLE {table} {drop}ADD CONSTRAINT {quote(wanted.name)} PRIMARY KEY USING INDEX {new}",
    )


def collations(connection: Connection, models: Models) -> Iterator[Diagnosis]:
    """Columns that sort and compare in another way than the models say."""
    for row in connection.execute(_COLLATIONS, {"tables": list(models)}):
        column = models[row.table].columns.get(row.column)
        if column is None:
            continue
        type_ = column.type.item_type if isinstance(column.type, ARRAY) else column.type
        wanted = getattr(type_, "collation", None) or "default"
        if row.collation != wanted:
            what = f"{row.table}.{row.column} has the collation {row.collation} and not {wanted}: it sorts differently."
            change = f"ALTER COLUMN {quote(row.column)} TYPE {row.type} COLLATE {_in_quotes(wanted)}"
            command = psql_with_strong_lock(f"ALTER TABLE {row.table} {change}")
            yield Diagnosis(ERROR, "other-collation", f"{what} Its indexes are rebuilt.", command)


def _in_quotes(name: str) -> str:
    """Always in quotes: "default" and "C" are no plain identifiers."""
    return '"' + name.replace('"', '""') + '"'


# An index that is being built stands in pg_stat_progress_create_index. REINDEX CONCURRENTLY builds under another name.
_INVALID_INDEXES = text(
    "SELECT i.indexrelid::regclass::text AS index, i.indrelid::regclass::text AS table, c.relname"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND pg_table_is_visible(i.indrelid)"
    " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
    " ORDER BY 1"
)
# A constraint that is NOT ENFORCED (PostgreSQL 18) is never validated, on purpose.
_NOT_VALID_CONSTRAINTS = text(
    "SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS name, c.contype::text AS type,"
    " (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = c.conkey[1]) AS column"
    " FROM pg_constraint c WHERE NOT c.convalidated AND c.conrelid <> 0 AND pg_table_is_visible(c.conrelid)"
    " AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) ORDER BY 1, 2"
)

_NOT_ENFORCED_FOREIGN_KEYS = text(
    "SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS name FROM pg_constraint c"
    " WHERE c.contype = 'f' AND pg_table_is_visible(c.conrelid) AND NOT (to_jsonb(c) ->> 'conenforced')::boolean"
    " ORDER BY 1, 2"
)
# A dual write (operations/dual_writes.py) names its trigger so, and marks a column that only the trigger writes.
_UNKEPT_SHADOWS = text(
    "SELECT a.attrelid::regclass::text AS table, quote_ident(a.attname) AS column FROM pg_attribute a"
    " WHERE col_description(a.attrelid, a.attnum) LIKE 'shadow: %' AND pg_table_is_visible(a.attrelid)"
    " AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = a.attrelid AND starts_with(tgname, 'zz_dual_write'))"
    " ORDER BY 1, 2"
)


def read_invalid_indexes(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(_INVALID_INDEXES))


def invalid_indexes(rows: Iterable[Row[Any]], expected: Collection[str] | None) -> Iterator[Diagnosis]:
    """A CREATE INDEX CONCURRENTLY that failed leaves one: every write maintains it, and no query uses it.

    Args:
        expected: names of the indexes that the models have; another is no use when it is valid either. None: unknown,
            because the database is not at the code's head.
    """
    for row in rows:
        what = f"The index {row.index} on {row.table} is INVALID: writes pay for it, and no query uses it."
        # REINDEX CONCURRENTLY leaves its copy under such a name. The original index still stands.
        is_copy = re.search(r"_cc(?:new|old)\d*$", row.relname)
        is_wanted = (expected is None or row.relname in expected) and not is_copy
        command = "REINDEX INDEX CONCURRENTLY" if is_wanted else "DROP INDEX CONCURRENTLY"
        yield Diagnosis(ERROR, "invalid-index", what, psql(f"{command} {row.index}"))


def not_valid_constraints(connection: Connection) -> Iterator[Diagnosis]:
    """A NOT VALID constraint holds for new rows only; older rows were never checked."""
    for row in connection.execute(_NOT_VALID_CONSTRAINTS):
        command = psql(f"ALTER TABLE {row.table} VALIDATE CONSTRAINT {row.name}")
        if row.type == "n":  # since PostgreSQL 18; nothing else shows it, because attnotnull is already true
            what = f"{row.table}.{row.column} is NOT NULL only for new rows: {row.name} is NOT VALID."
            yield Diagnosis(ERROR, "not-null-not-valid", what, command)
        else:
            what = f"The constraint {row.name} on {row.table} is NOT VALID: rows from before may break it."
            yield Diagnosis(ERROR, "not-valid-constraint", what, command)


def not_enforced_foreign_keys(connection: Connection) -> Iterator[Diagnosis]:
    """Since PostgreSQL 18. No model says so, and `flask db check` does not see it."""
    for row in connection.execute(_NOT_ENFORCED_FOREIGN_KEYS):
        what = (
            f"Nothing checks the foreign key {row.name} on {row.table}: it is NOT ENFORCED. Rows of now may break it."
        )
        command = psql_with_strong_lock(f"ALTER TABLE {row.table} ALTER CONSTRAINT {row.name} ENFORCED")
        yield Diagnosis(ERROR, "not-enforced-constraint", what, command)


def unkept_shadows(connection: Connection) -> Iterator[Diagnosis]:
    """The shadow column of a changed type, without the trigger that keeps it right."""
    for row in connection.execute(_UNKEPT_SHADOWS):
        what = (
            f"No trigger keeps {row.table}.{row.column} any more, the shadow of a column whose type changes: what it"
            " holds is old. Without it, the change cannot be reversed."
        )
        command = psql_with_strong_lock(f"ALTER TABLE {row.table} DROP COLUMN {row.column}")
        yield Diagnosis(ERROR, "unkept-shadow", what, command)


# Views of one table on the search path, and the columns of the table.
_VIEWS = text(
    "WITH found AS (SELECT r.ev_class AS view, min(t.oid::int8)::oid AS of FROM pg_rewrite r"
    "  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
    "  JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid AND t.relkind IN ('r', 'p')"
    "  GROUP BY r.ev_class HAVING count(DISTINCT t.oid) = 1)"
    " SELECT v.oid::regclass::text AS view, v.relname::text AS old, t.relname::text AS renamed,"
    " pg_get_viewdef(v.oid) AS definition, array(SELECT quote_ident(attname) FROM pg_attribute"
    "  WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns"
    " FROM found JOIN pg_class v ON v.oid = found.view JOIN pg_class t ON t.oid = found.of"
    " WHERE v.relkind = 'v' AND v.relnamespace::regnamespace::name = ANY (current_schemas(false)) ORDER BY 1"
)


def compatibility_views(connection: Connection) -> Iterator[Diagnosis]:
    """A view that passes a whole table on, under another name."""
    for view in connection.execute(_VIEWS):
        if _passes_all_on(view):
            what = (
                f"{view.view} is a view of {view.renamed}, for releases from before the table was renamed. If none runs"
                f' any more, drop it in a contract revision: drop_compat_view("{view.old}").'
            )
            yield Diagnosis(WARNING, "compatibility-view", what, f'flask db revision -m "Drop the view {view.old}"')


def _passes_all_on(view: Row[Any]) -> bool:
    """Whether it is SELECT * FROM table. Columns that the table was given later are not in it."""
    words = " ".join(view.definition.split())
    selected, _, rest = words.removeprefix("SELECT ").partition(" FROM ")
    columns = [column.rpartition(".")[2] for column in selected.split(", ")]
    is_from_all_rows = rest.rstrip(";").rpartition(".")[2].strip('"') == view.renamed
    # A view of the first few columns was made for something else.
    return is_from_all_rows and columns == view.columns[: len(columns)] and 2 * len(columns) > len(view.columns)
