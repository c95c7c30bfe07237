"""Mapping: the tables and columns that a release uses, by its models' MetaData; and what there is of them."""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import Column, Connection, Index, MetaData, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.types import TypeEngine

from online_migrations.sql import DIALECT, quote, read_sql, sql_name


class MappedColumn(TypedDict):  # fit for JSON, as it is stored
    type: str  # as PostgreSQL's format_type() prints it
    not_null: bool
    has_default: bool  # the database gives a value to a row that leaves the column out
    generated: bool  # the database alone writes it


class UniqueColumns(TypedDict):
    """A primary key, unique constraint or unique index of a model."""

    name: str  # "" where the models leave it to PostgreSQL
    columns: list[str]  # none of an index that has an expression


# table, with its schema where the models name one: column: what the models say of it
MappedTables = dict[str, dict[str, MappedColumn]]


class StoredColumn(NamedTuple):
    type: str | None  # as format_type() prints it; None: the view of the mapped name does not show this column
    not_null: bool
    default: str | None  # SQL, such as the call of a trigger function that fills it; "identity"; None: NULL
    generated: bool  # the database alone writes it


class Rule(NamedTuple):
    """A CHECK, a foreign key, an EXCLUDE, or a unique index."""

    definition: str  # without its own name and those of other tables, so that it stays the same when one is renamed
    columns: list[str]
    unique: bool


class Relation(NamedTuple):
    writable: bool
    columns: dict[str, StoredColumn]
    rules: list[Rule]


_RELATIONS = read_sql(__file__, "relations.sql")

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
            {"name": sql_name(item.name) if isinstance(item.name, str) else "", "columns": _plain_columns(item)}
            for item in (*table.constraints, *table.indexes)
            if isinstance(item, PrimaryKeyConstraint | UniqueConstraint) or (isinstance(item, Index) and item.unique)
        ]
        for table in metadata.sorted_tables
    }


def _plain_columns(item: PrimaryKeyConstraint | UniqueConstraint | Index) -> list[str]:
    expressions = item.expressions if isinstance(item, Index) else list(item.columns)
    return [column.name for column in item.columns] if all(isinstance(one, Column) for one in expressions) else []


def mapping_hash(tables: MappedTables) -> str:
    """Return the same for the same mapping, in whatever order the models were imported."""
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
    """Return the type as format_type() prints it: `character varying(50)` for `VARCHAR(50)`."""
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


def read_relations(connection: Connection, tables: Iterable[str]) -> dict[str, Relation]:
    """Return by mapped table what there is of this name; one without a schema is looked for on the search path."""
    mapped = list(tables)
    quoted = [".".join(map(quote, table.split("."))) for table in mapped]
    return {
        row.mapped: Relation(
            row.writable,
            {name: StoredColumn(*column) for name, column in (row.columns or {}).items()},
            [Rule(*rule) for rule in row.rules or []],
        )
        for row in connection.execute(_RELATIONS, {"mapped": mapped, "quoted": quoted})
    }
