"""Preconditions of a migration: what is refused before anything is changed.

Retire and drop in one run would be the outage that the two steps avoid. A run that begins a backfill and needs it
cannot succeed: a worker fills the rows in between. Both are told by what upgrade() calls, rehearsed without a database.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from alembic import context, op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text

from online_migrations import operations
from online_migrations.backfills import store
from online_migrations.backfills.store import NEEDS, BackfillQuery, Task, reason_not_done, reason_to_wait
from online_migrations.errors import IncompatibleSchema, ReleaseError, UnknownRevision, UnsafeOperation
from online_migrations.guard.effect import DEFAULT_SCHEMA, shown
from online_migrations.guard.watch import refused
from online_migrations.revisions import unmerged_heads
from online_migrations.sql import OFFLINE_OPTIONS, quote
from online_migrations.state import AHEAD, AHEAD_CONTRACT, UNKNOWN, SchemaState, refusal, two_heads

RETIRE = ("retire_column_online", "retire_table_online")
REINSTATE = ("reinstate_column_online", "reinstate_table_online")
DROP = ("drop_column_contract", "drop_table_contract")

Named = tuple[str, ...]  # a table, or a column of it: its schema, its table, its own name

NOTHING = "BEGIN;\n\nCOMMIT;\n\n"  # an operation ends Alembic's transaction before it begins its own
_EXISTS = text("SELECT to_regclass(:table) IS NOT NULL")


class Call(NamedTuple):
    function: str  # the operation's own name, whatever the file calls it
    given: Mapping[str, Any]  # its arguments by their names, however the file passes them
    schema: str | None  # of the block of in_schema() around the call; None: the search path's first one


class Rehearsal(NamedTuple):
    sql: str  # with the transactions in which it is sent
    calls: list[Call]  # of operations, in their order
    unreadable: str | None  # why the rest is not known


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
    """Return a sentence that refuses these revisions when one of them drops what an earlier one retires; else None."""
    retired_by: dict[Named, str] = {}
    for script in to_apply:
        for call in rehearse(script).calls:
            if call.function in RETIRE:
                retired_by[_named(call)] = script.revision
            elif call.function in REINSTATE:
                retired_by.pop(_named(call), None)
            elif call.function in DROP:
                dropped = _named(call)
                gone = next((one for one in retired_by if one[: len(dropped)] == dropped), None)  # or a column of it
                if gone is not None:
                    name, retired = shown(".".join(gone)), retired_by[gone]
                    return (
                        f"{script.revision} drops {name}, which {retired} retires in this same release, while the"
                        " release that is live still uses it; nothing was changed. Put the drop into a revision of its"
                        f" own, and release that after {retired}. (On a database that no release serves:"
                        f" flask db upgrade {retired}, then flask db upgrade.)"
                    )
    return None


def unfinished_backfill(connection: Connection, to_apply: Iterable[Script]) -> str | None:
    """Return a sentence that refuses these revisions when one needs a backfill that is not done; else None."""
    tasks = {task.name: task for task in store.unfinished_tasks(connection)}
    begun: set[str] = set()  # by this run, also in a small table, where it is done at once
    for script in to_apply:
        for function, given, _ in rehearse(script).calls:
            if function == "backfill_later":
                begun.add(given["name"])
                if _is_for_the_worker(connection, given["table"]):
                    tasks.setdefault(given["name"], _begun_by(script, given))
            elif function == "cancel_backfill":
                tasks.pop(given["name"], None)
            elif function in NEEDS:
                is_asked = function == "require_backfilled" and given["name"] not in begun
                reason = reason_to_wait(function, given, tasks.values())
                if reason := reason or (reason_not_done(connection, given["name"]) if is_asked else None):
                    return f"{script.revision}: {reason}. Nothing was changed."
    return None


def _named(call: Call) -> Named:
    names = (call.schema or DEFAULT_SCHEMA.rstrip("."), call.given["table"], call.given.get("column"))
    return tuple(str(name) for name in names if name is not None)


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

    Refuse a revision that does not exist, and code with two heads.
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


@functools.cache  # each question about a revision runs upgrade() no more than once
def rehearse(script: Script, metadata: MetaData | None = None) -> Rehearsal:
    """Run upgrade() as `flask db upgrade --sql` does, which would print the SQL of all revisions, and note its calls.

    What comes after a line that needs a database is not known. The operations ask again when they run.
    """
    printed = StringIO()
    migration = MigrationContext.configure(
        url=OFFLINE_OPTIONS["url"],
        dialect_opts=OFFLINE_OPTIONS["dialect_opts"],
        opts={"as_sql": True, "literal_binds": True, "output_buffer": printed, "target_metadata": metadata},
    )
    calls: list[Call] = []
    unreadable = None
    with refused(script.module), _noted(script.module, calls), Operations.context(migration):
        try:
            with migration.begin_transaction():
                script.module.upgrade()
        except Exception as error:  # a file may do anything; the plan says what went wrong
            unreadable = f"{type(error).__name__}: {error}".splitlines()[0]
    return Rehearsal(printed.getvalue().replace(NOTHING, "").strip(), calls, unreadable)


@contextmanager
def _noted(revision: ModuleType, calls: list[Call]) -> Iterator[None]:
    """Note each call of an operation, by whatever name the revision, or a module that it imports, knows it."""
    modules = [revision, operations, *(value for value in vars(revision).values() if isinstance(value, ModuleType))]
    found = [(module, *item) for module in modules for item in vars(module).items() if _is_operation(item[1])]
    for module, name, operation in found:
        setattr(module, name, _noting(operation, calls))
    try:
        yield
    finally:
        for module, name, operation in found:
            setattr(module, name, operation)


def _is_operation(value: Any) -> bool:
    return isinstance(value, FunctionType) and getattr(operations, value.__name__, None) is value


def _noting(operation: Callable[..., Any], calls: list[Call]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def noted(*arguments: Any, **options: Any) -> Any:
        given = inspect.signature(operation).bind(*arguments, **options).arguments
        calls.append(Call(operation.__name__, given, op.get_context().opts.get("schema")))
        return operation(*arguments, **options)

    return noted
