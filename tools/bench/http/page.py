"""The list as a template: our own page, taken apart into what stands around the rows, and one row.

So every peer prints the same page as ours does today, by its own template engine.
"""

import re
from html import escape
from typing import NamedTuple

from tools.bench.http.rows import EXCERPT, Visitor

ROW = re.compile(r"<article\b.*?</article>", re.DOTALL)
TIME = re.compile(r"(?<=<footer>)[^<]+")
WITHIN = 0.1  # how much the bytes of a peer's page may differ from ours
OPENING = ("{{", "{%", "{#")  # what templates begin an expression with


class Syntax(NamedTuple):
    """How a template engine writes the variables of our page.

    Args:
        each, end: around a row.
        id, title, text, time: of the row's note; `text` is cut, `time` is when it was written.
        reader: the nickname.
        token: against CSRF; None where the framework has nothing against it: the page keeps the token that it has.
        field: the name of the token in a form.
        percent: a per cent sign of the page.
    """

    each: str
    end: str
    id: str
    title: str
    text: str
    time: str
    reader: str
    token: str | None
    field: str = "csrf_token"
    percent: str = "%"


JINJA = Syntax(
    each="{% for note in notes %}",
    end="{% endfor %}",
    id="{{ note.id }}",
    title="{{ note.title }}",
    text=f"{{{{ note.content[:{EXCERPT}] }}}}",
    time="{{ note.created_at.strftime('%-I:%M %p') }}",
    reader="{{ current_user.nickname }}",
    token="{{ csrf_token() }}",  # noqa: S106
)
FASTAPI = JINJA._replace(reader="{{ user.nickname }}", token=None)
DJANGO = JINJA._replace(
    text=f'{{{{ note.content|slice:":{EXCERPT}" }}}}',
    time='{{ note.created_at|date:"g:i A" }}',
    reader="{{ user.nickname }}",
    token="{{ csrf_token }}",  # noqa: S106
    field="csrfmiddlewaretoken",
)
WSGI = Syntax(
    each="<!-- rows -->",
    end="<!-- rows -->",
    id="%(id)d",
    title="%(title)s",
    text="%(text)s",
    time="%(time)s",
    reader="%(reader)s",
    token=None,
    percent="%%",
)


class Note(NamedTuple):
    """The first note of the page, as it is stored."""

    id: int
    title: str
    content: str


def parts(page: str) -> tuple[str, str, str]:
    """What is before the rows, the first row, and what is after the rows. Raises: LookupError."""
    rows = list(ROW.finditer(page))
    if not rows:
        raise LookupError("the list of notes has no <article>; adapt tools/bench/http/page.py to its markup")
    return page[: rows[0].start()], rows[0][0], page[rows[-1].end() :]


def template(visitor: Visitor, nickname: str, note: Note, syntax: Syntax) -> str:
    """Our page as a template of the other engine. Raises: LookupError where the page shows something else."""
    before, row, after = parts(visitor.page.replace("%", syntax.percent))
    if any(opening in visitor.page for opening in OPENING):
        raise LookupError("our page has braces that would begin an expression of a template")
    written = TIME.search(row)
    if written is None:
        raise LookupError("a row of the list has no time; adapt tools/bench/http/page.py to its markup")
    row = replaced(row, written[0], syntax.time)
    row = replaced(row, str(note.id), syntax.id)
    row = replaced(row, escape(note.title), syntax.title)
    row = replaced(row, escape(note.content[:EXCERPT].strip()), syntax.text)
    whole = f"{before}{syntax.each}{row}\n{syntax.end}{after}"
    whole = whole.replace(nickname, syntax.reader)  # no more than the letter of a portrait may be there
    for token in visitor.token.values():
        whole = whole if syntax.token is None else replaced(whole, token, syntax.token)
    return whole.replace('name="csrf_token"', f'name="{syntax.field}"')


def replaced(text: str, value: str, by: str) -> str:
    """Raises: LookupError."""
    if not value or value not in text:
        raise LookupError(f"our list does not show {value!r}; adapt tools/bench/http/page.py to its markup")
    return text.replace(value, by)


def refuse_other_size(name: str, theirs: str, ours: str) -> None:
    """Raises: RuntimeError when the peer's page is not the same, or too small or too large to be compared with ours."""
    sizes = len(theirs.encode()), len(ours.encode())
    rows = len(ROW.findall(theirs)), len(ROW.findall(ours))
    if abs(sizes[0] / sizes[1] - 1) > WITHIN or rows[0] != rows[1]:
        raise RuntimeError(f"{name}: {sizes[0]} bytes and {rows[0]} rows, but ours has {sizes[1]} and {rows[1]}")
