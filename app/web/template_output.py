"""Escaping of what templates print (against XSS), without an object for each value.

Jinja escapes a value into a Markup, so that nobody escapes it twice, and then joins it with the text around it. A page
of notes does that 500 times, 0.7 µs each. What is joined at once needs no mark.
"""

from typing import Any

from jinja2.compiler import CodeGenerator
from markupsafe import Markup, _escape_inner, escape  # type: ignore[attr-defined] # the function that `escape` calls


class OutputGenerator(CodeGenerator):
    """Jinja's compiler, which lets `{{ value }}` call the environment's `escaped` in place of `escape`."""

    def _output_child_pre(self, node: Any, frame: Any, finalize: Any) -> None:
        if frame.eval_ctx.autoescape and not frame.eval_ctx.volatile:
            self.write("environment.escaped(")
        else:
            super()._output_child_pre(node, frame, finalize)


def escaped(value: object) -> str:
    """The value as HTML. What is HTML already (`__html__`) stays as it is."""
    if type(value) is str:  # not a Markup, which is a str of its own
        text: str = _escape_inner(value)
        return text
    return str(value) if type(value) in (Markup, int) else escape(value)
