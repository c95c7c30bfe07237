"""Pending revisions that need a long backfill: they are refused before the run changes anything.

A run that begins a backfill and needs it is the common case: the worker cannot fill the rows in between.
"""

import ast
import inspect
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from alembic.script import Script
from sqlalchemy import Connection, text

from app.release import operations
from app.release.backfills import guards, records
from app.release.backfills.guards import Task
from app.release.sql.dialect import quote

Call = tuple[str, dict[str, Any]]  # an operation, its arguments by their names

_EXISTS = text("SELECT to_regclass(:table) IS NOT NULL")


def unfinished_backfill(connection: Connection, to_apply: Iterable[Script]) -> str | None:
    """A sentence that refuses the run when one of its steps needs a backfill that is not done; else None.

    Args:
        to_apply: the revisions that the run would apply, in order.
    """
    tasks = {backfill.name: guards.task_of(backfill) for backfill in records.unfinished_backfills(connection)}
    begun: set[str] = set()  # by this run, also in a small table, where it is done at once
    for script in to_apply:
        for function, given in operation_calls(script):
            if function == "backfill_later":
                begun.add(given["name"])
                if _is_for_the_worker(connection, given["table"]):
                    tasks.setdefault(given["name"], _begun_by(script, given))
            elif function == "cancel_backfill":
                tasks.pop(given["name"], None)
            elif reason := _refusal(connection, function, given, tasks.values(), begun):
                return f"{script.revision}: {reason}. Nothing was changed."
    return None


def _refusal(
    connection: Connection, function: str, given: Mapping[str, Any], tasks: Iterable[Task], begun: Container[str]
) -> str | None:
    reason = guards.refusal(function, given, tasks)
    if not reason and function == "require_backfilled" and given["name"] not in begun:
        return guards.reason_not_done(connection, given["name"])
    return reason


def operation_calls(script: Script) -> Iterator[Call]:
    """The operations that upgrade() calls by name, in the order of the text, with arguments that are constant.

    It does not run upgrade(), so it does not see a call through a function of the author's. The operation itself asks
    again when it runs.
    """
    tree = ast.parse(inspect.getsource(script.module.upgrade))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in {*guards.NEEDS, "backfill_later", "cancel_backfill"}:
            given = _arguments(name, node, vars(script.module))
            if given is not None:
                yield name, given


def _arguments(function: str, node: ast.Call, namespace: Mapping[str, Any]) -> dict[str, Any] | None:
    """None: they are not constant, or do not fit the function."""
    try:
        values = [_value(argument, namespace) for argument in node.args]
        named = {keyword.arg: _value(keyword.value, namespace) for keyword in node.keywords if keyword.arg}
        return dict(inspect.signature(getattr(operations, function)).bind(*values, **named).arguments)
    except (ValueError, TypeError, NameError):
        return None


def _value(node: ast.expr, namespace: Mapping[str, Any]) -> Any:
    """The value of an expression of literals and of the module's constants, such as f"words = {WORDS}".

    Raises:
        ValueError: it calls something.
    """
    if any(isinstance(part, ast.Call | ast.Await | ast.Yield | ast.NamedExpr) for part in ast.walk(node)):
        raise ValueError
    return eval(compile(ast.Expression(node), "<revision>", "eval"), dict(namespace))  # noqa: S307 - our own revision


def _begun_by(script: Script, given: Mapping[str, Any]) -> Task:
    how_far = (
        f"{script.revision} begins it in this same run. Release up to {script.revision} first (on a database that no"
        f" release serves: flask db upgrade {script.revision}), let a worker fill it, and release the rest after it"
    )
    return Task(given["name"], given["table"], given["set_sql"], given["where"], how_far)


def _is_for_the_worker(connection: Connection, table: str) -> bool:
    """Not in a table that this run creates, nor in a small one, which the migration fills itself."""
    return bool(connection.scalar(_EXISTS, {"table": quote(table)})) and not records.is_small(connection, table)
