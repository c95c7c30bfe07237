"""Render a note's text, a subset of Markdown (CommonMark), as HTML that is safe from XSS.

XSS: nothing in a note becomes HTML by itself. The parser escapes all text and every attribute, raw HTML is off, and a
link has the scheme http, https or mailto or is not a link.

Lists, quotes, code, tables, emphasis, links, task boxes and headings are rendered. Images are not, since they would
tell their server who reads the note. Syntax that changes text which was not meant as Markdown is off too: link
definitions, entities, underlined headings and indented code. A line break is a line break. The stored text stays as it
was typed.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from app.notes.texts import TAG, Tick, tags_of, tick_of
from app.web_addresses import addresses_in

ALLOWED_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
TASK = re.compile(r"\[([ xX])\] ")
TICKABLE = (
    '<span class="task"><button name="task" value="{value}" aria-pressed="{is_done}" '
    'aria-labelledby="task-{line}"></button> <span id="task-{line}">'
)
DISABLED = '<label class="task"><input type="checkbox" disabled{}> <span>'
REL = "nofollow noopener noreferrer ugc"
MAX_NESTING = 20
# Each of these may open or close something inline, so the parser looks for its partner: `[` 2,000 times cost 800 times
# as much as plain text (algorithmic complexity attack). A note with more of them shows them as they were typed.
DELIMITER = re.compile(r"[*_~\[`<]")
BULLET = re.compile(r"^[ >]*\* ", re.MULTILINE)
MAX_DELIMITERS = 200
INLINE_RULES = ["emphasis", "strikethrough", "link", "backticks", "autolink"]


def render(text: str, tags_at: str | None, *, can_tick: bool = False) -> Markup:
    """Return the text of a note as HTML.

    Args:
        tags_at: the URL of a tag's notes without the tag, which is appended: "/notes?tag="; None: tags are text.
        can_tick: its task boxes are buttons, named `task`, of a form that the page puts around it.
    """
    delimiters = len(DELIMITER.findall(text)) - len(BULLET.findall(text))
    chosen = _PARSER if delimiters <= MAX_DELIMITERS else _PARSER_OF_BLOCKS
    return Markup(chosen.render(text, {"tags_at": tags_at, "can_tick": can_tick}))  # noqa: S704 - the parser escapes its input


def parser() -> MarkdownIt:
    options = {"html": False, "breaks": True, "xhtmlOut": False, "maxNesting": MAX_NESTING}
    made = MarkdownIt("commonmark", options).enable(["strikethrough", "table"])
    made.disable(["image", "html_block", "html_inline", "entity", "reference", "lheading", "code"])
    made.validateLink = lambda url: bool(ALLOWED_LINK.match(url))  # type: ignore[method-assign]
    # Before "text_join" an escaped `#` is still a token of its own, so it is not taken for a tag.
    made.core.ruler.before("text_join", "semicircle", transform)
    return made


def transform(state: StateCore) -> None:
    """Change the parsed tokens: headings below the page's own, task boxes, links for #tags and bare URLs."""
    state.tokens = without_empty_headings(state.tokens)
    level = 1  # of the page's own heading
    for before, token in zip([None, None, *state.tokens], state.tokens, strict=False):
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + 1, level + 1, 6)  # no level is skipped
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"
        if token.type in ("th_open", "td_open"):
            align_by_class(token)
        if token.children:
            is_item = before is not None and before.type == "list_item_open"
            children = [*without_blank_links(token.children)]
            if is_item and children:
                children = with_task_box(children, tick_at(state, token))
            token.children = [*with_links(children, state.env["tags_at"])]


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


def tick_at(state: StateCore, token: Token) -> Tick | None:
    """Return what the box of a list item sends, if boxes can be ticked."""
    return tick_of(state.src.split("\n"), token.map[0]) if state.env["can_tick"] and token.map else None


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
    """Mark the links of the text, and make links of #tags and bare URLs outside of them."""
    inside_link = False
    at_start = True  # of a line: a tag at the start of a token is one only there
    for token in children:
        if token.type in ("link_open", "link_close"):
            inside_link = token.type == "link_open"
            if inside_link:
                token.attrSet("rel", REL)
        if token.type == "text" and not inside_link:
            yield from linked(token.content, at_start, tags_at)
        else:
            yield token
        at_start = token.type in ("softbreak", "hardbreak", "html_inline")


def linked(text: str, at_start: bool, tags_at: str | None) -> Iterator[Token]:
    """Yield the text with a link for each #tag and each bare URL."""
    done = 0
    tags = tag_links(text, at_start, tags_at) if tags_at else ()
    for start, end, url in sorted([*addresses_in(text), *tags]):
        if start < done:
            continue  # a `#` inside of a URL
        yield Token("text", "", 0, content=text[done:start])
        rel = {} if tags_at and url.startswith(tags_at) else {"rel": REL}
        yield Token("link_open", "a", 1, attrs={"href": url, **rel})
        yield Token("text", "", 0, content=text[start:end])
        yield Token("link_close", "a", -1)
        done = end
    yield Token("text", "", 0, content=text[done:])


def tag_links(text: str, at_start: bool, tags_at: str) -> Iterator[tuple[int, int, str]]:
    for match in TAG.finditer(text):
        start = match.start(1) - 1  # with its `#`
        if tags_of("", match[0]) and (start or at_start):
            yield start, match.end(), tags_at + quote(match[1].lower())


_PARSER = parser()
_PARSER_OF_BLOCKS = parser().disable(INLINE_RULES)
