"""Add, replace or drop an index, a CHECK, a foreign key, a UNIQUE or a primary key.

What reads the table, the build of an index or VALIDATE CONSTRAINT, runs beside the traffic; the rest in a short lock.
"""

from collections.abc import Sequence
from typing import Any

from alembic.operations.ops import CreateIndexOp
from sqlalchemy import Column
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.elements import TextClause

from online_migrations.errors import ReleaseError
from online_migrations.guard.snapshot import Effect, on_table
from online_migrations.operations import steps
from online_migrations.operations.backfill import refuse_while_filling
from online_migrations.operations.catalog import ask, bind, tables_locked, to_replace
from online_migrations.operations.steps import Step, add_validated, online, run_or_undo, run_steps, strong
from online_migrations.operations.tables import set_not_null_online
from online_migrations.sql import DIALECT, alter, names_in, quote, quoted_list, shorten_identifier, spare_name


def create_index_online(
    name: str,
    table: str,
    columns: list[str | TextClause],
    *,
    unique: bool = False,
    replace: bool = False,
    **options: Any,
) -> None:
    """Build an index beside the traffic, or put it in the place of another one.

    An INVALID index, which a build that failed has left, is dropped first. Expand; a unique index on columns that the
    previous release writes is contract.

    Args:
        columns: names, or expressions in text().
        replace: an index of the name goes when the new one is built. Queries have one of both at any time.
        options: those of op.create_index, such as postgresql_where.

    Example: create_index_online("ix_notes_colour", "notes", ["user_id", "colour"])
    SQL: reads the table twice and waits for all open transactions.
    Downgrade: drop_index_online.
    Raises:
        UnsafeOperation: a unique index, and two rows are the same. The index is dropped again.
    """
    _refuse_taken(table, name)
    options.pop("postgresql_concurrently", None)  # it is built so in any case, but on no empty copy
    if unique:
        steps.require_partition_key(bind(), table, [one for one in columns if isinstance(one, str)])
    spare, old = spare_name(name), shorten_identifier(f"{name}_old")
    there = to_replace(table, name, _create(name, table, columns, unique, options), replace)
    effects = [_requiring(table, name, columns, options)] if unique else []
    effects += [] if there is None else _dropping_index(name)
    if steps.is_partitioned(table):
        of_parts = steps.Divided(
            lambda table, name: _create(name, table, columns, unique, options),
            lambda part, own: create_index_online(own, part, columns, unique=unique, replace=replace, **options),
            lambda part, old, new: f"ALTER INDEX {part.qualified(old)} RENAME TO {quote(new)}" if old != new else "",
        )
        steps.add_to_partitioned(table, name, of_parts, there, effects)
        return
    built = name if there is None else spare
    if replace:  # of an attempt that was killed, and may have had another definition
        run_steps(steps.drop_index(spare), steps.drop_index(old))
    concurrently = _create(built, table, columns, unique, {**options, "postgresql_concurrently": True})
    # Without a lock on the table: the old one's name goes to the new one, and then the old one goes.
    rename = f"ALTER INDEX IF EXISTS {quote(name)} RENAME TO {quote(old)}"
    take = f"{rename}; ALTER INDEX {quote(built)} RENAME TO {quote(name)}"
    drop_invalid, build = steps.build_index(built, concurrently)
    same = f"{table} has rows that are the same in {', '.join(map(str, columns))}"
    run_or_undo(
        *(drop_invalid, build),
        *(() if there is None else (online(take, when=ask("has_index", built)), steps.drop_index(old))),
        undo=drop_invalid,
        broken=f"{same}, so {name} cannot be unique. Fix the rows",
        effects=effects,
    )


def drop_index_online(name: str) -> None:
    """Drop an index beside the traffic. Expand; a unique one that the previous release relies on is contract.

    SQL: waits for the transactions that use the table.
    Downgrade: create_index_online.
    """
    run_steps(steps.drop_index(name), effects=_dropping_index(name))


def add_check_online(table: str, name: str, condition: str, *, replace: bool = False) -> None:
    """Add a CHECK constraint, or put it in the place of another one.

    Contract, if the previous release may write what it refuses. On a new column it is expand, if NULL or the column's
    default meets it, whatever stands in the others. To replace one is expand if PostgreSQL's planner proves that the
    new one takes each row that the other takes, such as size < 20 after size < 10; else there is excused("…"). One of
    both holds at any time.

    Example: add_check_online("notes", "ck_notes_colour", "colour IN ('yellow', 'blue')")
    SQL: new rows must meet it from the first statement on.
    Downgrade: drop_constraint_online; of a replacement, the same call with the condition of before.
    Raises:
        UnsafeOperation: a row does not meet the condition; the new constraint is dropped again.
    """
    refuse_while_filling("add_check_online", lambda one: one.fills(table, names_in(condition)), table, name, condition)
    columns = ask("columns_named", table, words=list(names_in(condition))).listed()
    requires = on_table("requires-more", table, *columns, subject=name, check=condition)
    _add((table,), name, f"CHECK ({condition})", f"a row of {table} does not meet {condition}", replace, requires)


def add_foreign_key_online(
    name: str,
    table: str,
    referred_table: str,
    columns: Sequence[str],
    referred_columns: Sequence[str],
    *,
    onupdate: str | None = None,
    ondelete: str | None = None,
    deferrable: bool | None = None,
    initially: str | None = None,
    match: str | None = None,
    replace: bool = False,
) -> None:
    """Add a foreign key, or put it in the place of another one. The arguments are those of op.create_foreign_key.

    Contract, if the previous release may write what it refuses. Expand on a new column that new rows of the live
    release leave NULL: without a default, and filled by no trigger.

    Example: add_foreign_key_online("fk_notes_users", "notes", "users", ["user_id"], ["id"])
    SQL: VALIDATE CONSTRAINT takes also ROW SHARE on the other table.
    Downgrade: drop_constraint_online.
    Raises:
        UnsafeOperation: a row refers to nothing. The new constraint is dropped again.
    """
    options = {"MATCH": match, "ON UPDATE": onupdate, "ON DELETE": ondelete}
    given = "".join(f" {option} {value}" for option, value in options.items() if value)
    definition = f"FOREIGN KEY ({quoted_list(columns)}) REFERENCES {quote(referred_table)}"
    definition += f" ({quoted_list(referred_columns)}){given}{_deferral(deferrable, initially)}"
    left_null = ask("left_null", table, columns=list(columns)).listed()
    is_full = match == "FULL"
    takes = left_null if not is_full or set(left_null) == set(columns) else []
    requires = on_table("requires-more", table, *takes, subject=name, leaves_all_out=is_full)
    broken = f"a row of {table} refers to no {referred_table}"
    _add((table, referred_table), name, definition, broken, replace, requires)


def _deferral(deferrable: bool | None, initially: str | None) -> str:
    return (" DEFERRABLE" if deferrable else "") + (f" INITIALLY {initially}" if initially else "")


def drop_constraint_online(table: str, name: str) -> None:
    """Drop a constraint of any kind. Expand if it only refuses: a CHECK, or a foreign key without an action.

    Contract of a key, or of a foreign key that deletes or updates what refers to a row: old code may rely on it.

    Downgrade: the operation that adds it.
    """
    tables = tables_locked(table, constraint=name)
    run_steps(steps.drop_constraint(tables, name), effects=_dropping(table, name))


def add_unique_online(
    table: str,
    name: str,
    columns: list[str],
    *,
    deferrable: bool | None = None,
    initially: str | None = None,
    nulls_not_distinct: bool = False,
    include: tuple[str, ...] = (),
    replace: bool = False,
) -> None:
    """Add a UNIQUE constraint, or put it in the place of another one: build its index concurrently, then attach it.

    Contract on columns that the previous release writes.

    Args:
        include: columns that the index holds besides.
        replace: a constraint of the name goes in the moment in which the new one is attached.

    Example: add_unique_online("users", "uq_users_image_url", ["image_url"])
    Downgrade: drop_constraint_online, which drops the index too.
    Raises:
        UnsafeOperation: two rows are the same; the index is dropped again.
    """
    refuse_while_filling("add_unique_online", lambda one: one.fills(table, columns), table, name, columns)
    key = f"{'NULLS NOT DISTINCT ' if nulls_not_distinct else ''}({quoted_list(columns)})"
    key += f" INCLUDE ({quoted_list(include)})" if include else ""
    when = _deferral(deferrable, initially)
    options = {"postgresql_nulls_not_distinct": nulls_not_distinct or None, "postgresql_include": list(include)}
    _attach(table, name, columns, f"UNIQUE {key}{when}", f"UNIQUE USING INDEX {{}}{when}", replace, options)


def add_primary_key_online(table: str, name: str, columns: list[str], *, replace: bool = False) -> None:
    """Add a PRIMARY KEY, or put it in the place of another one. Its columns become NOT NULL, as by set_not_null_online.

    A foreign key that refers to the old key is in the way: PostgreSQL refuses, and nothing is changed. Contract.

    Example: add_primary_key_online("notes", "pk_notes", ["user_id"])
    Downgrade: drop_constraint_online, or the same call with the columns of before.
    Raises:
        UnsafeOperation: two rows are the same, or a column holds NULL; the index is dropped again.
    """
    refuse_while_filling("add_primary_key_online", lambda one: one.fills(table, columns), table, name, columns)
    steps.require_partition_key(bind(), table, columns)
    for column in columns:
        set_not_null_online(table, column)
    _attach(table, name, columns, f"PRIMARY KEY ({quoted_list(columns)})", "PRIMARY KEY USING INDEX {}", replace, {})


def _attach(
    table: str, name: str, columns: list[str], definition: str, attach: str, replace: bool, options: dict[str, Any]
) -> None:
    """Build an index, and make it a constraint, as `attach` says with {} in place of the index."""
    there = to_replace(table, name, _adding(table, name, definition), replace)
    if steps.is_partitioned(table):
        _refuse_taken(table, name)
        steps.require_partition_key(bind(), table, columns)
        effects = [_requiring(table, name, columns, options), *([] if there is None else _dropping(table, name))]
        of_parts = steps.Divided(
            lambda table, name: _adding(table, name, definition),
            lambda part, own: create_index_online(own, part, [*columns], unique=True, replace=replace, **options),
            lambda part, old, new: part.alter(f"ADD CONSTRAINT {quote(new)} {attach.format(quote(old))}"),
        )
        steps.add_to_partitioned(table, name, of_parts, there, effects)
        return
    replaces = there is not None
    index = spare_name(name) if replaces else name
    if replaces:
        run_steps(effects=_dropping(table, name))  # judged before anything is built
    create_index_online(index, table, [*columns], unique=True, replace=replaces, **options)
    drop = f"{steps.drop_constraint((table,), name).sql}; " if replaces else ""
    lacks_it = ask("has_index", index) if replaces else ~ask("has_constraint", table, constraint=name)
    attached = strong(table, drop + _adding(table, name, attach.format(quote(index))), when=lacks_it)
    run_steps(attached)


def _add(tables: tuple[str, ...], name: str, definition: str, broken: str, replace: bool, requires: Effect) -> None:
    """Add a constraint of the first table; to replace one, add it under a spare name, which changes at the end."""
    table = tables[0]
    there = to_replace(table, name, _adding(table, name, definition), replace, *tables[1:])
    built = name if there is None else spare_name(name)
    if there is None:  # if it is there, it asks nothing that it does not ask already
        effects = [] if ask("has_constraint", table, constraint=name).answer() else [requires]
    elif there.startswith("CHECK") and definition.startswith("CHECK"):
        effects = [requires._replace(beside=(there,))]
    else:
        effects = [requires, *_dropping(table, name)]
    if tables[1:] and steps.is_partitioned(table):
        of_parts = steps.Divided(
            lambda table, name: _adding(table, name, definition),
            lambda part, own: _add((part, *tables[1:]), own, definition, broken, replace, requires),
            lambda part, old, new: part.alter(f"RENAME CONSTRAINT {quote(old)} TO {quote(new)}") if old != new else "",
            tables[1:],
        )
        steps.add_to_partitioned(table, name, of_parts, there, effects)
        return
    if there is not None:  # of an attempt that was killed, and may have had another definition
        run_steps(steps.drop_constraint(tables_locked(table, constraint=built), built))
    run_or_undo(
        *add_validated(tables, built, definition),
        *(() if there is None else (take_name(tables, name, built),)),
        undo=steps.drop_constraint(tables, built),
        broken=f"{broken}, so {name} cannot hold. Fix the rows",
        effects=effects,
    )


def _adding(table: str, name: str, definition: str) -> str:
    return alter(table, f"ADD CONSTRAINT {quote(name)} {definition}")


def take_name(tables: tuple[str, ...], name: str, spare: str) -> Step:
    """Drop a constraint and give its name to another one, in one moment."""
    rename = alter(tables[0], f"RENAME CONSTRAINT {quote(spare)} TO {quote(name)}")
    is_built = ask("has_constraint", tables[0], constraint=spare)
    return strong(tables, f"{steps.drop_constraint(tables, name).sql}; {rename}", when=is_built)


def _create(name: str, table: str, columns: list[str | TextClause], unique: bool, options: dict[str, Any]) -> str:
    include: list[Column[Any]] = [Column(included) for included in options.get("postgresql_include", ())]
    index = CreateIndexOp(name, table, columns, unique=unique, **{**options, "postgresql_include": include}).to_index()
    return str(CreateIndex(index).compile(dialect=DIALECT))


def _refuse_taken(table: str, name: str) -> None:
    if ask("is_taken", table, name=quote(name)).answer():
        taken = f"The name {name} is that of something else than an index on {table}"
        raise ReleaseError(f"{taken}; nothing was changed. Give the new index a name of its own.")


def _requiring(table: str, name: str, columns: Sequence[str | TextClause], options: dict[str, Any]) -> Effect:
    """Return what a unique index asks. Two rows that are NULL in a column are not the same."""
    distinct = () if options.get("postgresql_nulls_not_distinct") else columns
    names = ask("left_null", table, columns=[one for one in distinct if isinstance(one, str)]).listed()
    return on_table("requires-more", table, *names, subject=name)


def _dropping(table: str, name: str) -> list[Effect]:
    """Return what it means to code that may rely on a constraint when that goes."""
    kind, *columns = ask("relied_on", table, constraint=name).answer() or [""]
    if kind == "f":
        return [on_table("drops-constraint", table, name)]
    return [on_table("drops-unique", table, *columns, subject=name, unique=name)] if kind else []


def _dropping_index(name: str) -> list[Effect]:
    found = ask("unique_index", name).answer()
    return [on_table("drops-unique", *found, subject=name, unique=name)] if found else []
