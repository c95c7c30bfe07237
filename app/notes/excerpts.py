"""A note in a list: its name, and the part of its text that is shown, with what was searched for marked."""

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

LENGTH = 200  # code points: what fits four lines of Korean
NAME_LENGTH = 50
BEFORE_HIT = 40  # code points of what leads up to the first hit
HEADING = re.compile(r"(?:#{1,6}|[-*+>]|\[[ xX]\])\s+")
EMPTY_LINES = re.compile(r"\n\s*\n")


def name_and_excerpt(title: str, text: str) -> tuple[str, str]:
    """A note without a title goes by its first line, which the excerpt then does not say again."""
    text = EMPTY_LINES.sub("\n", text.strip())
    if title:
        return title, text
    line, _, rest = text.partition("\n")
    if len(line) > NAME_LENGTH:
        return f"{line[: NAME_LENGTH - 1]}…", text
    return HEADING.sub("", line, count=1), rest


def around_hit(text: str, words: Iterable[str]) -> str:
    """LENGTH characters of the text, from a little before the first of the words on."""
    hit = finder(words).search(text) if words else None
    start = max(hit.start() - BEFORE_HIT, 0) if hit and hit.end() > LENGTH else 0
    if start:
        start = text.find(" ", start, hit.start()) + 1 or start  # type: ignore[union-attr]
    return f"{'…' if start else ''}{text[start : start + LENGTH]}{'…' if len(text) > start + LENGTH else ''}"


def marked(text: str, words: Iterable[str]) -> Markup:
    """The text as HTML, with each of the words in <mark>."""
    if not words:
        return escape(text)
    pieces = finder(words).split(text)  # between two pieces of text stands what was found
    wrap = (escape, Markup("<mark>{}</mark>").format)
    return Markup("").join(wrap[number % 2](piece) for number, piece in enumerate(pieces))


def finder(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})", re.IGNORECASE)
