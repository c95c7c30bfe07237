"""Read a note's text: its name and excerpt in a list, its #tags, its task boxes."""

import re
import zlib
from dataclasses import dataclass

from app.notes.syntax import LIST_NUMBER, tags_in

EXCERPT_LENGTH = 160  # code points: two lines of English on a desk
NAME_LENGTH = 50  # code points
# Of Markdown: what a line of a heading, list, quote or task begins with; lines that are a rule, a fence of code or the
# second one of a table; the rows of a table; then emphasis, code and links. A few of them are enough for an excerpt;
# the page of the note has the whole of it.
CUT_MARKER = re.compile(r"^[ \t]*[-*+][ \t]+\[[ xX]?\Z", re.MULTILINE)  # of a task at the end of a text that is cut
BLOCK_MARKER = re.compile(rf"^(?:[ \t]*(?:#{{1,6}}|[-*+>]|{LIST_NUMBER}|\[[ xX]\])[ \t]+)+", re.MULTILINE)
RULE_OR_FENCE = re.compile(r"^[ \t]*(?:```.*|(?:[-*_][ \t]*){3,}|\|[ \t]*:?-[-:| \t]*)$\n?", re.MULTILINE)
TABLE_ROW = re.compile(r"^[ \t]*\|[ \t]*([^\n]+?)[ \t]*\|[ \t]*$", re.MULTILINE)
BETWEEN_CELLS = re.compile(r"[ \t]*\|[ \t]*")
# An address keeps its signs, and so do arithmetic, faces and what stands behind a word.
EMPHASIS = re.compile(
    r"https?://\S+|(?<![*~])(?!\*[\^´｀≧≦]|(?<=\S)(?:\*|~~)[,.!?;:)、。，！？；：）]|(?<=[0-9])[*~]+[0-9a-z(]"
    r"|(?<=[^\W_])\*[0-9]|(?<=\))\*[0-9(])(\*{1,3}|__|~~|`)(?=\S)([^\n]{1,200}?)(?<=\S)\1",
    re.IGNORECASE,
)
LINK = re.compile(r"\[([^\]\n]{1,200})\]\((?:https?://|mailto:)[^)\s]{1,500}\)")
EMPTY_LINES = re.compile(r"\n\s*\n")
# Without one of them a text has none of the above, as many a thought has not.
MARK = re.compile(r"[-#*+>`_~|\[]|[0-9][.)]")

TASK_LINE = re.compile(r"([ \t>]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]+\[)([ xX])(\][ \t]+.*)")
TICK = re.compile(r"([0-9]{1,4})-([0-9a-f]{8})-([01])")


def name_and_excerpt(title: str, text: str) -> tuple[str, str]:
    """Return the title and the text without its Markdown. A note without a title is named by its first line, or by as
    many words of it as a name has room for, and the excerpt goes on from there."""
    if MARK.search(text):
        text = _without_markdown(text)
    text = EMPTY_LINES.sub("\n", text.strip())
    if title:
        return title, text
    line, _, rest = text.partition("\n")
    if len(line) <= NAME_LENGTH:
        return line, rest
    end = line.rfind(" ", NAME_LENGTH // 2, NAME_LENGTH)
    end = end if end > 0 else NAME_LENGTH - 1
    return f"{text[:end].rstrip()}…", f"…{text[end:].lstrip()}"


def without_tag_lines(text: str, tags: list[str]) -> str:
    """Return an excerpt without the lines that are nothing but tags of the note, which the list shows below it."""
    names = {f"#{tag}" for tag in tags}
    return "\n".join(line for line in text.split("\n") if {word.lower() for word in line.split()} - names)


def _without_markdown(text: str) -> str:
    for pattern, kept in ((RULE_OR_FENCE, ""), (CUT_MARKER, ""), (BLOCK_MARKER, ""), (LINK, r"\1")):
        text = pattern.sub(kept, text)
    text = EMPHASIS.sub(lambda match: match[2] or match[0], text)
    return TABLE_ROW.sub(lambda row: BETWEEN_CELLS.sub(" · ", row[1]), text) if "|" in text else text


def tags_of(title: str, content: str) -> list[str]:
    """Return each tag once, in lower case and without `#`, sorted by code point."""
    if "#" not in title and "#" not in content:
        return []
    return sorted({tag.lower() for tag in (*tags_in(title, is_markdown=False), *tags_in(content, is_markdown=True))})


class TaskNotFound(Exception):
    """That line of the note is another one by now, or no task."""


@dataclass(frozen=True)
class Tick:
    """Name the line of a box on the page, as it is sent when the box is used."""

    line: int  # of the text, from 0
    checksum: int  # of the line without its mark (CRC-32). It names the line: the note may have changed since
    is_done: bool  # what the task becomes; not "the other way round", so that it may be sent twice

    @classmethod
    def parse(cls, value: str) -> "Tick":
        """Read what `str()` wrote. Raises: ValueError."""
        match = TICK.fullmatch(value)
        if not match:
            raise ValueError(value)
        return cls(int(match[1]), int(match[2], 16), match[3] == "1")

    def __str__(self) -> str:
        return f"{self.line}-{self.checksum:08x}-{int(self.is_done)}"


def tick_of(lines: list[str], number: int) -> Tick | None:
    """Return the tick that changes the task of a line; None where it is no task, as the first of a nested list."""
    match = TASK_LINE.fullmatch(lines[number])
    return match and Tick(number, checksum(match), match[2] == " ")


def ticked(text: str, tick: Tick) -> str:
    """Return the text with the task's mark changed. Raises: TaskNotFound."""
    lines = text.split("\n")
    match = TASK_LINE.fullmatch(lines[tick.line]) if tick.line < len(lines) else None
    if not match or checksum(match) != tick.checksum:
        raise TaskNotFound
    lines[tick.line] = f"{match[1]}{'x' if tick.is_done else ' '}{match[3]}"
    return "\n".join(lines)


def checksum(match: re.Match[str]) -> int:
    return zlib.crc32(f"{match[1]}{match[3]}".encode())
