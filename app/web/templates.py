"""Templates: URLs that are paths of this site, no blank lines where block tags stand, and constant folding.

A template is compiled once for each language (compile-time i18n): a call such as `_("Notes")` or
`url_for("notes.index")`, the same on every page of a language, is replaced by its value. Jinja joins the values with
the HTML around them, so a page of mostly constant text is written in a few pieces.
"""

import secrets
from collections.abc import Callable, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import flask
from babel import Locale
from flask import Flask, current_app
from flask.templating import Environment
from flask_babel import get_locale, get_translations
from jinja2 import Template, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

# Stands for the id of a row in what all rows share. Drawn when the process starts: no text of a reader can contain it.
BLANK_ID = str(secrets.randbelow(2**62) + 1)
ART = Path(__file__).parents[1] / "templates/art"
OUTSIDE_OF_A_REQUEST = Locale("en")  # the language of what is rendered when the process starts
Function = TypeVar("Function", bound=Callable[..., object])


def constant(function: Function) -> Function:
    """Mark a template global whose value depends on its arguments and the reader's language alone.

    It must not look at anything else of the request: what it returns to the first reader is on everybody's page.
    """
    function.is_constant = True  # type: ignore[attr-defined]
    return function


def init_app(app: Flask) -> None:
    """Call it before everything that touches the templates' environment."""
    app.jinja_environment = FoldingEnvironment
    app.jinja_options = {"cache_size": -1}  # a plain dict; Jinja's LRU cache is slower, and would never be full
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    # Paths that do not depend on the request: neither its Host nor its SCRIPT_NAME can lead a page elsewhere.
    urls = app.url_map.bind("localhost")

    @constant
    def url_for(endpoint: str, **values: Any) -> str:
        return urls.build(endpoint, values)

    @constant
    def url_pattern(endpoint: str, argument: str, **values: Any) -> str:
        """Return the URLs of a list's rows as a printf pattern: `url_pattern("notes.show", "note_id") % 17`.

        Building a URL takes about 5 µs, filling in a pattern 0.2 µs. `argument` differs from row to row: an id, or a
        text that is percent-encoded already.
        """
        return url_for(endpoint, **{**values, argument: BLANK_ID}).replace("%", "%%").replace(BLANK_ID, "%s")

    app.jinja_env.globals.update(art=art, blank_id=BLANK_ID, url_for=url_for, url_pattern=url_pattern)
    app.jinja_env.globals["absolute_url"] = partial(flask.url_for, _external=True)


@constant
def art(name: str) -> Markup:
    """Insert a drawing of templates/art into the page, so that it takes the page's colours."""
    return Markup((ART / f"{name}.svg").read_text(encoding="utf-8").strip())  # noqa: S704 - a file of ours


class FoldingEnvironment(Environment):
    """Jinja's environment with an overlay for each language, which has a cache of templates of its own.

    A template finds what it extends, includes and imports in its own overlay.
    """

    language: str | None = None  # of an overlay; the application's own environment only hands over to them

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Template:
        overlay = self if self.language else self._overlay(self._language_of_reader())
        return super(FoldingEnvironment, overlay).get_template(name, parent, globals)

    def _language_of_reader(self) -> str:
        """Return the reader's language. The readers of another application's context are not asked."""
        locale = get_locale() if current_app == self.app else None
        return (locale or OUTSIDE_OF_A_REQUEST).language

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the globals themselves. Jinja's ChainMap is copied key by key for each page."""
        return super().make_globals(d) if d else self.globals

    def _overlay(self, language: str) -> "FoldingEnvironment":
        overlays: dict[str, FoldingEnvironment] = self.__dict__.setdefault("overlays", {})
        if language not in overlays:
            overlays[language] = self.overlay()
            overlays[language].language = language
        return overlays[language]

    def compile(self, source: Any, name: str | None = None, filename: str | None = None, *how: Any, **more: Any) -> Any:
        """Compile the folded template. In development edits show at once, so nothing is folded."""
        if self.language and not self.auto_reload:
            is_html = self.autoescape(name) if callable(self.autoescape) else self.autoescape
            source = Folding(self, is_html).visit(self.parse(source, name, filename))
            source.set_environment(self)
            imports, rest = super().compile(source, name, filename, raw=True).split("\n", 1)
            quick = f"{imports}; from {__name__} import html as escape\n{rest}"
            return compile(quick, filename or "<template>", "exec")
        return super().compile(source, name, filename, *how, **more)


def html(value: object) -> str:
    """Escape what a template prints, without the mark (Markup) that it is escaped: it is joined with the page at once.

    The list does it 250 times, and Markup is half of what that costs: with it, all of the page costs 1.1 times as much.
    """
    if type(value) is str:
        is_plain = not ("&" in value or "<" in value or ">" in value or "'" in value or '"' in value)
        return value if is_plain else escape(value)
    return str(value) if type(value) in (int, Markup) else escape(value)


class Folding(NodeTransformer):
    """Replaces each call of a constant global with constant arguments by its value."""

    def __init__(self, environment: FoldingEnvironment, is_html: bool) -> None:
        self._globals = cast(MutableMapping[str, Callable[..., object]], environment.globals)
        self._is_html = is_html

    def visit_Call(self, call: nodes.Call) -> nodes.Expr:  # noqa: N802 - jinja2 calls it by the class of the node
        self.generic_visit(call)
        name = call.node.name if isinstance(call.node, nodes.Name) else None
        if call.dyn_args or call.dyn_kwargs:
            return call
        if name in ("_", "ngettext"):
            return self._translated(call) if name == "_" else self._counted(call)
        function = self._globals.get(name or "")
        return self._value(function, call) if function and getattr(function, "is_constant", False) else call

    def _translated(self, call: nodes.Call) -> nodes.Expr:
        """Translate as gettext does: the sentence is HTML, and the values in it are escaped."""
        [sentence] = call.args
        if not isinstance(sentence, nodes.Const):
            return call
        return self._filled(get_translations().ugettext(sentence.value), call, call.kwargs)

    def _counted(self, call: nodes.Call) -> nodes.Expr:
        """Translate as ngettext does. A language of ours has one form for 1 and one, maybe the same, for all others."""
        one, many, number = call.args
        if not (isinstance(one, nodes.Const) and isinstance(many, nodes.Const)):
            return call
        values = [nodes.Keyword("num", number), *call.kwargs]
        texts = (get_translations().ungettext(one.value, many.value, count) for count in (1, 2))
        is_one = nodes.Compare(number, [nodes.Operand("eq", nodes.Const(1))])
        return nodes.CondExpr(is_one, *(self._filled(text, call, values) for text in texts), lineno=call.lineno)

    def _filled(self, text: str, call: nodes.Call, named: list[nodes.Keyword]) -> nodes.Expr:
        pattern = Markup(text) if self._is_html else text  # noqa: S704 - translators write it, as templates
        if not named:
            return nodes.Const(pattern % {}, lineno=call.lineno)
        values = [nodes.Pair(nodes.Const(value.key), value.value, lineno=call.lineno) for value in named]
        return nodes.Mod(nodes.Const(pattern), nodes.Dict(values), lineno=call.lineno)

    def _value(self, function: Callable[..., object], call: nodes.Call) -> nodes.Expr:
        try:
            arguments = [argument.as_const() for argument in call.args]
            keywords = dict(keyword.as_const() for keyword in call.kwargs)
        except nodes.Impossible:
            return call
        return nodes.Const(function(*arguments, **keywords), lineno=call.lineno)
