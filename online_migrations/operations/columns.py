"""Operations for NOT NULL: add it without a long lock, and drop it.

Operation on enum types of the database: a new value.

Let a text column hold longer texts, which is a change of the catalog alone.

Operations on columns: add, set the default, widen a text.
"""

import re
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.schema import CreateColumn

from online_migrations.connection import execute_verbatim
from online_migrations.errors import UnsafeOperation, server_message
from online_migrations.guard.effect import Effect, on_table
from online_migrations.operations import catalog
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.catalog import (
    HAS_CONSTRAINT,
    HAS_NOT_VALID_CONSTRAINT,
    IS_NULLABLE,
    answer,
    column_parameters,
    constraint_parameters,
)
from online_migrations.operations.conflicts import DEFAULT, NOT_NULL, explain, refuse_other_column
from online_migrations.operations.names import require_short, shorten_identifier
from online_migrations.operations.steps import ALWAYS, Step, alter_table, run_steps
from online_migrations.sql import DIALECT, literal, quote


def add_enum_value_online(enum: str, value: str, *, before: str | None = None) -> None:
    """Add a value to an enum type. No table is locked, and no row is read.

    Code that does not know the value fails when it reads it. So the first release knows it, and a later one writes it.

    Args:
        enum: the name of the type.
        before: the value in front of which it sorts; None: at the end.

    SQL:
        ALTER TYPE … ADD VALUE IF NOT EXISTS …
            No lock on a table.

    Run again: skipped when the type has the value.
    """
    add = f"ALTER TYPE {quote(enum)} ADD VALUE IF NOT EXISTS {literal(value)}"
    add += f" BEFORE {literal(before)}" if before else ""
    has_value = "EXISTS (SELECT FROM pg_enum WHERE enumtypid = CAST(:enum AS regtype) AND enumlabel = :value)"
    run_steps(Step(add, f"SELECT NOT {has_value}", {"enum": quote(enum), "value": value}))


_COLUMN = "attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped"
# While the type is another one: CHECKs that hold for all rows. After it: those that an attempt that was killed left.
_CHECKS = text(
    "SELECT conname::text, replace(pg_get_constraintdef(k.oid), ' NOT VALID', '') FROM pg_constraint k"
    f" JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey) WHERE {_COLUMN} AND contype = 'c'"
    f" AND convalidated = {catalog.HAS_ANOTHER_TYPE} ORDER BY conname"
)
_COMPUTED_INDEXES = text(
    "SELECT DISTINCT indexrelid::regclass::text AS name FROM pg_index JOIN pg_depend ON objid = indexrelid"
    " JOIN pg_attribute ON attrelid = indrelid AND attnum = refobjsubid AND refobjid = indrelid"
    f" WHERE {_COLUMN} AND (indexprs IS NOT NULL OR indpred IS NOT NULL) ORDER BY 1".replace("::", r"\:\:")
)


def widen_text_online(table: str, column: str, type_: str) -> None:
    """Let a text column hold longer texts. PostgreSQL only changes the catalog (manual, ALTER TABLE, "Notes").

    Args:
        type_: "TEXT", or "VARCHAR(n)" where n characters is at least the length of now.

    SQL:
        ALTER TABLE … ALTER COLUMN … TYPE …
            With CHECKs of the column, which are dropped and added NOT VALID in the same statement: PostgreSQL would
            look at every row for them (measured on 15). ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then
            is retried.
        ALTER TABLE … VALIDATE CONSTRAINT …
            Each of these CHECKs. SHARE UPDATE EXCLUSIVE, while the table is read. May wait until the deadline.

    Run again: each statement is skipped when its result is there.

    Raises:
        UnsafeOperation: the new type is shorter, or one of them is not text. PostgreSQL would read every row under
            ACCESS EXCLUSIVE. Or an index has an expression or a condition over the column, so it would be rebuilt
            under that lock. (Not checked in --sql mode.)
    """
    _refuse_shorter(table, column, type_)
    of_type = {**catalog.column_parameters(table, column), "type": type_}
    _refuse_computed_indexes(table, column, of_type)
    checks = _checks(of_type)
    actions = [f"DROP CONSTRAINT {quote(name)}" for name in checks]
    actions.append(f"ALTER COLUMN {quote(column)} TYPE {type_}")
    actions += [f"ADD CONSTRAINT {quote(name)} {definition} NOT VALID" for name, definition in checks.items()]
    run_steps(
        alter_table(table, ", ".join(actions), f"SELECT {catalog.HAS_ANOTHER_TYPE}", of_type),
        *(_validation(table, name) for name in checks),
    )


def computed_indexes(connection: Connection, table: str, column: str) -> list[str]:
    """The indexes with an expression or a condition over the column, which another type rebuilds."""
    return list(connection.scalars(_COMPUTED_INDEXES, catalog.column_parameters(table, column)))


def _checks(of_type: dict[str, str]) -> dict[str, str]:
    """name: definition."""
    connection = catalog.connection()
    found: dict[str, str] = {} if connection is None else dict(connection.execute(_CHECKS, of_type).all())
    return found


def _validation(table: str, name: str) -> Step:
    return Step(
        f"ALTER TABLE {quote(table)} VALIDATE CONSTRAINT {quote(name)}",
        f"SELECT {catalog.HAS_NOT_VALID_CONSTRAINT}",
        catalog.constraint_parameters(table, name),
    )


def _refuse_computed_indexes(table: str, column: str, of_type: dict[str, str]) -> None:
    connection = catalog.connection()
    if connection is None or not catalog.answer(catalog.HAS_ANOTHER_TYPE, of_type):
        return
    if names := computed_indexes(connection, table, column):
        raise UnsafeOperation(
            f"{', '.join(names)} has an expression or a condition over {table}.{column}, and would be rebuilt while"
            f" no request can even read the table. Use change_type_online({table!r}, {column!r}, {of_type['type']!r}),"
            " which builds it beside the requests."
        )


def _refuse_shorter(table: str, column: str, type_: str) -> None:
    if catalog.connection() is None:
        return
    new = re.fullmatch(r"VARCHAR\((\d+)\)", type_.upper())
    old = catalog.answer(catalog.TEXT_LENGTH, catalog.column_parameters(table, column))
    grows = type_.upper() == "TEXT" if new is None else old is not None and old <= int(new[1])
    if old is None or not grows:
        raise UnsafeOperation(
            f"{table}.{column} cannot become {type_} beside the traffic: only a text may grow, to VARCHAR(n) or TEXT."
        )


_FILE = text("SELECT pg_relation_filenode('pg_temp.probe'::regclass)".replace("::", r"\:\:"))


def add_column_online(table: str, column: Column[Any]) -> None:
    """Add a column that is nullable or has a constant default, so that inserts of the previous release still work.

    PostgreSQL stores such a default in the catalog and rewrites no row (since 11; manual, "Modifying Tables").

    Args:
        column: as op.add_column takes it, but without constraints and indexes; those have operations of their own.

    SQL:
        ALTER TABLE … ADD COLUMN IF NOT EXISTS …
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.
        COMMENT ON COLUMN … IS …
            Only when the column has a comment. SHARE UPDATE EXCLUSIVE; blocks neither reads nor writes.

    Run again: skipped when the table has this column.

    Raises:
        UnsafeOperation: the column is required without a default, does not take the one it has, would rewrite the
            table, or brings a constraint.
        ReleaseError: the table has a column of this name and another type, default or nullability.
    """
    require_short(column.name)
    if reason := _missing_value(table, column) or _extra_constraint(table, column):
        raise UnsafeOperation(reason)
    if reason := table_rewrite_reason(table, column, catalog.connection()):
        raise UnsafeOperation(reason)
    Table(table, MetaData(), column)  # CreateColumn needs a column that belongs to a table
    definition = str(CreateColumn(column).compile(dialect=DIALECT))
    refuse_other_column(table, column.name, definition)
    add = f"ADD COLUMN IF NOT EXISTS {definition}"
    parameters = catalog.column_parameters(table, column.name)
    steps = [alter_table(table, add, f"SELECT NOT {catalog.HAS_COLUMN}", parameters)]
    if column.comment:
        comment = f"COMMENT ON COLUMN {quote(table)}.{quote(column.name)} IS {literal(column.comment)}"
        steps.append(Step(comment, ALWAYS, {}))
    run_steps(*steps)


def set_default_online(table: str, column: str, default: str | None) -> None:
    """Set or drop the default of a column, for new rows. Existing rows keep what they hold.

    Args:
        default: an SQL expression, such as "false" or "now()"; None: no default.

    SQL:
        ALTER TABLE … ALTER COLUMN … SET DEFAULT … (or DROP DEFAULT)
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: sends the same.
    """
    action = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"
    explain(table, column, DEFAULT)
    effect = on_table("drops-default" if default is None else "changes-default", table, column)
    effects = [effect._replace(default=default or "", column=column)]
    run_steps(alter_table(table, f"ALTER COLUMN {quote(column)} {action}", ALWAYS, {}), effects=effects)


def table_rewrite_reason(table: str, column: Column[Any], connection: Connection | None) -> str | None:
    """Why adding the column would rewrite the table under ACCESS EXCLUSIVE; None: it would not.

    Args:
        connection: to the server, which is tried; None in --sql mode.
    """
    where = f"{table}.{column.name}"
    if column.computed is not None or column.identity is not None:
        return (
            f"{where} is computed by the database, for which PostgreSQL rewrites the whole table under a lock that"
            " stops every request. Add a plain column and backfill it, or use add_computed_column_online."
        )
    if column.server_default is None or connection is None:
        return None
    try:
        if not _rewrites(column, connection):
            return None
    except (DataError, IntegrityError) as error:
        return f"{where} has a default that it does not take ({server_message(error)}). Give it another one."
    return (
        f"{where} has a default that differs from row to row, for which PostgreSQL rewrites the whole table under a"
        " lock that stops every request. Add it without a default, set_default_online, backfill."
    )


def _rewrites(column: Column[Any], connection: Connection) -> bool:
    """Whether PostgreSQL rewrites an empty table when it adds the column: then it does so with every other too.

    Raises:
        DataError, IntegrityError: a row that leaves the column out is refused.
    """
    plain = Column(column.name, column.type, server_default=column.server_default, nullable=column.nullable)
    Table("probe", MetaData(), plain)  # CreateColumn needs a column that belongs to a table
    definition = str(CreateColumn(plain).compile(dialect=DIALECT))
    with connection.begin_nested() as trial:
        execute_verbatim(connection, "CREATE TEMPORARY TABLE probe ()")
        before = connection.scalar(_FILE)
        execute_verbatim(connection, f"ALTER TABLE pg_temp.probe ADD COLUMN {definition}")
        is_rewritten = bool(connection.scalar(_FILE) != before)
        execute_verbatim(connection, "INSERT INTO pg_temp.probe DEFAULT VALUES")
        trial.rollback()
    return is_rewritten


def _missing_value(table: str, column: Column[Any]) -> str | None:
    if column.nullable or column.server_default is not None or column.identity is not None:
        return None
    return (
        f"{table}.{column.name} is required and has no server_default: rows that are there, and inserts of the release"
        " that is live, would lack a value. Give it a server_default, or add it nullable, backfill it and require it."
    )


def _extra_constraint(table: str, column: Column[Any]) -> str | None:
    if not (column.foreign_keys or column.constraints or column.unique or column.index or column.primary_key):
        return None
    return (
        f"{table}.{column.name} comes with a constraint or an index. Add the plain column, then use"
        " add_foreign_key_online, add_check_online, add_unique_online or create_index_online."
    )


_HAS_DEFAULT = (
    "(SELECT atthasdef OR attidentity <> '' FROM pg_attribute"
    " WHERE attrelid = to_regclass(:table) AND attname = :column)"
)


def set_not_null_online(table: str, column: str) -> None:
    """Make a column NOT NULL. It must hold no NULL any more; fill it with backfill before.

    A plain SET NOT NULL reads the whole table under ACCESS EXCLUSIVE. PostgreSQL skips that when a validated CHECK
    proves the same (since 12; manual, ALTER TABLE). Validating a CHECK blocks neither reads nor writes.

    SQL, each statement in a transaction of its own:
        ALTER TABLE … ADD CONSTRAINT ck_TABLE_COLUMN_not_null CHECK (… IS NOT NULL) NOT VALID
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.
        ALTER TABLE … VALIDATE CONSTRAINT …
            SHARE UPDATE EXCLUSIVE, while the table is read. May wait until the deadline.
        ALTER TABLE … ALTER COLUMN … SET NOT NULL
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.
        ALTER TABLE … DROP CONSTRAINT …
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: each statement is skipped when its result is there.

    Raises:
        UnsafeOperation: the column holds NULL; the CHECK is dropped again. Or a backfill of the column is not done.
    """
    refuse_while_filling("set_not_null_online", table=table, column=column)
    explain(table, column, NOT_NULL)
    require_value(table, column, _requires_value(table, column))


def require_value(table: str, column: str, *effects: Effect) -> None:
    """The same, without a judgement when no effect is given: of a column to which a dual write gives its values."""
    check = shorten_identifier(f"ck_{table}_{column}_not_null")
    of_column = column_parameters(table, column)
    of_check = constraint_parameters(table, check)
    drop_check = alter_table(table, f"DROP CONSTRAINT {quote(check)}", f"SELECT {HAS_CONSTRAINT}", of_check)
    try:
        run_steps(
            alter_table(
                table,
                f"ADD CONSTRAINT {quote(check)} CHECK ({quote(column)} IS NOT NULL) NOT VALID",
                f"SELECT {IS_NULLABLE} AND NOT {HAS_CONSTRAINT}",
                {**of_column, **of_check},
            ),
            Step(
                f"ALTER TABLE {quote(table)} VALIDATE CONSTRAINT {quote(check)}",
                f"SELECT {HAS_NOT_VALID_CONSTRAINT}",
                of_check,
            ),
            alter_table(table, f"ALTER COLUMN {quote(column)} SET NOT NULL", f"SELECT {IS_NULLABLE}", of_column),
            drop_check,
            effects=effects,
        )
    except IntegrityError as error:
        run_steps(drop_check)  # a CHECK that is NOT VALID still refuses new rows of the live release
        raise UnsafeOperation(
            f"{table}.{column} still holds NULL, so nothing was required. Fill it before, with backfill({table!r}, …),"
            " then run: flask db upgrade"
        ) from error


def _requires_value(table: str, column: str) -> Effect:
    """A row that leaves the column out is accepted when there is a default."""
    has_default = answer(_HAS_DEFAULT, column_parameters(table, column))
    effect = on_table("requires-value", table, *([column] if has_default else []))
    return effect._replace(subject=f"{table}.{column}", column=column)


def drop_not_null_online(table: str, column: str) -> None:
    """Let a column be NULL.

    SQL:
        ALTER TABLE … ALTER COLUMN … DROP NOT NULL
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when the column is nullable.
    """
    explain(table, column, NOT_NULL)
    run_steps(
        alter_table(
            table,
            f"ALTER COLUMN {quote(column)} DROP NOT NULL",
            f"SELECT NOT {IS_NULLABLE}",
            column_parameters(table, column),
        )
    )
