"""Rewrites of the directives for columns: added, retired, and of another type, default, nullability or comment.

A revision stays while the code of the project changes. So its types have names that can be imported, and a
TypeDecorator is written as what it is in the database. A type of which the file would say something else is refused.
"""

from collections.abc import Collection, Iterable
from typing import Any, Literal

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.operations import ops
from sqlalchemy import CheckConstraint, Column, Connection, DefaultClause, Identity, MetaData, Table, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import ARRAY, Enum, Interval, TypeDecorator, TypeEngine

from online_migrations.autogenerate.compare import Call, Change, Diff, EnumValues, arguments_of, call
from online_migrations.compatible_types import is_compatible, is_longer_text
from online_migrations.connection import connection_of
from online_migrations.definitions import RETIRED_COMMENT, require_known
from online_migrations.errors import UnsafeOperation
from online_migrations.operations.catalog import Question, ask
from online_migrations.operations.tables import reason_not_to_add, rebuilt
from online_migrations.operations.type_changes import not_carried_over
from online_migrations.sql import DIALECT, names_in, quote, shadow_of, sql_type
from online_migrations.state.ledger import CONTRACT, EXPAND
from online_migrations.state.live import type_name

# A retired column gets one of these in rows of code that does not know it: no text, none, nothing, now.
CONSTANTS: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (types.String, "''"),
    (types.Integer, "0"),
    (types.Numeric, "0"),
    (types.Boolean, "false"),
    (types.DateTime, "now()"),
    (types.Date, "CURRENT_DATE"),
    (ARRAY, "'{}'"),
)


def add_column(op: ops.AddColumnOp, diff: Diff) -> Change:
    column = op.column
    require_types(op.table_name, [column], diff.context)
    if reason := reason_not_to_add(op.table_name, column, diff.connection):
        raise UnsafeOperation(reason)
    undo = call("drop_column_contract", op.table_name, column.name)
    return Change([Call("add_column_online", arguments_of(op, diff.context))], [undo], EXPAND)


def drop_column(op: ops.DropColumnOp, diff: Diff) -> Change:
    """Retire the column instead: the live release still reads it.

    Where it is required, rows of new code get a constant, or else NULL, which old code may meet after a rollback.
    """
    column, where = op.to_column(), (op.table_name, op.column_name)
    added = (one for (of, _), one in diff.new_columns.items() if of == op.table_name)
    if namesake := next((one.name for one in added if sql_type(one.type) == sql_type(column.type)), None):
        raise UnsafeOperation(
            f"{op.table_name}.{op.column_name} goes and {op.table_name}.{namesake} of the same type comes. If it is a"
            f' new name, keep the column and what it holds: {namesake} = mapped_column("{op.column_name}", …). If they'
            " are two things, take them in two revisions: add the one, migrate, remove the other, migrate."
        )
    if column.primary_key:
        raise UnsafeOperation(
            f"{op.table_name}.{op.column_name} is in the primary key, and rows need a value in it. Leave the column,"
            " take it out of the key alone, migrate and release that; then take it out of the model."
        )
    is_required = not column.nullable and column.server_default is None
    default = constant_for(column) if is_required else None
    down = [call("reinstate_column_online", *where, comment=column.comment)]
    if is_required:
        down.append(call("set_default_online", *where, None) if default else call("set_not_null_online", *where))
    phase = CONTRACT if is_required and not default else EXPAND
    return Change([call("retire_column_online", *where, default=default)], [*down], phase)


def constant_for(column: Column[Any]) -> str | None:
    """Return a value that any code can read, where no rule asks for another one."""
    rules = [*column.table.constraints, *(index for index in column.table.indexes if index.unique)]
    is_free = not any(stands_on(rule, [column.name]) for rule in rules)
    return next((constant for kind, constant in CONSTANTS if is_free and isinstance(column.type, kind)), None)


def stands_on(item: Any, columns: list[str]) -> bool:
    """Tell if a constraint or an index is about one of the columns."""
    if isinstance(item, CheckConstraint):
        return not names_in(str(item.sqltext)).isdisjoint(columns)
    return any(column.name in columns for column in getattr(item, "columns", ()))


def alter_column(op: ops.AlterColumnOp, diff: Diff) -> Change:
    where = (op.table_name, op.column_name)
    relax, require = call("drop_not_null_online", *where), call("set_not_null_online", *where)
    parts: list[Change] = []
    if op.modify_type is not None:
        parts.append(alter_type(op, diff))
    if op.modify_server_default is not False:
        parts.append(alter_default(op))
    if op.modify_nullable is not None:
        parts.append(Change([relax], [require], EXPAND) if op.modify_nullable else Change([require], [relax], CONTRACT))
    if op.modify_comment is not False:
        parts.append(alter_comment(op))
    return Change.joined(parts)


def alter_type(op: ops.AlterColumnOp, diff: Diff) -> Change:
    """Widen a text, unless an index would be rebuilt for it; else change the type by dual writes, there and back."""
    kinds = [kind for kind in (op.existing_type, op.modify_type) if kind is not None]
    old, new = map(sql_type, kinds)
    names = [type_name(kind) for kind in kinds]
    where = (op.table_name, op.column_name)
    require_free(ask("in_the_way", where[0], column=where[1]), diff.connection, ".".join(where))
    is_collated_alike = old.partition(" COLLATE ")[2] == new.partition(" COLLATE ")[2]
    indexes = ask("computed_indexes", op.table_name, column=op.column_name).rows(diff.connection).scalars().all()
    has_parts = bool(ask("is_related", op.table_name).rows(diff.connection).scalar())
    is_longer = is_longer_text(*names) and is_collated_alike
    if is_longer and not indexes:
        # No downgrade: a shorter type may not fit texts written meanwhile, and the longer one harms no old code.
        return Change([call("widen_text_online", *where, new)] if new != old else [], [], EXPAND)
    if is_longer and has_parts:
        raise UnsafeOperation(rebuilt(*where, new, indexes, has_parts))
    if ask("type_name", where[0], column=shadow_of(where[1])).rows(diff.connection).scalar() == names[1]:
        raise UnsafeOperation(
            f"{op.table_name}.{op.column_name} was {new} before a revision that ran, or was stopped, and its shadow is"
            f" still that. If no release that knows {old} is live, take it back in a revision by hand:"
            f" change_type_online({where[0]!r}, {where[1]!r}, {new!r}). Else leave {old} in the model."
        )
    if has_parts or not is_compatible(*names):
        parts = "where it has partitions, or is inherited, no column takes the place of another"
        reason = parts if has_parts else "the release that is live cannot read or write that"
        twin = f"{op.column_name}_new"
        casts = [f"CAST({quote(column)} AS {kind})" for column, kind in ((op.column_name, new), (twin, old))]
        raise UnsafeOperation(
            f"{op.table_name}.{op.column_name} would change from {old} to {new}, and {reason}. Add a column of the new"
            " type under a new name, and let the new code use that one; a trigger keeps both right. Write a revision by"
            f" hand: add_synced_column_online({where[0]!r}, {where[1]!r}, sa.Column({twin!r}, …), {casts[0]!r},"
            f" {casts[1]!r})"
        )
    require_free(not_carried_over(*where), diff.connection, ".".join(where))
    pk = primary_key(op.table_name, diff)
    # Through the text, in which a real shows as few digits as tell it from others: 0.1 stays 0.1.
    by_text = f"CAST(CAST({quote(op.column_name)} AS text) AS {new})" if names[0] == "real" else None
    forth = call("change_type_online", *where, new, using=by_text, pk=pk)
    back = call("change_type_online", *where, old, back=by_text, pk=pk)
    return Change([forth], [back, call("drop_shadow_contract", *where)], EXPAND)


def require_free(question: Question, connection: Connection, what: str, going: Collection[str] = ()) -> None:
    """Refuse to drop or change what something stands on that does not allow it, unless that goes too."""
    things: list[str] = [one for one in question.rows(connection).scalars() if one not in going]
    if things:
        raise UnsafeOperation(
            f"Nothing was written: {things[0]} stands on {what}, which PostgreSQL neither changes nor drops under it."
            " Drop that in a release before, by hand or out of the model, and make it anew after this change. What a"
            " release uses gets another in its place first, under a name of its own."
        )


def primary_key(table: str, diff: Diff) -> str | None:
    """Return the column by which a backfill goes through the table; None: id, as backfills do by themselves."""
    model = diff.model(table)
    names = ["id"] if model is None else [column.name for column in model.primary_key]
    if len(names) != 1:
        raise UnsafeOperation(
            f"{table} has no key of one column, by which its rows could be filled in batches. Write the revision by"
            " hand: change_type_online(…, pk=…) with a column that is NOT NULL and unique, or add a column under a"
            " new name."
        )
    return None if names == ["id"] else names[0]


def alter_default(op: ops.AlterColumnOp) -> Change:
    if isinstance(op.modify_server_default, Identity) or isinstance(op.existing_server_default, Identity):
        raise UnsafeOperation(
            f"{op.table_name}.{op.column_name} has not the same identity in the models and in the database, and which"
            " numbers are taken is not known here. Write a revision by hand, with ALTER TABLE … ALTER COLUMN … ADD"
            ' GENERATED BY DEFAULT AS IDENTITY (START WITH …); or, with phase = "contract", DROP IDENTITY.'
        )
    new, old = (default_sql(default) for default in (op.modify_server_default, op.existing_server_default))
    up, down = (call("set_default_online", op.table_name, op.column_name, default) for default in (new, old))
    return Change([up], [down], CONTRACT if new is None else EXPAND)  # inserts of the live release count on it


def default_sql(default: Any) -> str | None:
    """Return a server_default as SQL; None: there is none."""
    compiler = DIALECT.ddl_compiler(DIALECT, None)  # type: ignore[arg-type]  # of no statement
    return compiler.render_default_string(default.arg) if isinstance(default, DefaultClause) else None


def alter_comment(op: ops.AlterColumnOp) -> Change:
    """Set or drop a comment. Dropping "retired" means that the model is back."""
    if op.existing_comment == RETIRED_COMMENT:
        where = (op.table_name, op.column_name)
        reinstate = call("reinstate_column_online", *where, comment=op.modify_comment or None)
        return Change([reinstate], [call("retire_column_online", *where)], EXPAND)
    only = ops.AlterColumnOp(op.table_name, op.column_name, schema=op.schema, existing_type=op.existing_type)
    only.modify_comment, only.existing_comment = op.modify_comment, op.existing_comment
    return Change([only], [only.reverse()], EXPAND)


def add_values(op: EnumValues, diff: Diff) -> Change:
    """Add each value before the next one of the model that the type has: values sort in the order of the type."""
    _, table, enum, old, new, column = op.difference
    if gone := [value for value in old if value not in new]:
        raise UnsafeOperation(
            f"{table}.{column} would lose {', '.join(gone)}, but PostgreSQL cannot take a value from the type {enum}."
            " Leave the value in the model and write it no more, or go on in a new column."
        )
    following = {value: next((other for other in new[at:] if other in old), None) for at, value in enumerate(new)}
    added = [value for value in new if value not in old]
    calls = [call("add_enum_value_online", enum, value, before=following[value]) for value in added]
    return Change([*calls], [], EXPAND)  # no downgrade: a value that nobody writes harms no code


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


def indexes_of_types(table: Table) -> set[str]:
    """Return the names of the indexes that the types make with a table, such as the spatial ones of GeoAlchemy2."""
    bare = Table(table.name, MetaData(), *(Column(column.name, column.type) for column in table.columns))
    return {str(index.name) for index in bare.indexes}
