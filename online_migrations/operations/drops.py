"""Drop a column or a table in two releases: retire it, which is an expand; then drop it, which is a contract."""

from alembic import op

from online_migrations import options
from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.errors import UnsafeOperation
from online_migrations.guard.effect import on_table
from online_migrations.operations import catalog
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.conflicts import DEFAULT, NOT_NULL, explain
from online_migrations.operations.steps import alter, comment_on, online, run_steps, strong
from online_migrations.sql import literal, quote
from online_migrations.state import live


def retire_column_online(table: str, column: str, *, default: str | None = None) -> None:
    """Begin to drop a column, in the first of two releases: new code no longer uses it, the previous one still does.

    New code inserts rows without the column. If it is NOT NULL without a default, these rows get `default`, with which
    code of the previous release can live after a rollback: then the step is an expand. Or NOT NULL is dropped, and that
    code may meet NULL: then it is a contract. The comment hides the column from flask db check, and lets a later
    flask db migrate drop it.

    Args:
        default: an SQL expression, such as "''" or "0".

    Example:
        retire_column_online("notes", "colour")
        retire_column_online("notes", "title", default="''")
    SQL: ALTER TABLE … ALTER COLUMN … DROP NOT NULL or SET DEFAULT, only if the column is NOT NULL without a default;
        short. COMMENT ON COLUMN, until the deadline.
    Downgrade: reinstate_column_online, then set_default_online("notes", "title", None), or set_not_null_online.
    """
    explain(table, column, NOT_NULL)
    explain(table, column, DEFAULT)
    effect = on_table("changes-default", table, column)._replace(default=default or "", column=column)
    action = "DROP NOT NULL" if default is None else f"SET DEFAULT {default}"
    run_steps(
        strong(table, alter(table, f"ALTER COLUMN {quote(column)} {action}"), when=catalog.is_required(table, column)),
        online(comment_on(table, column, RETIRED_COMMENT)),
        effects=[] if default is None else [effect],
    )


def reinstate_column_online(table: str, column: str, *, comment: str | None = None) -> None:
    """Undo retire_column_online: put back the comment that the column had before. Expand.

    Example: reinstate_column_online("notes", "colour")
    SQL: COMMENT ON COLUMN … IS …, until the deadline.
    Downgrade: retire_column_online.
    """
    run_steps(online(comment_on(table, column, comment), when=catalog.has_column(table, column)))


def drop_column_contract(table: str, column: str) -> None:
    """Drop a column in the second release, when not even the live one uses it any more. Contract.

    Example: drop_column_contract("notes", "colour")
    SQL: ALTER TABLE … DROP COLUMN IF EXISTS …, short, also on a table that a foreign key of the column refers to; no
        row is rewritten.
    Downgrade: add_column_online with the column, nullable. What it held is gone.
    """
    refuse_while_filling("drop_column_contract", table=table, column=column)
    effect = on_table("drops-column", table, column)
    is_copied = bool(catalog.is_computed(table, column).answer())
    run_steps(
        strong(
            catalog.tables_locked(table, column=column),
            alter(table, f"DROP COLUMN IF EXISTS {quote(column)}"),
            when=catalog.has_column(table, column),
        ),
        effects=[effect._replace(is_copied=is_copied)],
    )


def retire_table_online(table: str) -> None:
    """Begin to drop a table, in the first of two releases: mark it while the previous release still uses it.

    The mark hides the table from flask db check, and lets a later flask db migrate drop it. Expand.

    Example: retire_table_online("notes")
    SQL: COMMENT ON TABLE … IS …, until the deadline.
    Downgrade: reinstate_table_online.
    Raises:
        UnsafeOperation: the table is a part of another one that is in use.
    """
    _refuse_part("retire_table_online", table)
    run_steps(online(f"COMMENT ON TABLE {quote(table)} IS '{RETIRED_COMMENT}'"))


def reinstate_table_online(table: str, *, comment: str | None = None) -> None:
    """Undo retire_table_online: put back the comment that the table had before. Expand.

    Example: reinstate_table_online("notes")
    SQL: COMMENT ON TABLE … IS …, until the deadline.
    Downgrade: retire_table_online.
    """
    run_steps(online(f"COMMENT ON TABLE {quote(table)} IS {literal(comment)}", when=catalog.is_relation(table, "rp")))


def drop_table_contract(table: str) -> None:
    """Drop a table in the second release, when not even the live one uses it any more. Contract.

    Example: drop_table_contract("notes")
    SQL: DROP TABLE IF EXISTS …, short, also on tables that its foreign keys refer to.
    Downgrade: none that brings the rows back, so flask db migrate writes none.
    Raises:
        UnsafeOperation: the table is a part of another one that is in use.
    """
    refuse_while_filling("drop_table_contract", table=table)
    _refuse_part("drop_table_contract", table)
    drop, is_there = f"DROP TABLE IF EXISTS {quote(table)}", catalog.is_relation(table, "rp")
    run_steps(
        strong(catalog.tables_locked(table), drop, when=is_there),
        effects=[on_table("drops-table", table)],
    )


def _refuse_part(operation: str, table: str) -> None:
    """Refuse to take a table that shares its rows with one that the models or the live release map, unless excused().

    The rows of a partition, or of a table that inherits, are rows of the whole. The models of one say nothing of the
    other. On a new database nothing is in use.
    """
    opts = op.get_context().opts
    guard, connection = opts.get("guard"), catalog.connection()
    is_excused = opts.get("excused") if guard is None else guard.is_excusing
    if connection is None or is_excused or opts.get("is_new") or not catalog.is_related(table).asked(connection):
        return
    in_use = [*options.current().metadata.tables, *live.mapped_by_live(connection)]
    other = catalog.related_to(connection, table, in_use)
    if other is not None:
        raise UnsafeOperation(
            f"{operation}: {table} shares its rows with {other}, which is in use, as a part and a whole do; nothing was"
            ' changed. Leave it, or say why they may go, with excused("…") around the call.'
        )
