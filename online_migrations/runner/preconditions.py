"""Preconditions of a migration: what is refused before anything is changed, read from the text of the revisions.

Retire and drop in one run would be the outage that the two steps avoid. A run that begins a backfill and needs it
cannot succeed: a worker fills the rows in between.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from alembic import context
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection

from online_migrations import operations
from online_migrations.backfills import store
from online_migrations.backfills.store import NEEDS, BackfillQuery, Task, reason_not_done, reason_to_wait
from online_migrations.errors import IncompatibleSchema, ReleaseError, UnknownRevision, UnsafeOperation, told
from online_migrations.guard.effect import DEFAULT_SCHEMA, shown
from online_migrations.operations.catalog import ask
from online_migrations.operations.steps import in_schema
from online_migrations.revisions import unmerged_heads
from online_migrations.state import AHEAD, AHEAD_CONTRACT, UNKNOWN, SchemaState, refusal, two_heads

DROP = ("drop_column_contract", "drop_table_contract")

Named = tuple[str, ...]  # a table, or a column of it: its schema, its table, its own name

_BIND = "the arguments"  # as no revision can name anything
_COMPUTED = object()  # in place of a value that the text does not say: a call's, or that of what only upgrade() knows


class Call(NamedTuple):
    function: str  # the operation's own name, whatever the file calls it
    given: Mapping[str, Any]  # its arguments by their names, however the file passes them
    schema: str | None  # of the block of in_schema() around the call; None: the search path's first one


def check(current: SchemaState, connection: Connection, command: str) -> list[Script]:
    """Refuse what must not run on this database, each by its own error, and return the revisions that would run now."""
    errors = {AHEAD_CONTRACT: IncompatibleSchema, UNKNOWN: UnknownRevision, AHEAD: ReleaseError}
    is_mended = current.name == UNKNOWN and context.get_context().purge  # stamp --purge fixes just this
    if current.name in errors and not is_mended:
        raise errors[current.name](refusal(current))
    to_run = [] if command == "do_stamp" else _revisions_to_run(connection, current)
    is_served = command == "upgrade" and current.database_revision  # no release is live on an empty database
    if is_served and (reason := drop_in_same_release(to_run) or unfinished_backfill(connection, to_run)):
        raise UnsafeOperation(reason)
    return to_run


def drop_in_same_release(to_apply: Iterable[Script]) -> str | None:
    """Return a sentence that refuses these revisions when one of them drops what an earlier one retires; else None."""
    retired_by: dict[Named, str] = {}
    for script in to_apply:
        for call in operation_calls(script):
            if call.function.startswith("retire_"):
                retired_by[_named(call)] = script.revision
            elif call.function.startswith("reinstate_"):
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
        for function, given, _ in operation_calls(script):
            if function == "backfill_later":
                begun.add(given["name"])
                is_there = ask("is_relation", given["table"], kinds="rpvmf").rows(connection).scalar()
                if is_there and not store.is_small(connection, given["table"]):  # else the migration itself fills it
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


def _revisions_to_run(connection: Connection, current: SchemaState) -> list[Script]:
    """Return what Alembic is about to upgrade or downgrade. Refuse a revision that does not exist, and two heads."""
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
    except AttributeError as error:  # Alembic's, as it takes downgrade() from each module
        raise ReleaseError(f"{told(error)}, so there is no way back from it.") from error
    return [step.revision for step in steps]


def operation_calls(script: Script) -> list[Call]:
    """Return the calls of operations in upgrade(), in the order of the text, but those with computed arguments."""
    reader = _Reader(vars(script.module))  # which runs nothing; each operation asks again when it runs
    reader.visit(ast.parse(textwrap.dedent(inspect.getsource(script.module.upgrade))))
    return reader.calls


class _Reader(ast.NodeVisitor):
    def __init__(self, module: Mapping[str, Any]) -> None:
        self.calls: list[Call] = []
        self._names = dict(module)  # constants and loops of the function add to it
        self._schema: str | None = None

    def visit_With(self, node: ast.With) -> None:
        outer = self._schema
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and self._value(call.func) is in_schema:
                self._schema = (self._bound(in_schema, call) or {}).get("name", outer)
            self.visit(call)
        for statement in node.body:
            self.visit(statement)
        self._schema = outer

    def visit_For(self, node: ast.For) -> None:
        """Read the body once for each value, if the text says which there are, or else once."""
        values = self._value(node.iter)
        for value in values if isinstance(values, Iterable) else [_COMPUTED]:
            self._assign(node.target, value)
            for statement in node.body:
                self.visit(statement)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._assign(target, self._value(node.value))

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        function = self._value(node.func)
        name = getattr(function, "__name__", "")
        is_operation = callable(function) and getattr(operations, name, None) is function
        if is_operation and (given := self._bound(function, node)) is not None:
            self.calls.append(Call(name, given, self._schema))

    def _assign(self, target: ast.expr, value: Any) -> None:
        """Give a name its value; one that is computed has none from then on."""
        if isinstance(target, ast.Name) and value is not _COMPUTED:
            self._names[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, tuple | list) and len(value) == len(target.elts):
            for element, part in zip(target.elts, value, strict=True):
                self._assign(element, part)
        else:
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    self._names.pop(node.id, None)

    def _bound(self, function: Callable[..., Any], node: ast.Call) -> dict[str, Any] | None:
        """Return the arguments by their names, also of `*names` and `**options`; None: computed, or they do not fit."""
        call = ast.copy_location(ast.Call(ast.Name(_BIND, ast.Load()), node.args, node.keywords), node)
        bound = self._value(ast.fix_missing_locations(call), inspect.signature(function).bind)
        return None if bound is _COMPUTED else dict(bound.arguments)

    def _value(self, node: ast.expr, bind: Callable[..., Any] | None = None) -> Any:
        """Return the value of an expression of literals and known names, which may call `bind` alone."""
        calls = sum(isinstance(part, ast.Call | ast.Await | ast.Yield | ast.NamedExpr) for part in ast.walk(node))
        if calls > (bind is not None):
            return _COMPUTED
        try:
            code = compile(ast.Expression(node), "<revision>", "eval")
            return eval(code, {**self._names, _BIND: bind})  # noqa: S307 - our own revision
        except Exception:  # such as a NameError, or an index that is out of range
            return _COMPUTED
