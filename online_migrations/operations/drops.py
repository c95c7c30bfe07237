"""Dropping a column or a table in two releases: retire it (expand), then drop it (contract)."""

from alembic import op

from online_migrations import options
from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.errors import UnsafeOperation
from online_migrations.guard.effect import on_table
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.catalog import (
    HAS_COLUMN,
    HAS_TABLE,
    IS_COMPUTED,
    IS_RELATED,
    IS_REQUIRED,
    answer,
    column_parameters,
    connection,
    related_to,
    tables_locked,
)
from online_migrations.operations.conflicts import DEFAULT, NOT_NULL, explain
from online_migrations.operations.steps import ALWAYS, Step, alter_table, run_steps
from online_migrations.sql import literal, quote
from online_migrations.state import live


def retire_column_online(table: str, column: str, *, default: str | None = None) -> None:
    """The first step of dropping a column: new code no longer uses it, the previous release still does.

    New code inserts rows without the column. If it is NOT NULL without a default, either these rows get `default`, a
    constant with which code of the previous release can live after a rollback: then the step is an expand. Or NOT NULL
    is dropped, and that code may meet NULL: then it is a contract. The comment hides the column from `flask db check`,
    and lets a later `flask db migrate` drop it.

    Args:
        default: an SQL expression, such as "''" or "0".

    SQL, each statement in a transaction of its own:
        ALTER TABLE … ALTER COLUMN … SET DEFAULT … (or DROP NOT NULL)
            Only when the column is NOT NULL without a default. ACCESS EXCLUSIVE, for milliseconds. Waits at most
            300 ms, then is retried.
        COMMENT ON COLUMN … IS 'retired: …'
            SHARE UPDATE EXCLUSIVE, for milliseconds; blocks neither reads nor writes. May wait until the deadline.

    Run again: the first is skipped, the comment is sent again.
    """
    explain(table, column, NOT_NULL)
    explain(table, column, DEFAULT)
    effect = on_table("changes-default", table, column)._replace(default=default or "", column=column)
    run_steps(
        alter_table(
            table,
            f"ALTER COLUMN {quote(column)} " + ("DROP NOT NULL" if default is None else f"SET DEFAULT {default}"),
            f"SELECT {IS_REQUIRED}",
            column_parameters(table, column),
        ),
        Step(f"COMMENT ON COLUMN {quote(table)}.{quote(column)} IS '{RETIRED_COMMENT}'", ALWAYS, {}),
        effects=[] if default is None else [effect],
    )


def reinstate_column_online(table: str, column: str, *, comment: str | None = None) -> None:
    """Undo retire_column_online: remove its comment. NOT NULL, or the lack of a default, has an operation of its own.

    Args:
        comment: that the column had before.

    SQL:
        COMMENT ON COLUMN … IS …
            SHARE UPDATE EXCLUSIVE, for milliseconds; blocks neither reads nor writes. May wait until the deadline.

    Run again: sends the same; skipped when there is no such column.
    """
    sql = f"COMMENT ON COLUMN {quote(table)}.{quote(column)} IS {literal(comment)}"
    run_steps(Step(sql, f"SELECT {HAS_COLUMN}", column_parameters(table, column)))


def drop_column_contract(table: str, column: str) -> None:
    """The contract step, in a later release: drop a column that not even the live release uses any more.

    SQL:
        ALTER TABLE … DROP COLUMN IF EXISTS …
            ACCESS EXCLUSIVE, also on a table that a foreign key of the column refers to, for milliseconds; no row is
            rewritten. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no such column.

    Raises:
        UnsafeOperation: a backfill that is not done reads or writes the column.
    """
    refuse_while_filling("drop_column_contract", table=table, column=column)
    is_computed = answer(IS_COMPUTED, column_parameters(table, column))
    run_steps(
        Step(
            f"ALTER TABLE {quote(table)} DROP COLUMN IF EXISTS {quote(column)}",
            f"SELECT {HAS_COLUMN}",
            column_parameters(table, column),
            alters=tables_locked(table, column=column),
        ),
        effects=[on_table("drops-column", table, column)._replace(is_copied=bool(is_computed))],
    )


def retire_table_online(table: str) -> None:
    """The expand step of dropping a table: mark it with a comment, while the previous release still uses it.

    The mark hides the table from `flask db check`, and lets a later `flask db migrate` drop it.

    SQL:
        COMMENT ON TABLE … IS 'retired: …'
            SHARE UPDATE EXCLUSIVE, for milliseconds; blocks neither reads nor writes. May wait until the deadline.

    Run again: sends the same comment.

    Raises:
        UnsafeOperation: the table is a part of another one that is in use.
    """
    refuse_part("retire_table_online", table)
    run_steps(Step(f"COMMENT ON TABLE {quote(table)} IS '{RETIRED_COMMENT}'", ALWAYS, {}))


def reinstate_table_online(table: str, *, comment: str | None = None) -> None:
    """Undo retire_table_online: remove its comment.

    Args:
        comment: that the table had before.

    SQL:
        COMMENT ON TABLE … IS …
            SHARE UPDATE EXCLUSIVE, for milliseconds; blocks neither reads nor writes. May wait until the deadline.

    Run again: sends the same; skipped when there is no such table.
    """
    sql = f"COMMENT ON TABLE {quote(table)} IS {literal(comment)}"
    run_steps(Step(sql, f"SELECT {HAS_TABLE}", {"table": quote(table)}))


def drop_table_contract(table: str) -> None:
    """The contract step, in a later release: drop a table that not even the live release uses any more.

    SQL:
        DROP TABLE IF EXISTS …
            ACCESS EXCLUSIVE on the table and on those that its foreign keys refer to, for milliseconds. Waits at most
            300 ms, then is retried.

    Run again: skipped when there is no such table.

    Raises:
        UnsafeOperation: a backfill of the table is not done, or it is a part of another table that is in use.
    """
    refuse_while_filling("drop_table_contract", table=table)
    refuse_part("drop_table_contract", table)
    run_steps(
        Step(
            f"DROP TABLE IF EXISTS {quote(table)}",
            f"SELECT {HAS_TABLE}",
            {"table": quote(table)},
            alters=tables_locked(table),
        ),
        effects=[on_table("drops-table", table)],
    )


def refuse_part(operation: str, table: str) -> None:
    """Refuse to take a table that shares its rows with one that the models or the live release map.

    The rows of a partition, or of a table that inherits, are rows of the whole. The models of one say nothing of the
    other. On a new database nothing is in use.

    Raises:
        UnsafeOperation: it does, and the call does not stand in a block of excused().
    """
    opts = op.get_context().opts
    guard, asked = opts.get("guard"), connection()
    is_excused = opts.get("excused") if guard is None else guard.is_excusing
    if is_excused or opts.get("is_new") or not answer(IS_RELATED, {"table": quote(table)}):
        return
    assert asked is not None  # noqa: S101 - it has answered
    in_use = [*options.current().metadata.tables, *live.mapped_by_live(asked)]
    other = related_to(asked, table, in_use)
    if other is not None:
        raise UnsafeOperation(
            f"{operation}: {table} shares its rows with {other}, which is in use, as a part and a whole do; nothing was"
            ' changed. Leave it, or say why they may go, with excused("…") around the call.'
        )
