"""Pending revisions that need a long backfill: they are refused before the run changes anything.

A run that begins a backfill and needs it is the common case: the worker cannot fill the rows in between.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from alembic.script import Script
from sqlalchemy import Connection, text

from app.release.backfills import guards, records
from app.release.backfills.guards import Task
from app.release.revision_calls import operation_calls
from app.release.sql.dialect import quote

_EXISTS = text("SELECT to_regclass(:table) IS NOT NULL")


def unfinished_backfill(connection: Connection, to_apply: Iterable[Script]) -> str | None:
    """A sentence that refuses the run when one of its steps needs a backfill that is not done; else None.

    Args:
        to_apply: the revisions that the run would apply, in order.
    """
    tasks = {backfill.name: guards.task_of(backfill) for backfill in records.unfinished_backfills(connection)}
    begun: set[str] = set()  # by this run, also in a small table, where it is done at once
    for script in to_apply:
        for function, given, _ in operation_calls(script):
            if function == "backfill_later":
                begun.add(given["name"])
                if _is_for_the_worker(connection, given["table"]):
                    tasks.setdefault(given["name"], _begun_by(script, given))
            elif function == "cancel_backfill":
                tasks.pop(given["name"], None)
            elif function in guards.NEEDS and (reason := _refusal(connection, function, given, tasks.values(), begun)):
                return f"{script.revision}: {reason}. Nothing was changed."
    return None


def _refusal(
    connection: Connection, function: str, given: Mapping[str, Any], tasks: Iterable[Task], begun: Container[str]
) -> str | None:
    reason = guards.refusal(function, given, tasks)
    if not reason and function == "require_backfilled" and given["name"] not in begun:
        return guards.reason_not_done(connection, given["name"])
    return reason


def _begun_by(script: Script, given: Mapping[str, Any]) -> Task:
    how_far = (
        f"{script.revision} begins it in this same run. Release up to {script.revision} first (on a database that no"
        f" release serves: flask db upgrade {script.revision}), let a worker fill it, and release the rest after it"
    )
    return Task(given["name"], given["table"], given["set_sql"], given["where"], how_far)


def _is_for_the_worker(connection: Connection, table: str) -> bool:
    """Not in a table that this run creates, nor in a small one, which the migration fills itself."""
    return bool(connection.scalar(_EXISTS, {"table": quote(table)})) and not records.is_small(connection, table)
