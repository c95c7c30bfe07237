"""The text of a note as HTML: a part of CommonMark, for reading alone; what is stored stays as it was typed.

Lists, quotes, code, emphasis, links, task boxes and headings. Not: HTML, pictures (they would tell their server who
reads the note), and what makes text vanish or change that was not meant as Markdown: link definitions, entities,
headings by underlining, code by indenting. A line break is a line break.

Nothing that a note says becomes HTML by itself: the parser escapes all text and every attribute, its HTML is off, and
a link leads to http, https or mailto or is none.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from app.notes.tags import TAG, tags_of

ALLOWED_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
# A bare address ends before what ends a sentence; its host is ASCII, so that a particle behind it is not a part of it.
BARE_LINK = re.compile(r"""\bhttps?://[a-z0-9.-]+(?::[0-9]+)?(?:[/?#][^\s<>"'`]*)?(?<![.,:;!?)\]…])""", re.IGNORECASE)
TASK = re.compile(r"\[([ xX])\] ")
REL = "nofollow noopener noreferrer"
MAX_NESTING = 20


def render(text: str, tags_at: str) -> Markup:
    """The text as HTML.

    Args:
        text: of a note.
        tags_at: the address of a tag's notes, to which the tag is appended: "/notes?tag=".
    """
    return Markup(_PARSER.render(text, {"tags_at": tags_at}))  # noqa: S704 - the parser escapes what it is given


def parser() -> MarkdownIt:
    options = {"html": False, "breaks": True, "xhtmlOut": False, "maxNesting": MAX_NESTING}
    made = MarkdownIt("commonmark", options).enable("strikethrough")
    made.disable(["image", "html_block", "html_inline", "entity", "reference", "lheading", "code"])
    made.validateLink = is_allowed  # type: ignore[method-assign]
    # Before the pieces of a line are joined: a `#` behind a backslash is still a piece of its own then, and no tag.
    made.core.ruler.before("text_join", "notebook", finish)
    return made


def is_allowed(url: str) -> bool:
    return bool(ALLOWED_LINK.match(url))


def finish(state: StateCore) -> None:
    """Headings below the page's own, task boxes, #tags and bare addresses; nothing that has no text."""
    state.tokens = [*without_empty_headings(state.tokens)]
    level = 1  # the page's own
    for before, token in zip([None, None, *state.tokens], state.tokens, strict=False):
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + 1, level + 1, 6)  # none is left out on the way down
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"
        if token.children:
            is_item = before is not None and before.type == "list_item_open"
            named = [*with_named_links(token.children)]
            token.children = [*with_links(task(named) if is_item and named else named, state.env["tags_at"])]


def without_empty_headings(tokens: list[Token]) -> Iterator[Token]:
    """A heading is three tokens, of which the second has the text."""
    place = 0
    while place < len(tokens):
        if tokens[place].type == "heading_open" and not tokens[place + 1].content:
            place += 3
            continue
        yield tokens[place]
        place += 1


def with_named_links(children: list[Token]) -> Iterator[Token]:
    """A link without an address is its text; one without a text shows its address."""
    is_named = leads_nowhere = False
    href = ""
    for token in children:
        if token.type == "link_open":
            href = str(token.attrGet("href") or "")
            is_named, leads_nowhere = False, not href
        elif token.type == "link_close" and not is_named and href:
            yield Token("text", "", 0, content=href)
        else:
            is_named = is_named or bool(token.content.strip())
        if not (leads_nowhere and token.type in ("link_open", "link_close")):
            yield token


def task(children: list[Token]) -> list[Token]:
    """`[x] text` with a box that only shows; the text is its label."""
    first = children[0]
    box = TASK.match(first.content) if first.type == "text" else None
    if not box:
        return children
    checked = "" if box[1] == " " else " checked"
    opening = Token(
        "html_inline", "", 0, content=f'<label class="task"><input type="checkbox" disabled{checked}> <span>'
    )
    first.content = first.content[box.end() :]
    return [opening, *children, Token("html_inline", "", 0, content="</span></label>")]


def with_links(children: list[Token], tags_at: str) -> Iterator[Token]:
    inside_link = False
    at_start = True  # of a line: only there may a tag stand at the start of a token
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


def linked(text: str, at_start: bool, tags_at: str) -> Iterator[Token]:
    """The text with each #tag and each address that stands in it made a link."""
    done = 0
    for start, end, url in sorted([*bare_links(text), *tag_links(text, at_start, tags_at)]):
        if start < done:
            continue  # a # inside of an address
        yield Token("text", "", 0, content=text[done:start])
        rel = {} if url.startswith(tags_at) else {"rel": REL}
        yield Token("link_open", "a", 1, attrs={"href": url, **rel})
        yield Token("text", "", 0, content=text[start:end])
        yield Token("link_close", "a", -1)
        done = end
    yield Token("text", "", 0, content=text[done:])


def bare_links(text: str) -> Iterator[tuple[int, int, str]]:
    for match in BARE_LINK.finditer(text):
        yield match.start(), match.end(), match[0]


def tag_links(text: str, at_start: bool, tags_at: str) -> Iterator[tuple[int, int, str]]:
    for match in TAG.finditer(text):
        start = match.start(1) - 1  # with its #
        if tags_of("", match[0]) and (start or at_start):
            yield start, match.end(), tags_at + quote(match[1].lower())


_PARSER = parser()
