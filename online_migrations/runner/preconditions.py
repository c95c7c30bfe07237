"""Preconditions of a migration: what is refused before anything is changed.

Retire and drop in one run would be the outage that the two steps avoid: the live release still reads the column while
the run drops it. A run that begins a backfill and needs it cannot succeed: a worker fills the rows in between. Both are
read from the text of the revisions, so a second try is refused for the same reason.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from alembic import context
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection, text

from online_migrations.backfills import store
from online_migrations.backfills.store import NEEDS, BackfillQuery, Task, reason_not_done, reason_to_wait
from online_migrations.errors import IncompatibleSchema, ReleaseError, UnknownRevision, UnsafeOperation
from online_migrations.revisions import unmerged_heads
from online_migrations.runner.calls import Call, operation_calls
from online_migrations.sql import quote
from online_migrations.state import AHEAD, AHEAD_CONTRACT, UNKNOWN, SchemaState, refusal, two_heads

RETIRE = ("retire_column_online", "retire_table_online")
REINSTATE = ("reinstate_column_online", "reinstate_table_online")
DROP = ("drop_column_contract", "drop_table_contract")

DEFAULT_SCHEMA = "public"
Named = tuple[str, ...]  # a table, or a column of it: its schema, its table, its own name

_EXISTS = text("SELECT to_regclass(:table) IS NOT NULL")


def check(current: SchemaState, connection: Connection, command: str) -> list[Script]:
    """Refuse what must not run on this database, and return the revisions that are about to run.

    Raises:
        IncompatibleSchema: a newer release's contract step took away what this code uses.
        UnknownRevision: neither the code nor the ledger knows the database's revision.
        UnsafeOperation: the run would retire and drop something in one release, or needs a backfill that is not done.
        ReleaseError: the database is ahead, and the command is not upgrade.
    """
    if current.name == AHEAD_CONTRACT:
        raise IncompatibleSchema(refusal(current))
    if current.name == UNKNOWN and not context.get_context().purge:  # stamp --purge fixes just this
        raise UnknownRevision(refusal(current))
    if current.name == AHEAD:
        raise ReleaseError(refusal(current))
    to_run = [] if command == "do_stamp" else _revisions_to_run(connection, current)
    is_served = command == "upgrade" and current.database_revision  # no release is live on an empty database
    if is_served and (reason := drop_in_same_release(to_run) or unfinished_backfill(connection, to_run)):
        raise UnsafeOperation(reason)
    return to_run


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
            elif call.function in DROP:
                dropped = _named(call)
                gone = next((one for one in retired_by if one[: len(dropped)] == dropped), None)  # or a column of it
                if gone is not None:
                    return _sentence(gone, retired_by[gone], script.revision)
    return None


def unfinished_backfill(connection: Connection, to_apply: Iterable[Script]) -> str | None:
    """Return a sentence that refuses the run when one of its steps needs a backfill that is not done; else None.

    Args:
        to_apply: the revisions that the run would apply, in order.
    """
    tasks = {task.name: task for task in store.unfinished_tasks(connection)}
    begun: set[str] = set()  # by this run, also in a small table, where it is done at once
    for script in to_apply:
        for function, given, _ in operation_calls(script):
            if function == "backfill_later":
                begun.add(given["name"])
                if _is_for_the_worker(connection, given["table"]):
                    tasks.setdefault(given["name"], _begun_by(script, given))
            elif function == "cancel_backfill":
                tasks.pop(given["name"], None)
            elif function in NEEDS and (reason := _refusal(connection, function, given, tasks.values(), begun)):
                return f"{script.revision}: {reason}. Nothing was changed."
    return None


def _named(call: Call) -> Named:
    names = (call.schema or DEFAULT_SCHEMA, call.given["table"], call.given.get("column"))
    return tuple(str(name) for name in names if name is not None)


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


def _refusal(
    connection: Connection, function: str, given: Mapping[str, Any], tasks: Iterable[Task], begun: Container[str]
) -> str | None:
    reason = reason_to_wait(function, given, tasks)
    if not reason and function == "require_backfilled" and given["name"] not in begun:
        return reason_not_done(connection, given["name"])
    return reason


def _begun_by(script: Script, given: Mapping[str, Any]) -> Task:
    how_far = (
        f"{script.revision} begins it in this same run. Release up to {script.revision} first (on a database that no"
        f" release serves: flask db upgrade {script.revision}), let a worker fill it, and release the rest after it"
    )
    query = BackfillQuery(given["table"], given["set_sql"], given["where"], given.get("pk", "id"))
    return Task(given["name"], query, how_far)


def _is_for_the_worker(connection: Connection, table: str) -> bool:
    """Tell a table that a worker fills from one that this run creates, or a small one, which the migration fills."""
    return bool(connection.scalar(_EXISTS, {"table": quote(table)})) and not store.is_small(connection, table)


def _revisions_to_run(connection: Connection, current: SchemaState) -> list[Script]:
    """Return what Alembic is about to upgrade or downgrade, in that order, whatever base or branch it comes by.

    Raises:
        ReleaseError: the revision that the command was given does not exist, or the code has two heads.
    """
    migration = context.get_context()
    heads = migration.get_current_heads()
    connection.rollback()
    function = migration._migrations_fn
    try:
        steps = list(function(heads, migration)) if function else []
    except CommandError as error:
        if "ultiple head" in str(error):
            raise ReleaseError(two_heads(current, unmerged_heads(context.script))) from error
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error
    return [step.revision for step in steps]
