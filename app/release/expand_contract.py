"""Expand/contract: the step that drops a column or table must come in a later release than the step that retires it.

Retire and drop in one run would be the outage that the two steps avoid: the live release still reads the column while
the run drops it. This is checked before anything is applied, so a second try is refused for the same reason.
"""

from collections.abc import Iterable

from alembic.script import Script

from app.release.revision_calls import Call, operation_calls

RETIRE = ("retire_column_online", "retire_table_online")
REINSTATE = ("reinstate_column_online", "reinstate_table_online")
DROP = ("drop_column_contract", "drop_table_contract")

DEFAULT_SCHEMA = "public"
Named = tuple[str, ...]  # a table, or a column of it: its schema, its table, its own name


def drop_in_same_release(to_apply: Iterable[Script]) -> str | None:
    """Return a sentence that refuses the run when one of its steps drops what an earlier one retires; else None.

    Args:
        to_apply: the revisions that the run would apply, in order.
    """
    retired_by: dict[Named, str] = {}
    for script in to_apply:
        for call in operation_calls(script):
            if call.function in RETIRE:
                retired_by[_named(call)] = script.revision
            elif call.function in REINSTATE:
                retired_by.pop(_named(call), None)
            elif call.function in DROP and (gone := _retired_part(_named(call), retired_by)):
                return _sentence(gone, retired_by[gone], script.revision)
    return None


def _named(call: Call) -> Named:
    names = (call.schema or DEFAULT_SCHEMA, call.given["table"], call.given.get("column"))
    return tuple(str(name) for name in names if name is not None)


def _retired_part(dropped: Named, retired_by: dict[Named, str]) -> Named | None:
    """Return what is retired and dropped: the same, or a column of the table."""
    return next((one for one in retired_by if one[: len(dropped)] == dropped), None)


def _sentence(named: Named, retired_by: str, dropped_by: str) -> str:
    name = ".".join(named).removeprefix(f"{DEFAULT_SCHEMA}.")
    if dropped_by == retired_by:
        return (
            f"{dropped_by} both retires and drops {name}, which the live release still uses; nothing was changed."
            " Put the drop into a revision of its own, and release that one after this one."
        )
    return (
        f"{dropped_by} drops {name}, which {retired_by} retires in this same release, while the release that is live"
        f" still uses it; nothing was changed. Release what comes before {dropped_by} first, and {dropped_by} after it."
        f" (On a database that no release serves: flask db upgrade {retired_by}, then flask db upgrade.)"
    )
