"""The name and the excerpt that a list shows of a note, with the hits of a search highlighted."""

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

from app.notes.initials import regular_expression

LENGTH = 200  # code points of an excerpt: four lines of Korean
NAME_LENGTH = 50  # code points
BEFORE_HIT = 40  # code points of an excerpt before the first hit
# Of Markdown: what a line of a heading, list, quote or task begins with; lines that are a rule, a fence of code or the
# second one of a table; the rows of a table; then emphasis, code and links. A few of them are enough for an excerpt;
# the page of the note has the whole of it.
CUT_MARKER = re.compile(r"^[ \t]*[-*+][ \t]+\[[ xX]?\Z", re.MULTILINE)  # of a task at the end of a text that is cut
BLOCK_MARKER = re.compile(r"^(?:[ \t]*(?:#{1,6}|[-*+>]|[0-9]{1,9}[.)]|\[[ xX]\])[ \t]+)+", re.MULTILINE)
RULE_OR_FENCE = re.compile(r"^[ \t]*(?:```.*|(?:[-*_][ \t]*){3,}|\|[ \t]*:?-[-:| \t]*)$\n?", re.MULTILINE)
TABLE_ROW = re.compile(r"^[ \t]*\|[ \t]*([^\n]+?)[ \t]*\|[ \t]*$", re.MULTILINE)
BETWEEN_CELLS = re.compile(r"[ \t]*\|[ \t]*")
EMPHASIS = re.compile(r"(\*{1,3}|__|~~|`)(?=\S)([^\n]{1,200}?)(?<=\S)\1")
LINK = re.compile(r"\[([^\]\n]{1,200})\]\((?:https?://|mailto:)[^)\s]{1,500}\)")
EMPTY_LINES = re.compile(r"\n\s*\n")


def name_and_excerpt(title: str, text: str) -> tuple[str, str]:
    """The title and the text without its Markdown. A note without a title is named by its first line, which the excerpt
    then leaves out."""
    text = EMPTY_LINES.sub("\n", plain(text).strip())
    if title:
        return title, text
    line, _, rest = text.partition("\n")
    if len(line) > NAME_LENGTH:
        return f"{line[: NAME_LENGTH - 1]}…", text
    return line, rest


def plain(text: str) -> str:
    for pattern, kept in ((RULE_OR_FENCE, ""), (CUT_MARKER, ""), (BLOCK_MARKER, ""), (LINK, r"\1"), (EMPHASIS, r"\2")):
        text = pattern.sub(kept, text)
    return TABLE_ROW.sub(lambda row: BETWEEN_CELLS.sub(" · ", row[1]), text) if "|" in text else text


def excerpt_around_hit(text: str, words: Iterable[str]) -> str:
    """LENGTH code points of the text that hold the first hit of any of the words; without a hit, its beginning."""
    hit = pattern_of(words).search(text) if words else None
    start = max(hit.start() - BEFORE_HIT, 0) if hit and hit.end() > LENGTH else 0
    if start:
        start = text.find(" ", start, hit.start()) + 1 or start  # type: ignore[union-attr]
    return f"{'…' if start else ''}{text[start : start + LENGTH]}{'…' if len(text) > start + LENGTH else ''}"


def highlight(text: str, words: Iterable[str]) -> str:
    """The text with each hit of the words in <mark>, as HTML (Markup). Without words the text itself, as it was."""
    if not words:
        return text
    pieces = pattern_of(words).split(text)  # text and hits in turn
    wrap = (escape, Markup("<mark>{}</mark>").format)
    return Markup("").join(wrap[number % 2](piece) for number, piece in enumerate(pieces))


def pattern_of(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(regular_expression, longest_first))})", re.IGNORECASE)
