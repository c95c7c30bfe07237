"""What a reader sees of a page: its HTML in, its title and its text out. Pure.

Style sheets and scripts are not applied, so what they alone hide or write is not known here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

LONGEST_TITLE = 200  # characters

# The elements that stand within a line by the style sheet of every browser (HTML Living Standard, 15.3 "Rendering").
# There is a line break around any other, known or not: parting two words that a reader sees apart matters more than
# joining the halves of one that somebody's own element stands in.
INLINE = {
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
    "ins", "kbd", "label", "map", "mark", "nobr", "output", "picture", "q", "rb", "ruby", "s", "samp", "slot", "small",
    "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
}  # fmt: skip

# Not text, not shown, or, as the pronunciation above a word, not to be read in the same line.
SKIPPED = {
    "audio", "canvas", "datalist", "head", "iframe", "math", "noembed", "noframes", "noscript", "object", "rp", "rt",
    "script", "style", "svg", "template", "title", "video",
}  # fmt: skip

HIDING_STYLE = re.compile(r"(?:^|;)\s*display\s*:\s*none\b", re.IGNORECASE)
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # also of the direction of writing
BODY = re.compile(r"<body\b", re.IGNORECASE)
NOSCRIPT = re.compile(r"<noscript\b.*?</noscript\s*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Document:
    """A page as it is read."""

    title: str  # at most LONGEST_TITLE characters, "" when there is none
    text: str  # one line a block, none of them empty


def document(html: str) -> Document:
    """Read a page as a browser does that knows no style sheet and no script.

    Nothing is an error: tags that are never closed, text behind </html> and text without any tag are read as a browser
    reads them. The parser's time grows with the square of how deeply elements are nested, and its memory with the
    square of some misnesting, so who reads a stranger's page bounds the time and the memory of doing so.

    Args:
        html: the page, decoded. NUL is no character of HTML and is taken out, as PostgreSQL takes it in no text.
    """
    tree = LexborHTMLParser(_without_noscript_in_head(html.replace("\0", "")))
    lines = (" ".join(line.split()) for line in "".join(_pieces(tree.root)).split("\n"))
    return Document(_title(tree), "\n".join(filter(None, lines)))


def _without_noscript_in_head(html: str) -> str:
    """The parser knows of no scripts, so for it text in there would begin the body."""
    body = BODY.search(html)
    if body is None:
        return html
    return NOSCRIPT.sub("", html[: body.start()]) + html[body.start() :]


def _title(tree: LexborHTMLParser) -> str:
    """Of the page, not of a drawing in it."""
    title = tree.css_first("title:not(svg title)")
    if title is None:
        return ""
    return CONTROLS.sub("", " ".join(title.text().split()))[:LONGEST_TITLE].rstrip()


def _pieces(root: LexborNode | None) -> Iterator[str]:
    """The text of each text node that is seen, in reading order, and "\\n" at each border of a block.

    With a stack of its own, since a page may nest deeper than Python calls.
    """
    waiting: list[LexborNode | None] = [root]  # None: here a block ends
    while waiting:
        node = waiting.pop()
        if node is None:
            yield "\n"
            continue
        if node.next is not None:
            waiting.append(node.next)
        if node.is_text_node:
            yield (node.text_content or "").replace("\n", " ")  # in the source a line break is a space
        elif node.is_element_node and not _is_hidden(node):
            if node.tag not in INLINE:
                yield "\n"
                waiting.append(None)
            if node.first_child is not None:
                waiting.append(node.first_child)


def _is_hidden(element: LexborNode) -> bool:
    if element.tag in SKIPPED:
        return True
    attributes = element.attributes
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or (attributes.get("aria-hidden") or "").strip().lower() == "true"
        or HIDING_STYLE.search(attributes.get("style") or "") is not None
    )
