"""Definitions of indexes and constraints, compared as the server prints them.

Only the server knows that `x in (1, 2)` and `x = ANY (ARRAY[1, 2])` are the same. So the models' indexes and
constraints are put on empty temporary copies of their tables, in a transaction that is rolled back.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table, text
from sqlalchemy.schema import AddConstraint, CreateIndex, ExecutableDDLElement

from app.release.connection import execute_verbatim
from app.release.sql.dialect import DIALECT, quote

CHECK, INDEX, PRIMARY_KEY = "c", "i", "p"  # of pg_constraint.contype, and our own for an index of no constraint
COPY = "pg_temp"  # PostgreSQL's name for the schema of a session's temporary tables

# An index that a constraint brings is the constraint's. Foreign keys are left to Alembic.
_DEFINITIONS = text(
    'SELECT conrelid::int8 AS "table", contype::text AS kind, conname::text AS name, pg_get_constraintdef(oid) AS sql'
    " FROM pg_constraint WHERE conrelid = ANY (CAST(:tables AS oid[])) AND contype IN ('c', 'p', 'u', 'x')"
    " UNION ALL SELECT indrelid::int8, 'i', relname::text, CASE WHEN indisunique THEN 'UNIQUE ' ELSE '' END"
    " || regexp_replace(pg_get_indexdef(indexrelid), '^.*? USING ', 'USING ')"
    " FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = ANY (CAST(:tables AS oid[])) AND NOT EXISTS"
    "  (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))"
)
_OIDS = text(
    "SELECT name, to_regclass(name)::oid::int8 AS oid FROM unnest(CAST(:names AS text[])) AS names (name)"
    " WHERE to_regclass(name) IS NOT NULL"
)


class Definition(NamedTuple):
    """What the server prints, such as "CHECK ((version > 0))" or "USING btree (user_id) WHERE deleted_at IS NULL"."""

    table: str  # as it was asked for
    kind: str
    name: str
    sql: str


class Changed(NamedTuple):
    """
    Args:
        there: None: the database has nothing of this name; for a primary key, none of any name.
    """

    table: str
    there: Definition | None
    wanted: Definition


def changed_definitions(
    connection: Connection, models: Mapping[str, Table], reported: Collection[str]
) -> Iterator[Changed]:
    """What has one name in models and database, and another definition; and a primary key that is missing.

    Args:
        models: the name of the table in the database: its model. The table has all columns of it.
        reported: names of indexes and constraints to leave out.

    The transaction must be one that may write. The caller rolls it back.
    """
    there = {_key(found): found for found in read_definitions(connection, models)}
    copies = {f"{COPY}.{quote(model.name)}": name for name, model in models.items()}
    execute_verbatim(connection, "; ".join(_copy_statements(models, there)))
    printed = [found._replace(table=copies[found.table]) for found in read_definitions(connection, copies)]
    other = {
        _key(wanted): wanted
        for wanted in printed
        if wanted.name not in reported and (_key(wanted) not in there or there[_key(wanted)].sql != wanted.sql)
    }
    pairs = {key: (there[key].sql, other[key].sql) for key in other.keys() & there.keys() if key[1] in (CHECK, INDEX)}
    same = _same_when_printed_again(connection, models, pairs)
    for key in sorted(other.keys() - same):
        yield Changed(key[0], there.get(key), other[key])


def read_definitions(connection: Connection, tables: Collection[str]) -> list[Definition]:
    """Of tables in the database, named as SQL names them."""
    oids = {row.oid: row.name for row in connection.execute(_OIDS, {"names": list(tables)})}
    rows = connection.execute(_DEFINITIONS, {"tables": list(oids)})
    return [Definition(oids[row.table], row.kind, row.name, row.sql.removesuffix(" NOT VALID")) for row in rows]


Key = tuple[str, str, str]


def _key(found: Definition) -> Key:
    return found.table, found.kind, _name(found)


def _name(found: Definition) -> str:
    """Of primary keys, which a table has one of, the name does not matter."""
    return PRIMARY_KEY if found.kind == PRIMARY_KEY else found.name


def _items(model: Table) -> list[Any]:
    left_out = (ForeignKeyConstraint, PrimaryKeyConstraint)
    named = [item for item in model.constraints if item.name and not isinstance(item, left_out)]
    return [*([model.primary_key] if model.primary_key.columns else []), *named, *model.indexes]


def _copy_statements(models: Mapping[str, Table], there: Collection[Key]) -> Iterator[str]:
    """The statements that make the temporary tables, with what the database has too and the primary key."""
    present = {(table, name) for table, _, name in there}
    for name, model in models.items():
        yield f"CREATE TEMPORARY TABLE {quote(model.name)} (LIKE {name})"
        for item in _items(model):
            if item is model.primary_key or (name, str(item.name)) in present:
                yield _create(item, {model.schema: COPY})


def _create(item: Any, schemas: dict[str | None, str | None]) -> str:
    """The statement that adds an index or a constraint to its table in another schema."""
    isolated = {"isolate_from_table": False}  # else the model's own CREATE TABLE would leave it out from now on
    ddl: ExecutableDDLElement = CreateIndex(item) if isinstance(item, Index) else AddConstraint(item, **isolated)
    return str(ddl.compile(dialect=DIALECT, schema_translate_map=schemas, render_schema_translate=True))


def _same_when_printed_again(
    connection: Connection, models: Mapping[str, Table], pairs: Mapping[Key, tuple[str, str]]
) -> set[Key]:
    """Those that the server prints alike when it reads what it printed.

    pg_restore does so with all: of `varchar IN (…)` the server then prints the casts in other places.
    """
    keys = list(pairs)
    if not keys:
        return set()
    statements = [
        _again(f"{side}_{number}", f"{COPY}.{quote(models[key[0]].name)}", key[1], sql)
        for number, key in enumerate(keys)
        for side, sql in zip(("there", "wanted"), pairs[key], strict=True)
    ]
    execute_verbatim(connection, "; ".join(statements))
    tables = {f"{COPY}.{quote(models[key[0]].name)}" for key in keys}
    again = {found.name: found.sql for found in read_definitions(connection, tables)}
    return {key for number, key in enumerate(keys) if again[f"there_{number}"] == again[f"wanted_{number}"]}


def _again(name: str, table: str, kind: str, sql: str) -> str:
    if kind == CHECK:
        return f"ALTER TABLE {table} ADD CONSTRAINT {name} {sql}"
    unique, _, rest = sql.partition("USING ")
    return f"CREATE {unique}INDEX {name} ON {table} USING {rest}"
