"""The relations of a mapping as the system catalog has them now: columns, and the rules that rows are held to.

One query. A view, such as one that stands for a renamed table, is followed to the table that holds its rows.

Mapping: the tables and columns that a release uses, told from its models' MetaData. Plain data, fit for JSON.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import Column, Connection, Index, MetaData, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.types import TypeEngine

from online_migrations.sql import DIALECT, quote, sql_name


class MappedColumn(TypedDict):
    """
    Args:
        type: as PostgreSQL's format_type() prints it.
        has_default: the database gives a value to a row that leaves the column out.
        generated: the database alone writes it.
    """

    type: str
    not_null: bool
    has_default: bool
    generated: bool


class UniqueColumns(TypedDict):
    """A primary key, unique constraint or unique index of a model.

    Args:
        name: "" where the models leave it to PostgreSQL.
        columns: none of an index that has an expression.
    """

    name: str
    columns: list[str]


# table, with its schema where the models name one: column: what the models say of it
MappedTables = dict[str, dict[str, MappedColumn]]

# SQLAlchemy's name of a type in DDL: PostgreSQL's own. Other names differ in nothing but case.
_NAMES = {
    "varchar": "character varying",
    "char": "character",
    "decimal": "numeric",
    "int": "integer",
    "float": "double precision",
}
_LENGTH_ONE = ("character", "bit")  # what a type without a length has, and what is printed
_SINGLE_PRECISION = 24  # FLOAT(n) up to this many bits is REAL (PostgreSQL manual, "Floating-Point Types")

_COLLATION = re.compile(r' COLLATE (?:"[^"]*"|\S+)')
_TYPE = re.compile(
    r"(?P<name>[^(\[]+?) *(?:\((?P<size>[^)]*)\))?(?P<zone> WITH(?:OUT)? TIME ZONE)?(?P<array>(?:\[\])*)"
)


def mapped_tables(metadata: MetaData) -> MappedTables:
    return {
        table.fullname: {column.name: _mapped_column(column) for column in table.columns}
        for table in metadata.sorted_tables
    }


def unique_columns(metadata: MetaData) -> dict[str, list[UniqueColumns]]:
    """Return what the models declare as unique, by tables."""
    return {
        table.fullname: [
            {
                "name": sql_name(item.name) if isinstance(item.name, str) else "",
                "columns": _plain_columns(item),
            }
            for item in (*table.constraints, *table.indexes)
            if isinstance(item, PrimaryKeyConstraint | UniqueConstraint) or (isinstance(item, Index) and item.unique)
        ]
        for table in metadata.sorted_tables
    }


def _plain_columns(item: PrimaryKeyConstraint | UniqueConstraint | Index) -> list[str]:
    expressions = item.expressions if isinstance(item, Index) else list(item.columns)
    return [column.name for column in item.columns] if all(isinstance(one, Column) for one in expressions) else []


def mapping_hash(tables: MappedTables) -> str:
    """The same for the same mapping, in whatever order the models were imported."""
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def _mapped_column(column: Column[Any]) -> MappedColumn:
    is_serial = column.table.autoincrement_column is column
    always = column.identity is not None and bool(column.identity.always)
    return {
        "type": type_name(column.type),
        "not_null": not column.nullable,
        "has_default": column.server_default is not None or is_serial,
        "generated": column.computed is not None or always,
    }


def type_name(type_: TypeEngine[Any]) -> str:
    """The type as format_type() prints it: `character varying(50)` for `VARCHAR(50)`."""
    compiled = _COLLATION.sub("", type_.compile(dialect=DIALECT))
    found = _TYPE.fullmatch(compiled)
    if found is None:  # a type of somebody's own, which has its own words
        return compiled
    name = found["name"] if '"' in found["name"] else found["name"].lower()
    size = (found["size"] or "").replace(" ", "")
    if name == "float" and size:
        name, size = ("real" if int(size) <= _SINGLE_PRECISION else "double precision"), ""
    name = _NAMES.get(name, name)
    if name in _LENGTH_ONE and not size:
        size = "1"
    if name == "numeric" and size.isdigit():
        size += ",0"  # its scale
    dimensions = "[]" if found["array"] else ""  # PostgreSQL does not keep how many
    return f"{name}{f'({size})' if size else ''}{(found['zone'] or '').lower()}{dimensions}"


class StoredColumn(NamedTuple):
    """
    Args:
        type: as format_type() prints it; None: the view of the mapped name does not show this column of its table.
        default: what a row that leaves it out gets, as SQL: also the call of a trigger function that fills it;
            "identity" for such a column; None: NULL.
        generated: the database alone writes it.
    """

    type: str | None
    not_null: bool
    default: str | None
    generated: bool


class Rule(NamedTuple):
    """A CHECK, a foreign key, an EXCLUDE, or a unique index.

    Args:
        definition: without its name and without the names of other tables, so that it stays the same when one of them
            is renamed.
    """

    definition: str
    columns: list[str]
    unique: bool


class Relation(NamedTuple):
    writable: bool
    columns: dict[str, StoredColumn]
    rules: list[Rule]


# 28: INSERT, UPDATE and DELETE, as bits of pg_relation_is_updatable(). 7: FOR EACH ROW, BEFORE and INSERT, as bits of
# tgtype. A trigger function that names a column is taken to fill it.
_RELATIONS = text(
    """
    SELECT wanted.mapped, (pg_relation_is_updatable(relation.oid, true) & 28) = 28 AS writable,
        (SELECT jsonb_object_agg(coalesce(held.attname, shown.attname), jsonb_build_array(
                format_type(shown.atttypid, shown.atttypmod), coalesce(held.attnotnull, false),
                CASE WHEN held.attidentity <> '' THEN 'identity'
                    ELSE coalesce(pg_get_expr(preset.adbin, preset.adrelid), filled.by) END,
                coalesce(held.attgenerated <> '' OR held.attidentity = 'a', false)))
            FROM (SELECT * FROM pg_attribute WHERE attrelid = stored.oid AND attnum > 0 AND NOT attisdropped) held
            FULL JOIN (SELECT * FROM pg_attribute
                WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped) shown
                ON shown.attname = held.attname
            LEFT JOIN pg_attrdef preset ON preset.adrelid = held.attrelid AND preset.adnum = held.attnum
            LEFT JOIN LATERAL (SELECT min(proname || '()') FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
                WHERE tgrelid = stored.oid AND tgenabled IN ('O', 'A') AND tgtype & 7 = 7
                    AND position(held.attname IN prosrc) > 0) filled (by) ON true
        ) AS columns,
        (SELECT jsonb_agg(jsonb_build_array(rule.definition,
                ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = stored.oid AND attnum = ANY (rule.keys)),
                rule.is_unique))
            FROM (
                SELECT CASE contype WHEN 'f' THEN split_part(pg_get_constraintdef(oid), ' REFERENCES ', 1)
                    ELSE replace(pg_get_constraintdef(oid), ' NOT VALID', '') END, conkey, false
                FROM pg_constraint WHERE conrelid = stored.oid AND contype IN ('c', 'f', 'x')
                    AND pg_get_constraintdef(oid) NOT LIKE '% NOT ENFORCED'
                UNION ALL
                SELECT 'UNIQUE (' || (
                        SELECT string_agg(pg_get_indexdef(indexrelid, number, false), ', ' ORDER BY number)
                        FROM generate_series(1, indnkeyatts) number) || ')'
                    || CASE WHEN indnullsnotdistinct THEN ' NULLS NOT DISTINCT' ELSE '' END
                    || coalesce(' WHERE ' || pg_get_expr(indpred, indrelid), ''),
                    (indkey::int2[])[0:indnkeyatts - 1] || CASE WHEN indexprs IS NOT NULL THEN ARRAY(
                        SELECT refobjsubid::int2 FROM pg_depend
                        WHERE classid = 'pg_class'::regclass AND objid = indexrelid
                            AND refclassid = 'pg_class'::regclass AND refobjid = indrelid) END, true
                FROM pg_index WHERE indrelid = stored.oid AND indisunique AND indisready
            ) rule (definition, keys, is_unique)
        ) AS rules
    FROM unnest(CAST(:mapped AS text[]), CAST(:quoted AS text[])) wanted (mapped, quoted)
    JOIN pg_class relation ON relation.oid = to_regclass(wanted.quoted) AND relation.relkind IN ('r', 'p', 'v', 'f')
    CROSS JOIN LATERAL (
        SELECT CASE WHEN count(DISTINCT refobjid) = 1 THEN min(refobjid) ELSE relation.oid END AS oid
        FROM pg_rewrite JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
        WHERE relation.relkind = 'v' AND ev_class = relation.oid
            AND refclassid = 'pg_class'::regclass AND refobjid <> relation.oid
    ) stored
    """
)


def read_relations(connection: Connection, tables: Iterable[str]) -> dict[str, Relation]:
    """mapped table: what there is of this name. Tables that are not there are left out.

    Args:
        tables: the tables of a mapping. One without a schema is looked for on the search path, as its code does.
    """
    mapped = list(tables)
    found = connection.execute(_RELATIONS, {"mapped": mapped, "quoted": [_quoted(table) for table in mapped]})
    return {
        row.mapped: Relation(
            row.writable,
            {name: StoredColumn(*column) for name, column in (row.columns or {}).items()},
            [Rule(*rule) for rule in row.rules or []],
        )
        for row in found
    }


def _quoted(table: str) -> str:
    return ".".join(quote(part) for part in table.split("."))
