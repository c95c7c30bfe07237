"""Rewrites of the directives for tables, constraints and indexes; and the contract step, which drops what was retired.

A constraint that comes is a contract, unless the live release leaves NULL where it looks. One that goes is a contract
when the live release may rely on it: by ON CONFLICT, by an IntegrityError that it catches, or by ON DELETE CASCADE.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import Column, Connection, Index, MetaData, PrimaryKeyConstraint, Table, inspect
from sqlalchemy.schema import CreateSequence, DropSequence, ForeignKeyConstraint
from sqlalchemy.sql.elements import conv

from online_migrations import definitions
from online_migrations.autogenerate import compare
from online_migrations.autogenerate.columns import indexes_of_types, require_free, require_types, stands_on
from online_migrations.autogenerate.compare import Call, Change, Diff, NewSequence, arguments_of, call, constraint_name
from online_migrations.connection import connection_of
from online_migrations.definitions import RETIRED_COMMENT, SHADOW_PREFIX, on_search_path
from online_migrations.errors import UnsafeOperation
from online_migrations.operations.catalog import ask
from online_migrations.operations.steps import require_partition_key
from online_migrations.sql import DIALECT, condition_sql, quote, shadow_of, sql_name
from online_migrations.state.ledger import CONTRACT, EXPAND
from online_migrations.state.tables import is_of_a_tool

log = logging.getLogger(__name__)


def create_table(op: ops.CreateTableOp, diff: Diff) -> Change:
    if ask("is_relation", op.table_name, kinds="vm").rows(diff.connection).scalar():
        raise UnsafeOperation(
            f"{op.table_name} is a view in the database, and its model would become a table. Mark the model as one of a"
            ' view: __table_args__ = {"info": {"is_view": True}}'
        )
    table = op.to_table()
    require_types(op.table_name, table.columns, diff.context)
    names = {column.name for column in table.columns}
    if old := next((gone for gone, columns in diff.retired_tables.items() if columns == names), None):
        raise UnsafeOperation(
            f"The table {old} goes and {op.table_name} with the same columns comes. If it is a new name, the rows have"
            f" to come along: write a revision by hand, with rename_with_view({old!r}, {op.table_name!r})."
        )
    if op.schema and not diff.context.inspector.has_schema(op.schema):
        raise UnsafeOperation(
            f"The schema {op.schema} of the new table {op.table_name} is not there. Make it in a revision by hand, with"
            f" op.execute({f'CREATE SCHEMA {quote(op.schema)}'!r}), upgrade, and migrate then."
        )
    _require_made(op.table_name, diff)
    later: list[Any] = [one for one in op.columns if _comes_after(one, op, diff)]
    keys = Change.joined([create_foreign_key(ops.CreateForeignKeyOp.from_constraint(key), diff) for key in later])
    op.columns = [one for one in op.columns if not _comes_after(one, op, diff)]
    return Change([op, *keys.up], [*keys.down, op.reverse()], EXPAND)


def _require_made(table: str, diff: Diff) -> None:
    model = diff.model(table)
    if model is not None and (why := definitions.reason_not_to_make(diff.connection, model)):
        raise UnsafeOperation(f"PostgreSQL would not make the table {table} as its model says: {why} Put it right.")


def schema_of(op: Any) -> str | None:
    if not isinstance(op, ops.CreateForeignKeyOp):
        return getattr(op, "schema", None)
    named: list[str] = sorted({op.kw[end] for end in ("source_schema", "referent_schema") if op.kw.get(end)})
    if len(named) > 1:
        raise UnsafeOperation(
            f"The foreign key from {op.source_table} to {op.referent_table} leads from one of the schemas"
            f" {' and '.join(named)} into the other, and an operation works in one. Leave it out of the model."
        )
    return named[0] if named else None


def _comes_after(item: Any, op: ops.CreateTableOp, diff: Diff) -> bool:
    """Tell if it is a new table's foreign key to a table that is made after it: two may refer to each other."""
    if not isinstance(item, ForeignKeyConstraint):
        return False
    not_yet = diff.new_tables[diff.new_tables.index(op.table_name) + 1 :]
    other = item.referred_table
    return item.use_alter or (other.schema == op.schema and other.name in not_yet)


def drop_table(op: ops.DropTableOp, diff: Diff) -> Change:
    """Retire the table instead: the live release still uses it."""
    log.warning(
        "%s is in no model, so it is retired; if a tool or a person made it, name it in Options(unmapped_prefixes=…)",
        op.table_name,
    )
    reinstate = call("reinstate_table_online", op.table_name, comment=op.to_table().comment)
    return Change([call("retire_table_online", op.table_name)], [reinstate], EXPAND)


def create_sequence(op: NewSequence) -> Change:
    """Create it before what takes numbers from it; if it is there, an attempt that ended later has made it."""
    create, drop = CreateSequence(op.sequence, if_not_exists=True), DropSequence(op.sequence, if_exists=True)
    up, down = (ops.ExecuteSQLOp(str(ddl.compile(dialect=DIALECT))) for ddl in (create, drop))
    return Change([up], [down], EXPAND)


def comment_on_table(op: Any, diff: Diff) -> Change:
    """Set or drop a comment; Alembic has a directive for each. Dropping "retired" means that the model is back."""
    if getattr(op, "existing_comment", None) == RETIRED_COMMENT:
        reinstate = call("reinstate_table_online", op.table_name, comment=getattr(op, "comment", None))
        return Change([reinstate], [call("retire_table_online", op.table_name)], EXPAND)
    return Change([op], [op.reverse()], EXPAND)


def create_index(op: ops.CreateIndexOp, diff: Diff) -> Change:
    op.kw.pop("postgresql_concurrently", None)
    op.index_name = sql_name(op.index_name or "")
    if ask("is_taken", op.table_name, name=quote(op.index_name)).rows(diff.connection).scalar():
        raise UnsafeOperation(
            f"The name {op.index_name} is that of something else than an index on {op.table_name} in the database, and"
            " what is new is made before the other goes. Give it another name in the model."
        )
    if op.table_name in diff.new_tables:  # it is made in the transaction that creates the table
        model = diff.model(op.table_name)
        is_made = model is not None and op.index_name in indexes_of_types(model)
        return Change([] if is_made else [op], [], EXPAND)
    arguments = arguments_of(op, diff.context).replace(", unique=False", "")
    undo = call("drop_index_online", op.index_name)
    return Change([Call("create_index_online", arguments)], [undo], unique_phase(op, diff) if op.unique else EXPAND)


def create_unique(op: ops.CreateUniqueConstraintOp, diff: Diff) -> Change:
    options = {name: op.kw.get(name) for name in ("deferrable", "initially")}
    options["nulls_not_distinct"] = bool(op.kw.get("postgresql_nulls_not_distinct"))
    options["include"] = tuple(op.kw.get("postgresql_include") or ())
    where = (op.table_name, constraint_name(op))
    add = call("add_unique_online", *where, [str(column) for column in op.columns], **options)
    return Change([add], [call("drop_constraint_online", *where)], unique_phase(op, diff))


def create_primary_key(op: ops.CreatePrimaryKeyOp, diff: Diff) -> Change:
    if referring := ask("referring", op.table_name).rows(diff.connection).scalar():
        raise UnsafeOperation(
            f"The foreign key {referring} refers to {op.table_name}, whose primary key would change. Take that foreign"
            " key out of its model, migrate and release that; then change the key, migrate, and put it back."
        )
    columns = [str(column) for column in op.columns]
    require_partition_key(diff.connection, op.table_name, columns)
    add = call("add_primary_key_online", op.table_name, constraint_name(op), columns)
    return Change([add], [call("drop_constraint_online", op.table_name, constraint_name(op))], CONTRACT)


def create_foreign_key(op: ops.CreateForeignKeyOp, diff: Diff) -> Change:
    schema_of(op)  # which refuses one into another schema
    _require_made(op.source_table, diff)
    ends = (op.source_table, op.referent_table, list(op.local_cols), list(op.remote_cols))
    options = {name: op.kw.get(name) for name in ("onupdate", "ondelete", "deferrable", "initially", "match")}
    add = call("add_foreign_key_online", constraint_name(op), *ends, **options)
    columns = [str(column) for column in op.local_cols]
    added = diff.added_to(op.source_table, columns)
    is_new = len(added) == len(columns)  # the live release does not write them, so the key cannot hurt it
    if is_new and all(column.server_default is not None for column in added):
        raise UnsafeOperation(
            f"{op.source_table} gains {', '.join(columns)}, which refers to another table and has a default: each row"
            " of the live release would need the row of the default. Begin without a default: Mapped[… | None] with a"
            " ForeignKey; fill it, and require it in a later release."
        )
    drop = call("drop_constraint_online", op.source_table, constraint_name(op))
    return Change([add], [drop], EXPAND if is_new else CONTRACT)


def create_check(op: ops.CreateCheckConstraintOp, diff: Diff) -> Change:
    condition = condition_sql(op.condition)
    add = call("add_check_online", op.table_name, constraint_name(op), condition)
    columns = diff.columns_in(op.table_name, condition)
    is_new = 0 < len(columns) == len(diff.added_to(op.table_name, columns))
    drop = call("drop_constraint_online", op.table_name, constraint_name(op))
    return Change([add], [drop], EXPAND if is_new else CONTRACT)


def unique_phase(op: ops.CreateIndexOp | ops.CreateUniqueConstraintOp, diff: Diff) -> str:
    """Return the phase: on columns that the live release writes it may refuse what that release writes."""
    table, columns = op.table_name, [str(getattr(column, "name", column)) for column in op.columns]
    require_partition_key(diff.connection, table, columns)
    new = diff.added_to(table, columns)
    if not op.kw.get("postgresql_nulls_not_distinct") and any(column.server_default is None for column in new):
        return EXPAND  # the live release leaves NULL in it, and NULL is not the same as NULL
    if len(new) == len(columns):
        raise UnsafeOperation(
            f"{table} gains {', '.join(columns)}, in which no two rows may be the same, and rows that are there, as"
            " those that the live release inserts, would all get one value. Begin without a default:"
            " Mapped[… | None] with unique=True; fill it, and require it in a later release."
        )
    return CONTRACT


def drop_index(op: ops.DropIndexOp, diff: Diff) -> Change:
    index = op.to_index()
    if is_kept(str(op.table_name), [column.name for column in index.columns], bool(index.unique), diff):
        return Change([], [], EXPAND)  # the live release still searches by it; it is dropped with the column
    up, down = create_index(op.reverse(), diff)[:2]
    return Change(down, up, CONTRACT if index.unique else EXPAND)


def drop_constraint(op: ops.DropConstraintOp, diff: Diff) -> Change:
    reverse = reversed_drop(op, diff)
    if isinstance(reverse, ops.CreateCheckConstraintOp):
        condition = condition_sql(reverse.condition)
        columns = diff.columns_in(op.table_name, condition)
        # New code leaves NULL or the default in it. A rule of this column alone, which is not about NULL, holds then.
        is_met = 0 < len(columns) == len(diff.retired_of(op.table_name, columns)) and " NULL" not in condition
        stays = is_met or op.table_name in diff.retired_tables
    else:
        columns = [str(column) for column in getattr(reverse, "columns", getattr(reverse, "local_cols", []))]
        stays = is_kept(op.table_name, columns, isinstance(reverse, ops.CreateUniqueConstraintOp), diff)
    if stays:
        return Change([], [], EXPAND)
    up, down = CREATE[type(reverse)](reverse, diff)[:2]
    relied_on = ask("relied_on", op.table_name, constraint=constraint_name(op)).rows(diff.connection).scalar()
    return Change(down, up, CONTRACT if relied_on else EXPAND)


def is_kept(table: str, columns: Iterable[str], is_unique: bool, diff: Diff) -> bool:
    """Tell if an index or constraint stays until its column is dropped: not where a default would be there twice."""
    gone = diff.retired_of(table, columns)
    is_filled = all(column.server_default is not None for column in gone)
    return table in diff.retired_tables or (bool(gone) and not (is_unique and is_filled))


def reversed_drop(op: Any, diff: Diff) -> Any:
    """Return what adds the constraint again. SQLAlchemy does not reflect that a UNIQUE constraint is deferrable."""
    reverse = op.reverse()
    if isinstance(reverse, ops.CreateUniqueConstraintOp):
        there = definitions.all_there(diff.connection, op.table_name).get(sql_name(op.constraint_name or ""))
        reverse.kw["deferrable"] = (there is not None and " DEFERRABLE" in there.text) or None
        reverse.kw["initially"] = "DEFERRED" if there and "INITIALLY DEFERRED" in there.text else None
    return reverse


CREATE: dict[type, Callable[[Any, Diff], Change]] = {
    ops.CreateIndexOp: create_index,
    ops.CreateUniqueConstraintOp: create_unique,
    ops.CreatePrimaryKeyOp: create_primary_key,
    ops.CreateForeignKeyOp: create_foreign_key,
    ops.CreateCheckConstraintOp: create_check,
}


def replace(op: compare.Replacement, diff: Diff) -> Change:
    """Put something in the place of another one, in one call each way. The live release knows the old one."""
    add = CREATE[type(op.create)]
    up, down = add(op.create, diff).up, add(reversed_drop(op.drop, diff), diff).up
    for one in (*up, *down):
        if isinstance(one, Call):
            one.arguments += ", replace=True"
    is_plain_index = isinstance(op.create, ops.CreateIndexOp) and not (op.create.unique or op.drop.to_index().unique)
    return Change(up, down, EXPAND if is_plain_index or op.is_wider else CONTRACT)


def is_retired(item: Any) -> bool:
    """Tell if a table or column has the comment of a retired one, or of the shadow of a changed type."""
    return bool(item.comment == RETIRED_COMMENT or str(item.comment).startswith(SHADOW_PREFIX))


def is_part_of_another(table: Table) -> bool:
    """Tell if it is a partition, or inherits from another table, whose queries show its rows."""
    return table.dialect_options["postgresql"]["inherits"] is not None


def drop_retired(autogen: AutogenContext, schemas: Iterable[str | None] = (None,)) -> Change:
    """Drop the tables and columns that are marked as retired. The downgrade makes them again, without their rows."""
    connection = connection_of(autogen.migration_context)
    parts: list[Change] = []
    found = [table for table in _tables(connection, schemas) if not is_of_a_tool(table.name)]
    for table in reversed(found):  # what refers to others goes first
        with on_search_path(connection, table.schema):
            parts += [part.in_schema(table.schema) for part in _retired_in(table, connection, autogen)]
    return Change.joined(parts)


def _retired_in(table: Table, connection: Connection, autogen: AutogenContext) -> Iterator[Change]:
    retired = [column for column in table.columns if column.comment == RETIRED_COMMENT]
    for name in [None] if table.comment == RETIRED_COMMENT else [column.name for column in retired]:
        what = table.name if name is None else f"{table.name}.{name}"
        going = [f"computed column {column.name}" for column in retired if column.computed is not None]
        require_free(ask("in_the_way", table.name, column=name), connection, what, going)
    if table.comment == RETIRED_COMMENT:
        indexes = [index for index in table.indexes if index.name not in indexes_of_types(table)]
        again = [ops.CreateTableOp.from_table(table), *map(ops.CreateIndexOp.from_index, indexes)]
        yield Change([call("drop_table_contract", table.name)], again, CONTRACT)
        return
    # Dual writes of a changed type, whose shadow goes with them; and those that need a column that goes.
    shadows = [column.name for column in table.columns if column.comment == definitions.SHADOW_OF_FORMER]
    changed = [column.name for column in table.columns if shadow_of(column.name) in shadows]
    asked = [ask("dual_writes_on", table.name, column=column.name).rows(connection) for column in retired]
    stopped = [call("stop_dual_write_contract", table.name, name) for rows in asked for name in rows.scalars()]
    yield Change([*(call("drop_shadow_contract", table.name, name) for name in changed), *stopped], [], CONTRACT)
    for column in sorted(retired, key=lambda column: column.computed is None):  # before what it is computed from
        yield Change([call("drop_column_contract", table.name, column.name)], _make_again(column, autogen), CONTRACT)


def _tables(connection: Connection, schemas: Iterable[str | None]) -> list[Table]:
    """Return the tables of the database, those before others that these refer to, without parts of others."""
    metadata = MetaData()
    placed = inspect(connection).sort_tables_on_foreign_key_dependency(list(schemas))
    places = [place for place, _ in placed if place]  # the last entry has none, and the keys that make a circle
    found = [Table(name, metadata, schema=of, autoload_with=connection, resolve_fks=False) for of, name in places]
    for table in found:
        items: tuple[Any, ...] = (*table.constraints, *table.indexes)
        for item in items:
            item.name = conv(item.name) if item.name else item.name  # it is not part of a naming convention's name
    return [table for table in found if not is_part_of_another(table)]


def _make_again(column: Column[Any], autogen: AutogenContext) -> list[ops.MigrateOperation]:
    """Add the column, empty, with what stood on it."""
    table = column.table
    default = getattr(column.server_default, "arg", None)
    bare = Column(column.name, column.type, server_default=default, nullable=column.nullable, comment=column.comment)
    added = Call("add_column_online", arguments_of(ops.AddColumnOp(table.name, bare), autogen))
    made: list[ops.MigrateOperation] = [added]
    items: list[Any] = [item for item in (*table.indexes, *table.constraints) if stands_on(item, [column.name])]
    for item in (item for item in items if not isinstance(item, PrimaryKeyConstraint)):
        add = ops.CreateIndexOp.from_index if isinstance(item, Index) else ops.AddConstraintOp.from_constraint
        directive = add(item)
        made += CREATE[type(directive)](directive, Diff(autogen)).up
    return made
