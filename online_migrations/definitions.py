"""Definitions of constraints, indexes and columns, compared as the server prints them.

Only the server knows that `x IN (1, 2)` and `x = ANY (ARRAY[1, 2])` are one condition. So what is wanted is made on an
empty temporary copy of its table, printed from there, and rolled back.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from sqlalchemy import CheckConstraint, Column, Connection, Index, MetaData, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import DOMAIN, ExcludeConstraint
from sqlalchemy.exc import CompileError, DBAPIError
from sqlalchemy.schema import AddConstraint, CreateColumn, CreateIndex, CreateTable, ExecutableDDLElement
from sqlalchemy.sql.functions import next_value
from sqlalchemy.types import ARRAY, Enum, TypeDecorator

from online_migrations.connection import rolled_back
from online_migrations.errors import UnsafeOperation, server_message
from online_migrations.locks import sqlstate
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import DIALECT, alter, quote, read_queries, sql_name, sql_type

# The mark of a table or column that no model has any more.
RETIRED_COMMENT = "retired: no code reads or writes it any more; a later release drops it"

# The comment of a column that marks it as a shadow, and says of which kind.
SHADOW_PREFIX = "shadow: "
SHADOW_TO_BE = f"{SHADOW_PREFIX}a trigger copies the column into it, whose place it takes when it is complete"
SHADOW_OF_FORMER = (
    f"{SHADOW_PREFIX}what the column was before its type changed, kept by a trigger; a later release drops it"
)

CHECK, PRIMARY_KEY, EXCLUDE = "c", "p", "x"  # pg_constraint.contype
INDEX = "i"  # our own

NOT_TRIED = ("42P01", "42P07")  # SQLSTATE: a table that is to come; and two of one name, in different schemas
COPY = "pg_temp"  # PostgreSQL's name for the schema of a session's temporary tables
PRINTS = 3  # what the server prints of a condition that it has printed is settled then
# A literal of a column that was VARCHAR and became TEXT keeps the detour.
_TEXT = re.compile(r"\(('(?:[^']|'')*')::character varying\)::text")

QUERIES = read_queries(__file__, "definitions.sql")


class Definition(NamedTuple):
    """Of a constraint or an index."""

    name: str
    kind: str  # as above, or u(nique)
    text: str  # such as "CHECK ((size > 0))" or "UNIQUE USING btree (name) WHERE …"


class ColumnDefinition(NamedTuple):
    type: str
    more: str  # its collation, and how it is computed from other columns
    identity: str
    default: str | None
    not_null: bool

    def __str__(self) -> str:
        default, required = self.default and f"DEFAULT {self.default}", "NOT NULL" if self.not_null else ""
        return " ".join(filter(None, (*self[:3], default, required)))


# Of the database and of the models; None of a primary key or an EXCLUDE that only the other has.
Changed = tuple[Definition | None, Definition | None]


def changed_definitions(
    connection: Connection, model: Table, there: Mapping[str, Definition], known: Collection[str]
) -> list[Changed]:
    """Compare a table's indexes, and its constraints but foreign keys, without the known names."""
    statements = {}
    for name, item in sorted(named(model).items()):  # SQLAlchemy keeps constraints in sets
        if name not in known and (name in there or isinstance(item, ExcludeConstraint)):
            statements[name] = create(item, model)
    key = create(model.primary_key, model) if model.primary_key.columns else None
    with empty_copies(connection, model.name):
        make_all(connection, [*statements.values(), *filter(None, [key])])
        wanted = all_there(connection, model.name)
    changed: list[Changed] = []
    for name, sql in statements.items():
        old, new = there.get(name), wanted.get(name)
        if new is None:  # the server refuses it, since it names a column that is to come
            changed.append((old, Definition(name, old.kind if old else EXCLUDE, sql)))
        elif old is None or not is_same(connection, model.name, old, new):
            changed.append((old, new))
    compared = {*statements, *known}
    changed += [(one, None) for one in there.values() if one.kind == EXCLUDE and one.name not in compared]
    keys = ([one for one in side.values() if one.kind == PRIMARY_KEY] for side in (there, wanted))
    old_key, new_key = (next(iter(found), None) for found in keys)
    if key and new_key is None:
        new_key = Definition("", PRIMARY_KEY, key)
    is_same_key = (old_key and old_key.text) == (new_key and new_key.text)
    return changed if is_same_key else [*changed, (old_key, new_key)]


def is_same(connection: Connection, table: str, there: Definition, wanted: Definition) -> bool:
    """Tell if the server means the same by two texts: it prints another one of what it has printed and read again."""
    if there[1:] == wanted[1:]:
        return True
    if there.kind != wanted.kind or there.kind not in (CHECK, INDEX):  # the others are printed in one way
        return False
    with empty_copies(connection, table):
        one, other = (_settled(connection, table, definition) for definition in (there, wanted))
    return one == other


def all_there(connection: Connection, table: str) -> dict[str, Definition]:
    """Return by name a table's constraints, and its indexes that belong to none."""
    return {one.name: one for one in _indexes_and_constraints(connection, table)}


def other_definition(connection: Connection, table: str, name: str, statement: str, *referred: str) -> str | None:
    """Return what has the name, unless CREATE INDEX, or ADD CONSTRAINT to the table `referred`, would make the same."""
    there = _named(connection, table, name, statement)
    return there.text if there and not is_any_same(connection, table, [name], name, statement, *referred) else None


def is_any_same(
    connection: Connection, table: str, names: Collection[str], name: str, statement: str, *referred: str
) -> bool:
    """Tell if what has one of the names is what CREATE INDEX, or else ADD CONSTRAINT, would make as `name`."""
    there = [one for one in _indexes_and_constraints(connection, table) if one.name in names]
    with empty_copies(connection, table, *referred, with_indexes=bool(referred)):
        execute_verbatim(connection, statement)
        wanted = _named(connection, table, name, statement)
    return wanted is not None and any(is_same(connection, table, one, wanted) for one in there)


def _named(connection: Connection, table: str, name: str, statement: str) -> Definition | None:
    is_index = statement.startswith("CREATE ")
    found = (one for one in _indexes_and_constraints(connection, table) if (one.kind == INDEX) == is_index)
    return next((one for one in found if one.name == name), None)


def _indexes_and_constraints(connection: Connection, table: str) -> Iterator[Definition]:
    return (Definition(*row) for row in connection.execute(QUERIES["all"], {"table": quote(table)}))


def columns_there(connection: Connection, table: str, stated: Collection[str] = ()) -> dict[str, ColumnDefinition]:
    """Return a table's columns by name. That of a SERIAL column is no default unless it is `stated`, as by a model."""
    found = connection.execute(QUERIES["columns"], {"table": quote(table), "stated": [*stated]})
    return {name: ColumnDefinition(*definition) for name, *definition in found}


def columns_wanted(connection: Connection, model: Table) -> dict[str, ColumnDefinition]:
    """Return by name the columns that CREATE TABLE makes of a model, without those that the server refuses."""
    copy = model.to_metadata(MetaData())
    definitions = []
    columns = (column for column in copy.columns if not column.system)  # such as xmin, which each table has
    for column in sorted(columns, key=lambda column: column.computed is not None):  # behind what they are of
        column.autoincrement = False  # else the copy would have sequences
        with suppress(CompileError):  # of a type that no model states
            definitions.append(str(CreateColumn(column).compile(dialect=DIALECT)))
    with empty_copies(connection):
        execute_verbatim(connection, f"CREATE TEMPORARY TABLE {quote(model.name)} ()")
        make_all(connection, sequences_of(copy))
        make_all(connection, [alter(model.name, f"ADD COLUMN {definition}") for definition in definitions])
        return columns_there(connection, model.name)


def require_known(table: str, columns: Collection[Column[Any]], connection: Connection) -> None:
    """Refuse a column that is no SQL, and a type that no revision makes, or that the server does not have."""
    version = connection.dialect.server_version_info or ()
    for column in columns:
        _refuse_type_of_database(table, column)
        if column.computed is not None and not column.computed.persisted and version < (18,):
            raise UnsafeOperation(
                f"{table}.{column.name} is computed when it is read, which PostgreSQL can from version 18 on. Keep what"
                " is computed: Computed(…, persisted=True)."
            )
        try:
            CreateColumn(column).compile(dialect=DIALECT)
        except CompileError as error:
            raise UnsafeOperation(
                f"{table}.{column.name} needs a type, and a default as text(…), to be written as SQL: {error.args[0]}"
            ) from error
    bare = [Column(column.name, column.type) for column in columns]
    known = columns_wanted(connection, Table("of_new_types", MetaData(), *bare))
    for column in (one for one in columns if one.name not in known):
        raise UnsafeOperation(
            f"{table}.{column.name} has the type {sql_type(column.type)}, which this server does not have. It is one of"
            " another database; or of an extension, to be made first: CREATE EXTENSION … as the database's owner."
        )


def innermost(kind: Any) -> Any:
    """Return the type that PostgreSQL gets within arrays, type decorators and variants."""
    while isinstance(kind := kind.dialect_impl(DIALECT), ARRAY | TypeDecorator):
        kind = kind.item_type if isinstance(kind, ARRAY) else kind.load_dialect_impl(DIALECT)
    return kind


def _refuse_type_of_database(table: str, column: Column[Any]) -> None:
    item = innermost(column.type)
    if isinstance(item, DOMAIN):
        kind = f"the domain {item.name}, which no revision makes"
        instead = f"{sql_type(item.data_type)}, what the domain is of, with the domain's rule as a CheckConstraint"
    elif isinstance(item, Enum) and item.native_enum:
        kind = "an enum of the database, which no revision could change beside the traffic"
        instead = "a text with a rule: Enum(…, native_enum=False, create_constraint=True, name=…)"
        if sql_type(column.type).endswith("[]"):
            instead = f"ARRAY(Text) with a rule: CheckConstraint(\"{column.name} <@ ARRAY['…', '…']\", name=…)"
    else:
        return
    raise UnsafeOperation(f"{table}.{column.name} has {kind}. Make it {instead}.")


def sequences_of(model: Table) -> list[str]:
    """Return what makes the sequences to come from which defaults take their numbers."""
    defaults = [getattr(column.server_default, "arg", None) for column in model.columns]
    sequences = [default.sequence.name for default in defaults if isinstance(default, next_value)]
    return [f"CREATE TEMPORARY SEQUENCE IF NOT EXISTS {quote(name)}" for name in sequences]


def reason_not_to_make(connection: Connection, model: Table) -> str | None:
    """Return in the server's words why it would not make the model's table; None: it would, as far as it can be told.

    The tables to which it refers are made as their models say. What names another one that is to come is not tried.
    """
    keys = sorted(model.foreign_key_constraints, key=lambda key: str(key.name))
    others = [table for table in dict.fromkeys(key.referred_table for key in keys) if table is not model]
    statements = []
    for table in (*others, model):
        make = CreateTable(table, include_foreign_key_constraints=())
        statements.append(_compiled(make, table).replace("CREATE UNLOGGED ", "CREATE ", 1))
        statements += [create(index, table) for index in table.indexes]
    statements += [create(key, model) for key in keys]
    try:
        with empty_copies(connection):
            make_all(connection, [sql for table in (*others, model) for sql in sequences_of(table)])
            execute_verbatim(connection, "; ".join(statements))
    except DBAPIError as error:
        said = (server_message(error), getattr(getattr(error.orig, "diag", None), "message_detail", None))
        return None if sqlstate(error) in NOT_TRIED else " ".join(f"{one.rstrip('.')}." for one in said if one)
    return None


def wanted_column(connection: Connection, table: str, name: str, definition: str) -> ColumnDefinition:
    """Return the definition of the column that ADD COLUMN makes."""
    with empty_copies(connection, table):
        execute_verbatim(connection, alter(table, f"DROP COLUMN IF EXISTS {quote(name)}"))
        execute_verbatim(connection, alter(table, f"ADD COLUMN {definition}"))
        return columns_there(connection, table)[name]


def make_all(connection: Connection, statements: list[str]) -> None:
    """Send statements, without those that the server refuses, which name what is to come."""
    if not statements:
        return
    execute_verbatim(connection, "SAVEPOINT made")  # by itself: of a string with a syntax error nothing is done
    try:
        execute_verbatim(connection, f"{'; '.join(statements)}; RELEASE SAVEPOINT made")
    except DBAPIError:
        execute_verbatim(connection, "ROLLBACK TO SAVEPOINT made")
        half = len(statements) // 2  # so that one among many costs few round trips
        for part in (statements[:half], statements[half:]) if half else ():
            make_all(connection, part)


@contextmanager
def empty_copies(connection: Connection, *tables: str, with_indexes: bool = False) -> Iterator[None]:
    """Give tables empty temporary copies, which stand before them on the search path; roll back all at the end."""
    schemas = {table: connection.scalar(QUERIES["schema"], {"table": quote(table)}) for table in dict.fromkeys(tables)}
    with rolled_back(connection):
        for table, schema in schemas.items():
            # A foreign key asks for the unique index of what it refers to.
            like = f"LIKE {schema}.{quote(table)}" + (" INCLUDING INDEXES" if with_indexes else "")
            execute_verbatim(connection, f"CREATE TEMPORARY TABLE {quote(table)} ({like})")
        yield


@contextmanager
def on_search_path(connection: Connection, schema: str | None) -> Iterator[None]:
    """Look for tables in a schema first, until the end of the block. To read only: what is changed is rolled back."""
    if schema is None:  # the default one
        yield
        return
    with rolled_back(connection):
        connection.execute(QUERIES["search_first"], {"schema": schema})
        yield


def named(table: Table) -> dict[str, Any]:
    """Return by name what is compared by it. A table that was reflected has the index of a constraint too."""
    compared = (CheckConstraint, ExcludeConstraint, UniqueConstraint, Index)
    items = (item for item in (*table.indexes, *table.constraints) if isinstance(item, compared))
    return {sql_name(item.name): item for item in items if isinstance(item.name, str)}


def create(item: Any, model: Table) -> str:
    """Return the statement that makes an index or a constraint on the temporary copy of its table."""
    isolated = {"isolate_from_table": False}  # else the model's own CREATE TABLE would leave it out from now on
    ddl: ExecutableDDLElement = CreateIndex(item) if isinstance(item, Index) else AddConstraint(item, **isolated)
    return _compiled(ddl, model)


def _compiled(ddl: ExecutableDDLElement, model: Table) -> str:
    """Return it as SQL, on the temporary copy."""
    places = {table.schema: COPY for table in model.metadata.tables.values()}
    sql = str(ddl.compile(dialect=DIALECT, schema_translate_map=places, render_schema_translate=True))
    return sql.replace("INDEX CONCURRENTLY ", "INDEX ", 1)


def _settled(connection: Connection, table: str, definition: Definition) -> str:
    """Have the server read and print the text again, until it would stay the same."""
    name, printed = quote(definition.name), definition.text
    for _ in range(PRINTS):
        make = f"ALTER TABLE {quote(table)} ADD CONSTRAINT {name} {printed}"
        if definition.kind == INDEX:
            unique, _, using = printed.partition("USING ")
            make = f"CREATE {unique}INDEX {name} ON {quote(table)} USING {using}"
        execute_verbatim(connection, f"SAVEPOINT printed; {make}")
        printed = all_there(connection, table)[definition.name].text
        execute_verbatim(connection, "ROLLBACK TO SAVEPOINT printed")
    return _TEXT.sub(r"\1::text", printed)
