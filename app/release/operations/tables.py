"""Renaming a table under two releases that each know one of its names; retiring and dropping one."""

from app.release.operations import catalog
from app.release.operations.steps import ALWAYS, RETIRED, Step, quote, run


def rename_with_view(old: str, new: str) -> None:
    """Rename a table and leave a view of the old name, through which the release that is live reads and writes.

    A view of one table's columns passes inserts, updates and deletes on, RETURNING and ON CONFLICT included (manual,
    CREATE VIEW, "Updatable Views"). Both happen in one transaction: there is no moment without the old name.
    """
    run(
        Step(
            f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}; CREATE VIEW {quote(old)} AS SELECT * FROM {quote(new)}",
            f"SELECT NOT {catalog.HAS_TABLE}",
            {"table": quote(new)},
            alters=(old,),
        )
    )


def rename_back_from_view(old: str, new: str) -> None:
    """Undo rename_with_view: the view goes and the table has its old name again."""
    run(
        Step(
            f"DROP VIEW {quote(old)}; ALTER TABLE {quote(new)} RENAME TO {quote(old)}",
            f"SELECT {catalog.HAS_TABLE}",
            {"table": quote(new)},
            alters=(new,),
        )
    )


def drop_compat_view(old: str) -> None:
    """Drop the view of the old name, when no release that uses it is live or may be gone back to."""
    run(
        Step(
            f"DROP VIEW IF EXISTS {quote(old)}",
            f"SELECT {catalog.HAS_VIEW}",
            {"table": quote(old)},
            alters=(old,),
        )
    )


def retire_table_online(table: str) -> None:
    """The first half of dropping a table, like retire_column_online."""
    run(Step(f"COMMENT ON TABLE {quote(table)} IS '{RETIRED}'", ALWAYS, {}))


def reinstate_table_online(table: str) -> None:
    """Undo retire_table_online."""
    run(Step(f"COMMENT ON TABLE {quote(table)} IS NULL", f"SELECT {catalog.HAS_TABLE}", {"table": quote(table)}))


def drop_table_contract(table: str) -> None:
    """The second half, in a later release: drop a table that not even the release that is live uses any more."""
    run(Step(f"DROP TABLE IF EXISTS {quote(table)}", f"SELECT {catalog.HAS_TABLE}", {"table": quote(table)}, (table,)))
