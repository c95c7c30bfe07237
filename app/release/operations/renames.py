"""Renaming a table in two releases, with a compatibility view of the old name in between."""

from app.release.effects.effect import on_table
from app.release.operations import catalog
from app.release.operations.backfill_later import refuse_while_filling
from app.release.operations.steps import Step, run_steps
from app.release.sql.dialect import quote


def rename_with_view(old: str, new: str) -> None:
    """Rename a table and leave an updatable view of the old name, through which the previous release reads and writes.

    A view of one table passes INSERT, UPDATE and DELETE on, with RETURNING and ON CONFLICT (PostgreSQL manual, CREATE
    VIEW, "Updatable Views"). Both statements are one transaction: the old name is never missing.

    SQL, in one transaction:
        ALTER TABLE old RENAME TO new; CREATE VIEW old AS SELECT * FROM new
            ACCESS EXCLUSIVE on the table, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when the table is named `new` and not `old`.

    Raises:
        ReleaseError: neither is a table.
    """
    sql = f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}; CREATE VIEW {quote(old)} AS SELECT * FROM {quote(new)}"
    _rename(old, new, sql)


def rename_back_from_view(old: str, new: str) -> None:
    """Undo rename_with_view: drop the view and give the table its old name.

    SQL, in one transaction:
        DROP VIEW old; ALTER TABLE new RENAME TO old
            ACCESS EXCLUSIVE on both, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when the table is named `old` and not `new`.

    Raises:
        ReleaseError: neither is a table.
    """
    _rename(new, old, f"DROP VIEW {quote(old)}; ALTER TABLE {quote(new)} RENAME TO {quote(old)}")


def drop_compat_view(old: str) -> None:
    """The contract step of rename_with_view: drop the view, once no release that may run still uses the old name.

    SQL:
        DROP VIEW IF EXISTS old
            ACCESS EXCLUSIVE on the view, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no such view.

    Raises:
        UnsafeOperation: a backfill that was begun under the old name is not done.
    """
    refuse_while_filling("drop_compat_view", old=old)
    sql = f"DROP VIEW IF EXISTS {quote(old)}"
    run_steps(
        Step(sql, f"SELECT {catalog.HAS_VIEW}", {"table": quote(old)}, alters=(old,)),
        effects=[on_table("drops-table", old)],
    )


def _rename(old: str, new: str, sql: str) -> None:
    parameters = {"table": quote(old), "renamed": quote(new)}
    run_steps(Step(sql, f"SELECT {catalog.IS_NAMED}", parameters, alters=(old,)))
