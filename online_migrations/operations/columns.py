"""Add a column, set its default, require it, let a text be longer, or add a value to an enum."""

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
from online_migrations.operations.conflicts import DEFAULT, NOT_NULL, explain, refuse_other_column
from online_migrations.operations.names import require_short, shorten_identifier
from online_migrations.operations.steps import Step, alter, comment_on, online, run_steps, strong
from online_migrations.sql import DIALECT, literal, quote


def add_column_online(table: str, column: Column[Any]) -> None:
    """Add a column that is nullable or has a constant default, so that inserts of the previous release still work.

    PostgreSQL stores such a default in the catalog and rewrites no row. Expand.

    Args:
        column: as op.add_column takes it, but without constraints and indexes; those have operations of their own.

    Example:
        add_column_online("notes", sa.Column("colour", sa.String(20)))
        add_column_online("todos", sa.Column("done", sa.Boolean(), server_default=sa.false(), nullable=False))
    SQL: ALTER TABLE … ADD COLUMN IF NOT EXISTS …, short. COMMENT ON COLUMN … IS … if it has a comment; blocks nobody.
    Downgrade: drop_column_contract("notes", "colour").
    Raises:
        UnsafeOperation: the column is required without a default, does not take the default (too long, or NULL), would
            rewrite the table (gen_random_uuid(), computed, identity), or comes with a constraint or an index.
        ReleaseError: the table has a column of this name and another type; or another default or nullability, which no
            later line of the revision explains.
    """
    require_short(column.name)
    if reason := _missing_value(table, column) or _extra_constraint(table, column):
        raise UnsafeOperation(reason)
    if reason := table_rewrite_reason(table, column, catalog.connection()):
        raise UnsafeOperation(reason)
    Table(table, MetaData(), column)  # CreateColumn needs a column that belongs to a table
    definition = str(CreateColumn(column).compile(dialect=DIALECT))
    refuse_other_column(table, column.name, definition)
    add = alter(table, f"ADD COLUMN IF NOT EXISTS {definition}")
    run_steps(
        strong(table, add, unless=catalog.has_column(table, column.name)),
        *([online(comment_on(table, column.name, column.comment))] if column.comment else []),
    )


def set_default_online(table: str, column: str, default: str | None) -> None:
    """Set or drop the default of new rows. Existing rows keep what they hold.

    Expand, if the column takes the default: its type, NOT NULL, its CHECKs and keys. To drop it is contract if the
    previous release leaves the column out of its inserts.

    Args:
        default: an SQL expression, such as "false" or "now()"; None: no default.

    Example:
        set_default_online("notes", "colour", "'yellow'")
        set_default_online("notes", "colour", None)
    SQL: ALTER TABLE … ALTER COLUMN … SET DEFAULT … or DROP DEFAULT, short.
    Downgrade: set_default_online with the default of before.
    """
    action = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"
    explain(table, column, DEFAULT)
    effect = on_table("drops-default" if default is None else "changes-default", table, column)
    effects = [effect._replace(default=default or "", column=column)]
    run_steps(strong(table, alter(table, f"ALTER COLUMN {quote(column)} {action}")), effects=effects)


def set_not_null_online(table: str, column: str) -> None:
    """Make a column NOT NULL. It must hold no NULL any more; fill it with backfill before.

    SET NOT NULL alone reads the whole table under ACCESS EXCLUSIVE; a validated CHECK spares it that. Contract, unless
    the same revision added the column with a default.

    Example: set_not_null_online("notes", "words")
    SQL: VALIDATE CONSTRAINT reads the table, until the deadline; the others short.
    Downgrade: drop_not_null_online.
    Raises:
        UnsafeOperation: the column holds NULL; the CHECK is dropped again.
    """
    refuse_while_filling("set_not_null_online", table=table, column=column)
    explain(table, column, NOT_NULL)
    # A row that leaves the column out is accepted when there is a default.
    left_out = [column] if catalog.has_default(table, column).answer() else []
    effect = on_table("requires-value", table, *left_out)
    require_value(table, column, effect._replace(subject=f"{table}.{column}", column=column))


def require_value(table: str, column: str, *effects: Effect) -> None:
    """Require a value; without an effect it is not judged: a dual write gives the column its values."""
    check = not_null_check(table, column)
    has_check, nullable = catalog.has_constraint(table, check), catalog.is_nullable(table, column)
    add = f"ADD CONSTRAINT {quote(check)} CHECK ({quote(column)} IS NOT NULL) NOT VALID"
    drop = strong(table, alter(table, f"DROP CONSTRAINT {quote(check)}"), when=has_check)
    try:
        run_steps(
            strong(table, alter(table, add), when=nullable & ~has_check),
            validate(table, check),
            strong(table, alter(table, f"ALTER COLUMN {quote(column)} SET NOT NULL"), when=nullable),
            drop,
            effects=effects,
        )
    except IntegrityError as error:
        run_steps(drop)  # a CHECK that is NOT VALID still refuses new rows of the live release
        raise UnsafeOperation(
            f"{table}.{column} still holds NULL, so nothing was required. Fill it before, with backfill({table!r}, …),"
            " then run: flask db upgrade"
        ) from error


def not_null_check(table: str, column: str) -> str:
    """Return the name of the CHECK that proves that a column holds no NULL."""
    return shorten_identifier(f"ck_{table}_{column}_not_null")


def validate(table: str, constraint: str) -> Step:
    """Look at the rows that were there when a constraint was added NOT VALID."""
    sql = alter(table, f"VALIDATE CONSTRAINT {quote(constraint)}")
    return online(sql, when=catalog.is_not_valid(table, constraint))


def drop_not_null_online(table: str, column: str) -> None:
    """Let a column be NULL. Expand, if the previous release can read a NULL there.

    Example: drop_not_null_online("notes", "words")
    SQL: ALTER TABLE … ALTER COLUMN … DROP NOT NULL, short.
    Downgrade: set_not_null_online.
    """
    explain(table, column, NOT_NULL)
    drop = alter(table, f"ALTER COLUMN {quote(column)} DROP NOT NULL")
    run_steps(strong(table, drop, unless=catalog.is_nullable(table, column)))


def widen_text_online(table: str, column: str, type_: str) -> None:
    """Let a text column hold longer texts. PostgreSQL only changes the catalog, because every old text fits. Expand.

    Args:
        type_: "TEXT", or "VARCHAR(n)" where n characters is at least the length of now.

    Example: widen_text_online("notes", "title", "VARCHAR(200)")
    SQL: short. For CHECKs of the column PostgreSQL would look at every row, so the same statement drops them and adds
        them NOT VALID; then VALIDATE CONSTRAINT of each, until the deadline.
    Downgrade: none. A shorter type may not fit what was written meanwhile, and the longer one harms no old code.
    Raises:
        UnsafeOperation: the new type is shorter, one of them is not text, or an index has an expression or a condition
            over the column and would be rebuilt under ACCESS EXCLUSIVE.
    """
    _refuse_shorter(table, column, type_)
    has_type = catalog.has_type(table, column, type_)
    connection = catalog.connection()
    if connection and not has_type.answer() and (names := computed_indexes(connection, table, column)):
        raise UnsafeOperation(
            f"{', '.join(names)} has an expression or a condition over {table}.{column}, and would be rebuilt while"
            f" no request can even read the table. Use change_type_online({table!r}, {column!r}, {type_!r}),"
            " which builds it beside the requests."
        )
    checks: dict[str, str] = dict(connection.execute(_CHECKS, has_type.parameters).all()) if connection else {}
    actions = [
        *(f"DROP CONSTRAINT {quote(name)}" for name in checks),
        f"ALTER COLUMN {quote(column)} TYPE {type_}",
        *(f"ADD CONSTRAINT {quote(name)} {definition} NOT VALID" for name, definition in checks.items()),
    ]
    run_steps(
        strong(table, alter(table, ", ".join(actions)), unless=has_type),
        *(validate(table, name) for name in checks),
    )


def add_enum_value_online(enum: str, value: str, *, before: str | None = None) -> None:
    """Add a value to an enum type of the database. No table is locked, and no row is read. Expand.

    Code that does not know the value fails when it reads it. So one release knows it, and a later one writes it.

    Args:
        enum: the name of the type.
        before: the value in front of which it sorts; None: at the end.

    Example: add_enum_value_online("mood", "fine", before="bad")
    SQL: ALTER TYPE … ADD VALUE IF NOT EXISTS …, which waits for nobody.
    Downgrade: none. PostgreSQL takes no value from a type, and one that nobody writes harms no code.
    """
    add = f"ALTER TYPE {quote(enum)} ADD VALUE IF NOT EXISTS {literal(value)}"
    add += f" BEFORE {literal(before)}" if before else ""
    run_steps(online(add, unless=catalog.has_enum_value(enum, value)))


# While the type is another one: CHECKs that hold for all rows. After it: those that an attempt that was killed left.
_CHECKS = text(
    "SELECT conname::text, replace(pg_get_constraintdef(k.oid), ' NOT VALID', '') FROM pg_constraint k"
    f" JOIN pg_attribute a ON attrelid = conrelid AND attnum = ANY (conkey) WHERE {catalog.COLUMN} AND contype = 'c'"
    f" AND convalidated <> ({catalog.SAME_TYPE}) ORDER BY conname"
)
_COMPUTED_INDEXES = text(
    "SELECT DISTINCT indexrelid::regclass::text AS name FROM pg_index JOIN pg_depend ON objid = indexrelid"
    " JOIN pg_attribute a ON attrelid = indrelid AND attnum = refobjsubid AND refobjid = indrelid"
    f" WHERE {catalog.COLUMN} AND (indexprs IS NOT NULL OR indpred IS NOT NULL) ORDER BY 1"
)


def computed_indexes(connection: Connection, table: str, column: str) -> list[str]:
    """Return the indexes with an expression or a condition over the column, which another type rebuilds."""
    return list(connection.scalars(_COMPUTED_INDEXES, catalog.of_column(table, column)))


def _refuse_shorter(table: str, column: str, type_: str) -> None:
    if catalog.connection() is None:
        return
    new = re.fullmatch(r"VARCHAR\((\d+)\)", type_.upper())
    old = catalog.text_length(table, column).answer()
    grows = type_.upper() == "TEXT" if new is None else old is not None and old <= int(new[1])
    if old is None or not grows:
        raise UnsafeOperation(
            f"{table}.{column} cannot become {type_} beside the traffic: only a text may grow, to VARCHAR(n) or TEXT."
        )


def table_rewrite_reason(table: str, column: Column[Any], connection: Connection | None) -> str | None:
    """Return why adding the column would rewrite the table under ACCESS EXCLUSIVE; None: no server says so."""
    where = f"{table}.{column.name}"
    if column.computed is not None or column.identity is not None:
        return (
            f"{where} is computed by the database, for which PostgreSQL rewrites the whole table under a lock that"
            f' stops every request. Use add_computed_column_online({table!r}, sa.Column({column.name!r}, …), "…").'
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
        f" lock that stops every request. Add it without a default, then set_default_online({table!r}, {column.name!r},"
        f" …) and backfill({table!r}, …)."
    )


_FILE = text("SELECT pg_relation_filenode('pg_temp.probe'::regclass)")


def _rewrites(column: Column[Any], connection: Connection) -> bool:
    """Tell if PostgreSQL rewrites an empty table for the column, as then every other; or refuses a row without it."""
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
        f" that is live, would lack a value. Give it a server_default, or add it nullable, then backfill({table!r}, …)"
        f" and set_not_null_online({table!r}, {column.name!r})."
    )


def _extra_constraint(table: str, column: Column[Any]) -> str | None:
    if not (column.foreign_keys or column.constraints or column.unique or column.index or column.primary_key):
        return None
    return (
        f"{table}.{column.name} comes with a constraint or an index. Add the plain column, then use"
        " add_foreign_key_online, add_check_online, add_unique_online or create_index_online."
    )
