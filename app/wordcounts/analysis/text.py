"""HTML to text: the title of a page and the text that a reader sees. Pure.

Style sheets and scripts are not applied, so text that only they hide or write is read wrongly.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

LONGEST_TITLE = 200  # characters

# Inline elements, by the default style sheet of browsers (HTML Living Standard, §15.3 "Rendering"). Every other
# element, known or not, is a block with a line break around it: joining two separate words is worse than splitting one
# word that holds a custom element.
INLINE = {
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
    "ins", "kbd", "label", "map", "mark", "nobr", "output", "picture", "q", "rb", "ruby", "s", "samp", "slot", "small",
    "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
}  # fmt: skip

# Elements without text that is read in the line. <rp> and <rt> hold the pronunciation above a word.
SKIPPED = {
    "audio", "canvas", "datalist", "head", "iframe", "math", "noembed", "noframes", "noscript", "object", "rp", "rt",
    "script", "style", "svg", "template", "title", "video",
}  # fmt: skip

HIDING_STYLE = re.compile(r"(?:^|;)\s*display\s*:\s*none\b", re.IGNORECASE)
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # and text direction overrides
BODY = re.compile(r"<body\b", re.IGNORECASE)
NOSCRIPT = re.compile(r"<noscript\b.*?</noscript\s*>", re.IGNORECASE | re.DOTALL)


class Document(NamedTuple):
    title: str  # at most LONGEST_TITLE characters; "" if there is none
    text: str  # one line per block, no empty lines


def document(html: str) -> Document:
    """Parse a page like a browser without style sheets and scripts, and leave out NUL, which PostgreSQL cannot store.

    No input is an error: unclosed tags, text after </html> and text without tags are read as browsers read them.
    Parse the page of a stranger only in `sandbox.read`, which limits time and memory.
    """
    tree = LexborHTMLParser(_without_noscript_in_head(html.replace("\0", "")))
    lines = (" ".join(line.split()) for line in "".join(_pieces(tree.root)).split("\n"))
    return Document(_title(tree), "\n".join(filter(None, lines)))


def _without_noscript_in_head(html: str) -> str:
    """Remove <noscript> from the head. The parser has scripting off, so text in it would start the body."""
    body = BODY.search(html)
    if body is None:
        return html
    return NOSCRIPT.sub("", html[: body.start()]) + html[body.start() :]


def _title(tree: LexborHTMLParser) -> str:
    """Return the title of the page. A <title> inside an <svg> is not one."""
    title = tree.css_first("title:not(svg title)")
    if title is None:
        return ""
    return CONTROLS.sub("", " ".join(title.text().split()))[:LONGEST_TITLE].rstrip()


def _pieces(root: LexborNode | None) -> Iterator[str]:
    """Yield the visible text nodes in reading order, and "\\n" at each start and end of a block.

    Uses its own stack instead of recursion, because a page may nest deeper than Python's recursion limit.
    """
    stack: list[LexborNode | None] = [root]  # None marks the end of a block
    while stack:
        node = stack.pop()
        if node is None:
            yield "\n"
            continue
        if node.next is not None:
            stack.append(node.next)
        if node.is_text_node:
            yield (node.text_content or "").replace("\n", " ")  # a line break in the HTML source is a space
        elif node.is_element_node and not _is_hidden(node):
            if node.tag not in INLINE:
                yield "\n"
                stack.append(None)
            if node.first_child is not None:
                stack.append(node.first_child)


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
