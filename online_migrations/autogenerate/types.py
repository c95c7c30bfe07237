"""Types in a revision: those that it cannot have are refused, and the others are written by names that can be imported.

A revision stays while the code of the project changes. So a TypeDecorator is written as what it is in the database.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from sqlalchemy import Column, Connection, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import ARRAY, Enum, Interval, TypeDecorator, TypeEngine

from online_migrations.connection import connection_of
from online_migrations.definitions import columns_wanted
from online_migrations.errors import UnsafeOperation
from online_migrations.sql import DIALECT


def sql_type(kind: Any) -> str:
    """Return the type as SQL, such as "VARCHAR(50)"."""
    return str(kind.compile(dialect=DIALECT))


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Render a type by the public name of its class, and a text as it is. A hook of Alembic, which renders the others.

    Alembic takes a quote that a default begins or ends with for one around it.
    """
    if kind == "server_default" and isinstance(getattr(item, "arg", None), str):
        return repr(item.arg)
    if kind != "type":
        return False
    module = type(item).__module__
    if not module.startswith("sqlalchemy."):
        if isinstance(item, TypeDecorator):
            return _repr_type(item.load_dialect_impl(context.dialect), context)
        context.imports.add(f"import {module}")  # a type of its own has no other name
        return False
    # The repr() of an Interval has no precision.
    public = _public(item.dialect_impl(context.dialect) if isinstance(item, Interval) else item)
    if type(public) is ARRAY:
        return f"sa.ARRAY({_repr_type(public.item_type, context)}, dimensions={public.dimensions})"
    return False if public is item else _repr_type(public, context)


def _public(item: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type by a class that SQLAlchemy exports: those of its dialects, such as PGUuid, it does not."""
    exported = [*vars(postgresql).values(), *vars(sqlalchemy).values()]
    found = next((cls for cls in type(item).__mro__ if cls in exported), type(item))
    return item if found is type(item) else item.adapt(found)


def require_types(table: str, columns: Iterable[Column[Any]], context: AutogenContext) -> None:
    """Refuse a type that no revision makes, that the server does not have, or that the revision's file cannot say."""
    own = [column for column in columns if not column.system]
    require_known(table, own, connection_of(context.migration_context))
    conventions = getattr(context.metadata, "naming_convention", {})
    for column in own:
        _require_written(table, column, context)
        kind = column.type
        if isinstance(kind, Enum) and kind.create_constraint and not kind.name and "ck" in conventions:
            raise UnsafeOperation(
                f"The rule of {table}.{column.name} has no name, which the naming convention of the models asks for:"
                " Enum(…, native_enum=False, create_constraint=True, name=…)."
            )


def indexes_of_types(table: Table) -> set[str]:
    """Return the names of the indexes that the types make with a table, such as the spatial ones of GeoAlchemy2."""
    bare = Table(table.name, MetaData(), *(Column(column.name, column.type) for column in table.columns))
    return {str(index.name) for index in bare.indexes}


def require_known(table: str, columns: Sequence[Column[Any]], connection: Connection) -> None:
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


def _require_written(table: str, column: Column[Any], context: AutogenContext) -> None:
    """Refuse a type of which the file would fail when it is imported, or make another one."""
    source, said = type(column.type).__name__, ""
    names: dict[str, Any] = {"sa": sqlalchemy}
    try:
        source, wanted = _repr_type(column.type, context), sql_type(column.type)
        exec("\n".join(context.imports), names)  # noqa: S102 - what the file is to begin with
        said = sql_type(eval(source, names))  # noqa: S307 - and to say
    except Exception as error:  # of the project's own class
        wanted, said = "", f"{type(error).__name__}: {error}"
    if said != wanted:
        raise UnsafeOperation(
            f"The type of {table}.{column.name} would be written as {source}, which ends as {said}. Nothing was"
            " written. Have its class at the top of a module, and its repr() show the call that makes it; or make it a"
            " TypeDecorator, which is written as its impl."
        )


def _refuse_type_of_database(table: str, column: Column[Any]) -> None:
    item: Any = column.type
    while isinstance(item, ARRAY | TypeDecorator):
        item = item.item_type if isinstance(item, ARRAY) else item.impl
    if isinstance(item, postgresql.DOMAIN):
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
