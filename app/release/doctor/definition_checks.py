"""Checks of definitions that `flask db check` does not compare: CHECK, index, primary key, collation.

Each is brought to what the models say without stopping the site, since the database may be the only one that differs.
"""

from collections.abc import Collection, Iterator

from sqlalchemy import ARRAY, Connection, text

from app.release.doctor.definitions import CHECK, INDEX, PRIMARY_KEY, Changed, Definition, changed_definitions
from app.release.doctor.diagnosis import ERROR, IF_THE_MODEL_CHANGED, Diagnosis, psql, psql_with_strong_lock
from app.release.doctor.table_checks import Models
from app.release.operations.identifiers import shorten_identifier
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
    connection.rollback()
    connection.execute(text("SET TRANSACTION READ WRITE"))
    changed = list(changed_definitions(connection, models, reported))
    connection.rollback()
    for change in changed:
        kind = _KINDS.get(change.wanted.kind, "constraint")
        rule = f"{'other' if change.there else 'missing'}-{kind.replace(' ', '-')}"
        named = f"The {kind} {change.wanted.name} on {change.table}"
        there = f"is {change.there.sql} in the database" if change.there else "is not in the database"
        what = f"{named} {there}, and {change.wanted.sql} in the models. {IF_THE_MODEL_CHANGED}"
        yield Diagnosis(ERROR, rule, what, _repair(change, _schema(models, change)))


def _schema(models: Models, change: Changed) -> str:
    schema = models[change.table].schema
    return f"{quote(schema)}." if schema else ""


def _repair(change: Changed, schema: str) -> str:
    table, wanted = change.table, change.wanted
    if wanted.kind == INDEX:
        return _rebuild_index(table, wanted, schema)
    if wanted.kind == PRIMARY_KEY:
        return _rebuild_primary_key(table, change.there, wanted)
    drop = f"DROP CONSTRAINT {quote(change.there.name)}, " if change.there else ""
    add = f"ALTER TABLE {table} {drop}ADD CONSTRAINT {quote(wanted.name)} {wanted.sql}"
    if wanted.kind != CHECK:
        return psql_with_strong_lock(add)
    validate = f"ALTER TABLE {table} VALIDATE CONSTRAINT {quote(wanted.name)}"
    return psql_with_strong_lock(f"{add} NOT VALID", validate)


def _rebuild_index(table: str, wanted: Definition, schema: str) -> str:
    """Beside the old one, which serves until the new one is there."""
    new = quote(shorten_identifier(f"{wanted.name}_new"))
    unique, _, rest = wanted.sql.partition("USING ")
    return psql(
        f"CREATE {unique}INDEX CONCURRENTLY {new} ON {table} USING {rest}",
        f"DROP INDEX CONCURRENTLY {schema}{quote(wanted.name)}",
        f"ALTER INDEX {schema}{new} RENAME TO {quote(wanted.name)}",
    )


def _rebuild_primary_key(table: str, there: Definition | None, wanted: Definition) -> str:
    new = quote(shorten_identifier(f"{wanted.name}_new"))
    drop = f"DROP CONSTRAINT {quote(there.name)}, " if there else ""
    return psql(
        f"CREATE UNIQUE INDEX CONCURRENTLY {new} ON {table} {wanted.sql.removeprefix('PRIMARY KEY ')}",
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
            yield Diagnosis(ERROR, "other-collation", f"{what} Its indexes are built anew.", command)


def _in_quotes(name: str) -> str:
    """Always in quotes: "default" and "C" are no plain identifiers."""
    return '"' + name.replace('"', '""') + '"'
