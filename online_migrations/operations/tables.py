"""Rename a table, with a compatibility view of the old name in between; or retire it, and drop it a release later."""

from alembic import op

from online_migrations import options
from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.guard.effect import on_table
from online_migrations.operations.backfill import refuse_while_filling
from online_migrations.operations.catalog import TEXTS, ask, bind, tables_locked
from online_migrations.operations.steps import online, run_steps, strong
from online_migrations.sql import literal, quote
from online_migrations.state import live


def rename_with_view(old: str, new: str) -> None:
    """Rename a table and leave an updatable view of the old name, through which the previous release reads and writes.

    A view of one table passes INSERT, UPDATE and DELETE on, with RETURNING and ON CONFLICT. In one transaction, so the
    old name is never missing; each role may do through the view what it may do with the table. Expand.

    Run again: a view that is missing is made.
    Downgrade: rename_back_from_view("notes", "pages").
    Raises:
        ReleaseError: neither is a table, or something else has the old name.
    """
    if ask("is_another", old, renamed=quote(new)).answer():
        raise ReleaseError(
            f"There is a table {new}, and {old} is not a view of all of it that takes rows. Nothing was changed. Look"
            f" what {old} is; drop it, or give it a name of its own. Then run: flask db upgrade"
        )
    grant = TEXTS["grant_as_on"].format(table=literal(quote(new)), view=literal(quote(old)))
    view = f"CREATE VIEW {quote(old)} AS SELECT * FROM {quote(new)}; {grant}"
    lacks_view = ask("lacks_view", old, renamed=quote(new))
    if lacks_view.answer():
        run_steps(strong(new, view, when=lacks_view))
        return
    rename = f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}"
    run_steps(strong(old, f"{rename}; {view}", when=ask("is_named", old, renamed=quote(new))))


def rename_back_from_view(old: str, new: str) -> None:
    """Undo rename_with_view: drop the view and give the table its old name.

    Downgrade: rename_with_view.
    Raises:
        ReleaseError: neither is a table.
    """
    back = f"DROP VIEW {quote(old)}; ALTER TABLE {quote(new)} RENAME TO {quote(old)}"
    run_steps(strong(new, back, when=ask("is_named", new, renamed=quote(old))))


def drop_compat_view(old: str) -> None:
    """Drop the view of rename_with_view, once no release that may run still uses the old name. Contract.

    Downgrade: op.execute("CREATE VIEW notes AS SELECT * FROM pages").
    """
    refuse_while_filling("drop_compat_view", old=old)
    drop, is_view = f"DROP VIEW IF EXISTS {quote(old)}", ask("is_relation", old, kinds="v")
    run_steps(strong(old, drop, when=is_view), effects=[on_table("drops-table", old)])


def retire_table_online(table: str) -> None:
    """Begin to drop a table, in the first of two releases: mark it while the previous release still uses it. Expand.

    The mark hides the table from flask db check, and lets a later flask db migrate drop it.

    Downgrade: reinstate_table_online.
    Raises:
        UnsafeOperation: the table is a part of another one that is in use.
    """
    _refuse_part("retire_table_online", table)
    run_steps(online(f"COMMENT ON TABLE {quote(table)} IS '{RETIRED_COMMENT}'"))


def reinstate_table_online(table: str, *, comment: str | None = None) -> None:
    """Undo retire_table_online: put back the comment that the table had before. Expand.

    Downgrade: retire_table_online.
    """
    run_steps(
        online(f"COMMENT ON TABLE {quote(table)} IS {literal(comment)}", when=ask("is_relation", table, kinds="rp"))
    )


def drop_table_contract(table: str) -> None:
    """Drop a table in the second release, when not even the live one uses it any more. Contract.

    SQL: locks also the tables that its foreign keys refer to.
    Downgrade: none that brings the rows back, so flask db migrate writes none.
    Raises:
        UnsafeOperation: the table is a part of another one that is in use.
    """
    refuse_while_filling("drop_table_contract", table=table)
    _refuse_part("drop_table_contract", table)
    drop, is_there = f"DROP TABLE IF EXISTS {quote(table)}", ask("is_relation", table, kinds="rp")
    run_steps(strong(tables_locked(table), drop, when=is_there), effects=[on_table("drops-table", table)])


def _refuse_part(operation: str, table: str) -> None:
    """Refuse to take a table that shares its rows with one that the models or the live release map, unless excused().

    The rows of a partition, or of a table that inherits, are rows of the whole. On a new database nothing is in use.
    """
    opts = op.get_context().opts
    connection = bind()
    if connection is None or opts.get("excused") or opts.get("is_new") or not ask("is_related", table).answer():
        return
    in_use = [*options.current().metadata.tables, *live.mapped_by_live(connection)]
    names = [".".join(map(quote, name.split("."))) for name in in_use]
    other = ask("related_to", table, tables=names).answer()
    if other is not None:
        raise UnsafeOperation(
            f"{operation}: {table} shares its rows with {other}, which is in use, as a part and a whole do; nothing was"
            ' changed. Leave it, or say why they may go, with excused("…") around the call.'
        )
