"""A column goes in two releases: one whose code no longer uses it, and a later one that drops it.

In one run the two would be the outage that they are made to avoid: while it runs, the release that is live still reads
the column. Looked for before anything is applied, so that trying again finds the same and is refused again.
"""

import ast
import inspect
from collections.abc import Iterable

from alembic.script import Script

RETIRING = {"retire_column_online": "drop_column_contract", "retire_table_online": "drop_table_contract"}
REINSTATING = {"reinstate_column_online": "drop_column_contract", "reinstate_table_online": "drop_table_contract"}

Call = tuple[str, tuple[object, ...]]  # function, constant arguments


def hasty_drop(to_apply: Iterable[Script]) -> str | None:
    """Why one of these steps cannot be applied in one run with a step before it, if so.

    Args:
        to_apply: what a run would apply, in order.
    """
    to_come: dict[Call, str] = {}
    for script in to_apply:
        for function, arguments in calls_of(script):
            if function in RETIRING:
                to_come[RETIRING[function], arguments] = script.revision
            elif function in REINSTATING:
                to_come.pop((REINSTATING[function], arguments), None)
            elif (function, arguments) in to_come:
                return _sentence(arguments, to_come[function, arguments], script.revision)
    return None


def calls_of(script: Script) -> list[Call]:
    """The calls with constant arguments in a revision's upgrade(), in their order."""
    tree = ast.parse(inspect.getsource(script.module.upgrade))
    return [
        (node.func.id, tuple(a.value for a in node.args if isinstance(a, ast.Constant)))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


def _sentence(arguments: tuple[object, ...], retired_by: str, dropped_by: str) -> str:
    name = ".".join(map(str, arguments))
    return (
        f"{dropped_by} drops {name}, which {retired_by} retires in this same release, while the release that is live"
        f" still uses it; nothing was changed. Release what comes before {dropped_by} first, and {dropped_by} after it."
        f" (On a database that no release serves: flask db upgrade {retired_by}, then flask db upgrade.)"
    )
