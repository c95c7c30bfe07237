"""Render a note's text, a subset of Markdown (CommonMark), as HTML that is safe from XSS.

XSS: nothing in a note becomes HTML by itself. The parser escapes all text and every attribute, raw HTML is off, and a
link has the scheme http, https or mailto or is not a link.

Lists, quotes, code, tables, emphasis, links, task boxes and headings are rendered. A line break is a line break. The
stored text stays as it was typed.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote

from markdown_it.token import Token
from markupsafe import Markup

from app.notes.syntax import html_of, parse
from app.notes.texts import Tick, tick_of
from app.web_addresses import REL

TASK = re.compile(r"\[([ xX])\][ \t]")
TICKABLE = (
    '<span class="task"><button name="task" value="{value}" aria-pressed="{is_done}" '
    'aria-labelledby="task-{line}"></button> <span id="task-{line}">'
)
DISABLED = '<label class="task"><input type="checkbox" disabled{}> <span>'
NOTICE = Markup('<p class="message">{}</p>\n')


def render(text: str, tags_at: str | None, *, can_tick: bool = False, cut_notice: object = "") -> Markup:
    """Return the text of a note as HTML.

    Args:
        tags_at: the URL of a tag's notes without the tag, which is appended: "/notes?tag="; None: tags are text.
        can_tick: its task boxes are buttons, named `task`, of a form that the page puts around it.
        cut_notice: a sentence that is put above a text of which some is shown as it was typed, for its cost.
    """
    tokens, is_cut = parse(text)
    shown = Markup(html_of(transformed(tokens, text.split("\n") if can_tick else None, tags_at)))  # noqa: S704 - escaped
    return NOTICE.format(cut_notice) + shown if is_cut and cut_notice else shown


def transformed(tokens: list[Token], lines: list[str] | None, tags_at: str | None) -> list[Token]:
    """Return the parsed tokens with headings below the page's own, task boxes, marked links, and links for #tags.

    Args:
        lines: the text, if its task boxes can be ticked.
    """
    tokens = without_empty_headings(tokens)
    keep_numbers(tokens)
    level = 1  # of the page's own heading
    for before, token in zip([None, None, *tokens], tokens, strict=False):
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + 1, level + 1, 6)  # no level is skipped
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"
        if token.type in ("th_open", "td_open"):
            align_by_class(token)
        if token.children:
            children = [*without_blank_links(token.children)]
            if before is not None and before.type == "list_item_open" and children:
                tick = tick_of(lines, token.map[0]) if lines and token.map else None
                children = with_task_box(children, tick)
            token.children = [*with_links(children, tags_at)]
    return tokens


def keep_numbers(tokens: list[Token]) -> None:
    """Show an item with its number as typed: a list may count down, and `10. 3 / 10. 9` are dates. 1. 1. is counted."""
    last: dict[int, int] = {}  # of the list at each level
    for token in tokens:
        if token.type == "ordered_list_open":
            last[token.level + 1] = int(token.attrs.get("start", 1)) - 1
        elif token.type == "list_item_open" and token.info:
            before, last[token.level] = last[token.level], int(token.info)
            if int(token.info) != before + 1 and not int(token.info) == before <= 1:
                token.attrSet("value", str(int(token.info)))


def align_by_class(cell: Token) -> None:
    """Align a cell of a table. The parser does it by a style attribute, which our content security policy refuses."""
    style = str(cell.attrs.pop("style", ""))
    if style:
        cell.attrSet("class", style.removeprefix("text-align:"))
    if cell.type == "th_open":
        cell.attrSet("scope", "col")


def without_empty_headings(tokens: list[Token]) -> list[Token]:
    """Leave out headings without text. A heading is three tokens; the second one has the text."""
    empty = [at for at, token in enumerate(tokens) if token.type == "heading_open" and not tokens[at + 1].content]
    left_out = {at + offset for at in empty for offset in range(3)}
    return [token for at, token in enumerate(tokens) if at not in left_out]


def without_blank_links(children: list[Token]) -> Iterator[Token]:
    """Make a link without a URL its text, and let a link without a text show its URL."""
    has_text = is_refused = False
    href = ""
    for token in children:
        if token.type == "link_open":
            href = str(token.attrGet("href") or "")
            has_text, is_refused = False, not href
        elif token.type == "link_close" and not has_text and href:
            yield Token("text", "", 0, content=href)
        else:
            has_text = has_text or bool(token.content.strip())
        if not (is_refused and token.type in ("link_open", "link_close")):
            yield token


def with_task_box(children: list[Token], tick: Tick | None) -> list[Token]:
    """Return `[x] text` as a checkbox labelled by the text: a button if there is something to send, else disabled."""
    first = children[0]
    box = TASK.match(first.content) if first.type == "text" else None
    if not box:
        return children
    first.content = first.content[box.end() :]
    is_done = box[1] != " "
    if tick:
        before = TICKABLE.format(line=tick.line, value=tick, is_done=str(is_done).lower())
        return [html(before), *children, html("</span></span>")]
    return [html(DISABLED.format(" checked" if is_done else "")), *children, html("</span></label>")]


def html(content: str) -> Token:
    return Token("html_inline", "", 0, content=content)


def with_links(children: list[Token], tags_at: str | None) -> Iterator[Token]:
    """Mark the links of the text, make links of its tags and addresses, and text of what was escaped."""
    for token in children:
        if token.type == "link_open":
            token.attrSet("rel", REL)
        link = {"href": token.attrs.get("href", ""), "rel": REL} if token.type == "address" else {}
        if token.type == "tag" and tags_at:
            link = {"href": tags_at + quote(token.content[1:].lower())}
        if token.type in ("address", "tag", "text_special"):
            token.type = "text"
        yield from [Token("link_open", "a", 1, attrs=link), token, Token("link_close", "a", -1)] if link else [token]
