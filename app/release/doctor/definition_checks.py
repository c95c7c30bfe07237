"""Checks of definitions that `flask db check` does not compare: CHECK, index, primary key, collation.

Each is brought to what the models say without stopping the site, since the database may be the only one that differs.
"""

from collections.abc import Collection, Iterator

from sqlalchemy import ARRAY, Connection, Table, text

from app.release.connection import writable_transaction
from app.release.definition_changes import changed_definitions
from app.release.definitions import CHECK, INDEX, PRIMARY_KEY, Definition
from app.release.doctor.diagnosis import ERROR, IF_THE_MODEL_CHANGED, Diagnosis, psql, psql_with_strong_lock
from app.release.doctor.table_checks import Models
from app.release.operations.identifiers import spare_name
from app.release.sql.dialect import quote

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
