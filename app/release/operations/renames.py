"""Renaming a table in two releases, with a compatibility view of the old name in between."""

from app.release.effects.effect import Effect, on_table
from app.release.operations import catalog
from app.release.operations.steps import Step, run_steps
from app.release.sql.dialect import quote


def rename_with_view(old: str, new: str) -> None:
    """Rename a table and leave an updatable view of the old name, through which the previous release reads and writes.

    A view of one table passes INSERT, UPDATE and DELETE on, with RETURNING and ON CONFLICT (PostgreSQL manual, CREATE
    VIEW, "Updatable Views"). Both statements are one transaction: the old name is never missing.

    SQL, in one transaction:
        ALTER TABLE old RENAME TO new; CREATE VIEW old AS SELECT * FROM new
            ACCESS EXCLUSIVE on the table, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when a table `new` exists.
    """
    _run_exclusively(
        old,
        f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}; CREATE VIEW {quote(old)} AS SELECT * FROM {quote(new)}",
        f"SELECT NOT {catalog.HAS_TABLE}",
        exists=new,
    )


def rename_back_from_view(old: str, new: str) -> None:
    """Undo rename_with_view: drop the view and give the table its old name.

    SQL, in one transaction:
        DROP VIEW old; ALTER TABLE new RENAME TO old
            ACCESS EXCLUSIVE on both, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no table `new`.
    """
    _run_exclusively(
        new,
        f"DROP VIEW {quote(old)}; ALTER TABLE {quote(new)} RENAME TO {quote(old)}",
        f"SELECT {catalog.HAS_TABLE}",
        exists=new,
    )


def drop_compat_view(old: str) -> None:
    """The contract step of rename_with_view: drop the view, once no release that may run still uses the old name.

    SQL:
        DROP VIEW IF EXISTS old
            ACCESS EXCLUSIVE on the view, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no such view.
    """
    gone = on_table("drops-table", old)
    _run_exclusively(old, f"DROP VIEW IF EXISTS {quote(old)}", f"SELECT {catalog.HAS_VIEW}", gone, exists=old)


def _run_exclusively(relation: str, sql: str, needed: str, *effects: Effect, exists: str) -> None:
    """Send `sql` under a strong lock on `relation`, when `needed` says so of the relation `exists`."""
    run_steps(Step(sql, needed, {"table": quote(exists)}, alters=(relation,)), effects=effects)
