"""Read from the text of a revision which operations its upgrade() calls: known before anything runs."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from alembic.script import Script

from online_migrations import operations
from online_migrations.operations.steps import in_schema

_BIND = "the arguments"  # as no revision can name anything


class Call(NamedTuple):
    function: str  # the operation's own name, whatever the file calls it
    given: Mapping[str, Any]  # its arguments by their names, however the file passes them
    schema: str | None  # of the block of in_schema() around the call; None: the search path's first one


def operation_calls(script: Script) -> list[Call]:
    """Return the calls of operations in upgrade(), in the order of the text.

    Left out are a call through a function of the author's, and one whose arguments are computed: upgrade() does not run
    for this. The operations ask again when they run.
    """
    reader = _Reader(vars(script.module))
    reader.visit(ast.parse(textwrap.dedent(inspect.getsource(script.module.upgrade))))
    return reader.calls


class _Computed(Exception):
    """The text does not say the value of an expression: it calls something, or names what only upgrade() knows."""


class _Reader(ast.NodeVisitor):
    def __init__(self, module: Mapping[str, Any]) -> None:
        self.calls: list[Call] = []
        self._names = dict(module)  # constants and loops of the function add to it
        self._schema: str | None = None

    def visit_With(self, node: ast.With) -> None:
        outer = self._schema
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and self._function(call) is in_schema:
                self._schema = (self._bound(in_schema, call) or {}).get("name", outer)
            self.visit(call)
        for statement in node.body:
            self.visit(statement)
        self._schema = outer

    def visit_For(self, node: ast.For) -> None:
        """Read the body once for each value, if the text says which there are."""
        try:
            values = list(self._value(node.iter))
        except _Computed:
            values = []
        for value in values:
            self._assign(node.target, value)
            for statement in node.body:
                self.visit(statement)
        if not values:
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            try:
                self._assign(target, self._value(node.value))
            except _Computed:
                self._forget(target)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        function = self._function(node)
        name = getattr(function, "__name__", "")
        is_operation = function is not None and getattr(operations, name, None) is function
        if is_operation and (given := self._bound(function, node)) is not None:
            self.calls.append(Call(name, given, self._schema))

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self._names[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, tuple | list) and len(value) == len(target.elts):
            for element, part in zip(target.elts, value, strict=True):
                self._assign(element, part)
        else:
            self._forget(target)

    def _forget(self, target: ast.expr) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self._names.pop(node.id, None)

    def _function(self, node: ast.Call) -> Any:
        """Return what a call calls; None when that is computed."""
        try:
            return self._value(node.func)
        except _Computed:
            return None

    def _bound(self, function: Callable[..., Any], node: ast.Call) -> dict[str, Any] | None:
        """Return the arguments by their names, also those of `*names` and `**options`; None when they are computed, or
        do not fit the function.
        """
        bind = ast.copy_location(ast.Name(_BIND, ast.Load()), node)
        call = ast.copy_location(ast.Call(bind, node.args, node.keywords), node)
        try:
            return dict(self._value(call, inspect.signature(function).bind).arguments)
        except _Computed:
            return None

    def _value(self, node: ast.expr, bind: Callable[..., Any] | None = None) -> Any:
        """Return the value of an expression of literals and known names, which may call `bind` alone."""
        calls = sum(isinstance(part, ast.Call | ast.Await | ast.Yield | ast.NamedExpr) for part in ast.walk(node))
        if calls > (bind is not None):
            raise _Computed
        try:
            code = compile(ast.Expression(node), "<revision>", "eval")
            return eval(code, {**self._names, _BIND: bind})  # noqa: S307 - our own revision
        except Exception as error:  # such as a NameError, or an index that is out of range
            raise _Computed from error
