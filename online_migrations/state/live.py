"""Live release: the table `schema_releases`, in which each release notes what its models use when it goes live.

So a migration that takes what old code still reads is refused, and a rollback is foretold. A release is known by its
mapping and its head revision. Its newest start counts, so after a rollback the older release is the live one again.
"""

import hashlib
import json
import logging
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypedDict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from online_migrations.errors import server_message
from online_migrations.sql import DIALECT, quote, read_sql, sql_name
from online_migrations.state.tables import RELEASES, exists, newer

_OLDEST = (RELEASES.c.code_head, RELEASES.c.live_at, RELEASES.c.mapping, RELEASES.c.rules)
_NEWEST_FIRST = sa.select(*_OLDEST, newer(RELEASES.c.unique_columns)).order_by(RELEASES.c.live_at.desc())
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

log = logging.getLogger(__name__)


LiveRelease = sa.Row[*tuple[Any, ...]]  # of _NEWEST_FIRST; the columns of the table say what each means


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


class Usage(NamedTuple):
    """Hold what a release does with one table."""

    columns: frozenset[str]  # that it reads and may write
    nullable: frozenset[str]  # into which it may write NULL
    left_to_default: frozenset[str]  # that its inserts may leave out
    # That its models declare, by which ON CONFLICT finds a row; None: an older version of this tool did not note that.
    unique: Sequence[UniqueColumns] | None = ()

    def declares(self, name: str, columns: Collection[str]) -> bool:
        """Tell if the models may declare it unique: by just these columns, or of expressions, under this name."""
        if self.unique is None:
            return True
        wanted = set(columns)
        return any(set(one["columns"]) == wanted if one["columns"] else one["name"] == name for one in self.unique)


def record_live(connection: sa.Connection, metadata: sa.MetaData, code_head: str, age: float = 0) -> None:
    """Note that code with these models serves, as it could have for `age` seconds before its first request came.

    Where the database takes no changes, or has no such table yet, the release that was noted last counts as live.
    """
    tables = mapped_tables(metadata)
    known = {"mapping_hash": mapping_hash(tables), "code_head": code_head}
    try:
        relations = read_relations(connection, tables)
        rules = {table: [rule.definition for rule in relation.rules] for table, relation in relations.items()}
        began = sa.func.now() - timedelta(seconds=age)  # by the database's clock
        note = insert(RELEASES).values(mapping=tables, rules=rules, live_at=began, **known)
        note = note.values(unique_columns=unique_columns(metadata))
        latest = sa.func.greatest(RELEASES.c.live_at, note.excluded.live_at)
        changed = {"live_at": latest, "unique_columns": note.excluded.unique_columns}
        connection.execute(note.on_conflict_do_update(index_elements=list(known), set_=changed))
        connection.commit()
    except DBAPIError as error:
        connection.rollback()
        log.warning("it is not noted that this release is live: %s", server_message(error))


def live_release(connection: sa.Connection, *which: sa.ColumnElement[bool], place: int = 0) -> LiveRelease | None:
    """Return the release whose processes began last, of which these are true; None: none has noted that it serves."""
    if not exists(connection, RELEASES):
        return None
    return connection.execute(_NEWEST_FIRST.where(*which).offset(place).limit(1)).one_or_none()


def in_use(connection: sa.Connection) -> dict[str, Usage] | None:
    """Return what the live release uses, by tables as its models name them; None: none has noted that it serves."""
    release = live_release(connection)
    connection.rollback()
    if release is None:
        return None
    return {
        table: Usage(
            frozenset(columns),
            frozenset(name for name, column in columns.items() if not column["not_null"]),
            frozenset(name for name, column in columns.items() if column["has_default"] or column["generated"]),
            None if release.unique_columns is None else release.unique_columns.get(table, []),
        )
        for table, columns in release.mapping.items()
    }


def own_release(connection: sa.Connection, metadata: sa.MetaData, code_head: str) -> LiveRelease | None:
    """Return what code with these models noted when it was live; None: it never was, in this database."""
    is_same = RELEASES.c.mapping_hash == mapping_hash(mapped_tables(metadata))
    return live_release(connection, is_same, RELEASES.c.code_head == code_head)


def mapped_tables(metadata: sa.MetaData) -> MappedTables:
    tables = metadata.tables.values()
    return {table.fullname: {column.name: _mapped_column(column) for column in table.columns} for table in tables}


def unique_columns(metadata: sa.MetaData) -> dict[str, list[UniqueColumns]]:
    """Return what the models declare as unique, by tables."""
    return {
        table.fullname: [
            {"name": sql_name(item.name) if isinstance(item.name, str) else "", "columns": _plain_columns(item)}
            for item in (*table.constraints, *table.indexes)
            if isinstance(item, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
            or (isinstance(item, sa.Index) and item.unique)
        ]
        for table in metadata.tables.values()
    }


def _plain_columns(item: sa.PrimaryKeyConstraint | sa.UniqueConstraint | sa.Index) -> list[str]:
    expressions = item.expressions if isinstance(item, sa.Index) else list(item.columns)
    return [column.name for column in item.columns] if all(isinstance(one, sa.Column) for one in expressions) else []


def mapping_hash(tables: MappedTables) -> str:
    """Return the same for the same mapping, in whatever order the models were imported."""
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def is_view(table: sa.Table) -> bool:
    """Tell if the model is of a view, which no revision makes: Alembic's cookbook marks it so."""
    return bool(table.info.get("is_view"))


def _mapped_column(column: sa.Column[Any]) -> MappedColumn:
    if is_view(column.table):  # it is read
        return {"type": type_name(column.type), "not_null": False, "has_default": False, "generated": True}
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


def read_relations(connection: sa.Connection, tables: Iterable[str]) -> dict[str, Relation]:
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
