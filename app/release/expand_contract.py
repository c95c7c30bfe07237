"""Expand/contract: the step that drops a column or table must come in a later release than the step that retires it.

Retire and drop in one run would be the outage that the two steps avoid: the live release still reads the column while
the run drops it. This is checked before anything is applied, so a second try is refused for the same reason.
"""

import ast
import inspect
from collections.abc import Iterable

from alembic.script import Script

# Operation: the operation that drops what it retires, or keeps.
DROP_AFTER_RETIRE = {"retire_column_online": "drop_column_contract", "retire_table_online": "drop_table_contract"}
DROP_AFTER_REINSTATE = {
    "reinstate_column_online": "drop_column_contract",
    "reinstate_table_online": "drop_table_contract",
}

Call = tuple[str, tuple[object, ...]]  # function, constant arguments


def drop_in_same_release(to_apply: Iterable[Script]) -> str | None:
    """A sentence that refuses the run when one of its steps drops what an earlier one retires; else None.

    Args:
        to_apply: the revisions that the run would apply, in order.
    """
    retired_by: dict[Call, str] = {}
    for script in to_apply:
        for function, arguments in calls_in_upgrade(script):
            if function in DROP_AFTER_RETIRE:
                retired_by[DROP_AFTER_RETIRE[function], arguments] = script.revision
            elif function in DROP_AFTER_REINSTATE:
                retired_by.pop((DROP_AFTER_REINSTATE[function], arguments), None)
            elif (function, arguments) in retired_by:
                return _sentence(arguments, retired_by[function, arguments], script.revision)
    return None


def calls_in_upgrade(script: Script) -> list[Call]:
    """The function calls in a revision's upgrade(), each with its constant arguments."""
    tree = ast.parse(inspect.getsource(script.module.upgrade))
    return [
        (node.func.id, tuple(a.value for a in node.args if isinstance(a, ast.Constant)))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


def _sentence(arguments: tuple[object, ...], retired_by: str, dropped_by: str) -> str:
    name = ".".join(map(str, arguments))
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
