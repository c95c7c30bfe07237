"""HTML to text: the title of a page, the text that a reader sees, and where else the page sends its reader. Pure.

Scripts and style sheets are not applied, so text that only they write or hide is read wrongly. The rest is read as
Chromium's `innerText` has it, but for what no reader reads so: controls part words, of a drop-down list the chosen
option alone counts, and drawings, formulas and pronunciations are left out.
"""

import re
from collections.abc import Iterator
from html import escape
from typing import NamedTuple
from urllib.parse import urljoin
from xml.parsers import expat

from selectolax.lexbor import LexborHTMLParser, LexborNode

LONGEST_TITLE = 200  # characters

# Inline elements, by the default style sheet of browsers (HTML Living Standard, §15.3 "Rendering"). Every other
# element, known or not, is a block with a line break around it: joining two separate words is worse than splitting one
# word that holds a custom element.
INLINE = {
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "blink", "cite", "code", "data", "del", "dfn", "em", "font", "i",
    "img", "ins", "kbd", "label", "map", "mark", "nobr", "output", "picture", "q", "rb", "ruby", "s", "samp", "slot",
    "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
}  # fmt: skip

# Elements without text that is read in the line. <rp> and <rt> hold the pronunciation above a word.
SKIPPED = {
    "area", "audio", "base", "basefont", "bgsound", "canvas", "datalist", "embed", "frame", "head", "iframe", "link",
    "math", "meta", "meter", "noembed", "noframes", "noscript", "object", "param", "progress", "rp", "rt", "script",
    "source", "style", "svg", "template", "title", "track", "video",
}  # fmt: skip

FRAMES = {"frame", "iframe"}
SIDES, UNSEEN = ("width", "height"), {"0", "0px", "1", "1px"}  # a frame of one pixel is a tracker's

STYLE = re.compile(r"(?:^|;)\s*(display|visibility|float|position|width|height)\s*:\s*([a-z0-9.-]+)")
BLOCK = {"block", "flow-root", "list-item", "table", "table-caption", "table-cell", "table-row", "flex", "grid"}
OF_BLOCKS = {"flex", "grid", "inline-flex", "inline-grid"}  # each child is a block, whatever it is
APART = {"left", "right", "absolute", "fixed"}  # values of float and position that make a block
CONTROLS = {"button", "input", "select", "textarea"}  # boxes of their own, also in the line

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # and text direction overrides
# An address behind a delay of at most five seconds (HTML Living Standard, §4.2.5.3 "Refresh state"). A page that goes
# on later, or loads itself anew, is there to be read. Possessive, so it takes linear time (no ReDoS).
REFRESH = re.compile(
    r"\s*+0*+[0-5]?+(?:\.[0-9.]*+)?+(?:\s++[;,]?+|[;,])\s*+(?:url\s*+=\s*+)?+(?:'([^']*+)|\"([^\"]*+)|(.++))",
    re.IGNORECASE | re.DOTALL,
)
PAGE = re.compile(r"(?:https?:|(?![a-z][a-z0-9+.-]*:)).", re.IGNORECASE)  # an address, but not about:blank


class Document(NamedTuple):
    title: str  # at most LONGEST_TITLE characters; "" if there is none
    text: str  # one line per block, no empty lines
    refresh: str = ""  # the address where it sends its reader at once; may be relative, as those of its frames
    frames: tuple[str, ...] = ()
    is_frameset: bool = False  # without text of its own
    has_scripts: bool = False


def document(html: str, *, is_xml: bool = False) -> Document:
    """Parse a page like a browser, and leave out NUL, which PostgreSQL cannot store.

    No input is an error: unclosed tags, text after </html> and text without tags are read as browsers read them.
    Parse the page of a stranger only in `sandbox.read`, which limits time and memory.
    """
    html = html.replace("\0", "")
    tree = LexborHTMLParser(_from_xml(html) if is_xml else html, scripting=True)
    frames: list[LexborNode] = []
    lines = (" ".join(line.split()) for line in "".join(_pieces(tree.root, frames)).split("\n"))
    refreshes = (REFRESH.match(_attribute(meta, "content")) for meta in tree.css("meta[http-equiv=refresh i]"))
    targets = (next(filter(None, found.groups()), "").strip() for found in refreshes if found)
    base = "".join(_attribute(element, "href") for element in tree.css("base[href]")[:1])
    return Document(
        title=_title(tree),
        text="\n".join(filter(None, lines)),
        refresh=next((_resolved(base, target) for target in targets if PAGE.match(target)), ""),
        frames=tuple(_resolved(base, source) for frame in frames if PAGE.match(source := _attribute(frame, "src"))),
        is_frameset=tree.css_first("frameset") is not None,
        has_scripts=tree.css_first("script:not([type]), script[type=module i], script[type*=javascript i]") is not None,
    )


def _from_xml(xhtml: str) -> str:
    """Write XHTML as HTML, in which <script/> would not end and CDATA be no text. What is malformed is read as HTML.

    No external entity is loaded, and expat limits what internal ones expand to.
    """
    html: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        html.append(f"<{name.rpartition(':')[2]}")
        html.extend(f' {key}="{escape(value)}"' for key, value in attributes.items())
        html.append(">")

    parser = expat.ParserCreate()
    parser.UseForeignDTD(True)  # so that entities such as &nbsp;, which no DTD here defines, are skipped
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: html.append(f"</{name.rpartition(':')[2]}>")
    parser.CharacterDataHandler = lambda text: html.append(escape(text))
    parser.SkippedEntityHandler = lambda name, is_parameter: html.append(f"&{name};")
    try:
        parser.Parse(xhtml, True)
    except expat.ExpatError:
        return xhtml
    return "".join(html)


def _attribute(element: LexborNode, name: str) -> str:
    return (element.attributes.get(name) or "").strip()


def _resolved(base: str, address: str) -> str:
    try:
        return urljoin(base, address).replace(" ", "%20")
    except ValueError:  # no address, which who asks for it is told
        return address


def _title(tree: LexborHTMLParser) -> str:
    """Return the title of the page. A <title> inside an <svg> is not one."""
    title = tree.css_first("title:not(svg title)")
    if title is None:
        return ""
    return UNPRINTABLE.sub("", " ".join(title.text().split()))[:LONGEST_TITLE].rstrip()


def _pieces(root: LexborNode | None, frames: list[LexborNode]) -> Iterator[str]:
    """Yield the visible text nodes in reading order, and "\\n" at each start and end of a block. List the frames.

    Uses its own stack instead of recursion, because a page may nest deeper than Python's recursion limit.
    """
    # A node, or None for the end of a block; if it is visible; and if its parent makes any element of it a block.
    stack: list[tuple[LexborNode | None, bool, bool]] = [(root, True, False)]
    while stack:
        node, is_visible, is_block = stack.pop()
        if node is None:
            yield "\n"
            continue
        if node.is_text_node and is_visible:
            yield (node.text_content or "").replace("\n", " ")  # a line break in the HTML source is a space
        if not node.is_element_node or _is_hidden(node, style := _style(node)):
            continue
        is_visible = style.get("visibility", "visible" if is_visible else "") == "visible"
        if (
            node.tag in FRAMES
            and is_visible
            and not UNSEEN & {style.get(key) or _attribute(node, key) for key in SIDES}
        ):
            frames.append(node)
        if node.tag in SKIPPED:
            continue
        if is_visible and _is_block(node, style, is_block):
            yield "\n"
            stack.append((None, True, False))
        makes_blocks = style.get("display") in OF_BLOCKS
        stack.extend((child, is_visible, makes_blocks) for child in reversed(_shown_in(node)))


def _shown_in(element: LexborNode) -> list[LexborNode]:
    """Return the nodes in it: of closed <details> the summary alone, of a drop-down list the text that is chosen."""
    attributes = element.attributes
    is_list_box = "multiple" in attributes or attributes.get("size", "1") != "1"
    if element.tag == "select" and not is_list_box:
        options = element.css("option[selected]")[-1:] or element.css("option:not([disabled])")[:1]
        return [text for option in options for text in option.iter(include_text=True)]
    children = list(element.iter(include_text=True))
    if element.tag == "details" and "open" not in attributes:
        return [child for child in children if child.tag == "summary"][:1]
    return children


def _style(element: LexborNode) -> dict[str, str]:
    declarations = element.attributes.get("style")
    return dict(STYLE.findall(declarations.lower())) if declarations else {}


def _is_hidden(element: LexborNode, style: dict[str, str]) -> bool:
    """Return True if neither the element nor what is in it is shown. A display of its own shows it in any case."""
    if "display" in style:
        return style["display"] == "none"
    attributes = element.attributes
    return "hidden" in attributes or "popover" in attributes or (element.tag == "dialog" and "open" not in attributes)


def _is_block(element: LexborNode, style: dict[str, str], is_made_one: bool) -> bool:
    display = style.get("display", "")
    if is_made_one or element.tag in CONTROLS or {style.get("float"), style.get("position")} & APART:
        return True
    return display in BLOCK or (element.tag not in INLINE and not display.startswith(("inline", "contents")))
