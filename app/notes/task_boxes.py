"""Task boxes of a note's Markdown: lines such as `- [ ] milk`, found again and ticked off in the text."""

import re
import zlib
from dataclasses import dataclass

LINE = re.compile(r"([ >]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]+\[)([ xX])(\][ \t]+.*)")
VALUE = re.compile(r"([0-9]{1,4})-([0-9a-f]{8})-([01])")


class TaskNotFound(Exception):
    """That line of the note is another one by now, or no task."""


@dataclass(frozen=True)
class Tick:
    """What a box on the page sends when it is used.

    Args:
        line: of the text, from 0.
        checksum: of the line without its mark (CRC-32). It names the line, since the note may have changed since.
        is_done: what the task becomes; not "the other way round", so that it may be sent twice.
    """

    line: int
    checksum: int
    is_done: bool

    @classmethod
    def parse(cls, value: str) -> "Tick":
        """What `str()` wrote. Raises: ValueError."""
        match = VALUE.fullmatch(value)
        if not match:
            raise ValueError(value)
        return cls(int(match[1]), int(match[2], 16), match[3] == "1")

    def __str__(self) -> str:
        return f"{self.line}-{self.checksum:08x}-{int(self.is_done)}"


def tick_of(lines: list[str], number: int) -> Tick | None:
    """The tick that changes the task of a line; None where it is not a task, such as the first of a nested list."""
    match = LINE.fullmatch(lines[number])
    return match and Tick(number, checksum(match), match[2] == " ")


def ticked(text: str, tick: Tick) -> str:
    """The text with the task's mark changed. Raises: TaskNotFound."""
    lines = text.split("\n")
    match = LINE.fullmatch(lines[tick.line]) if tick.line < len(lines) else None
    if not match or checksum(match) != tick.checksum:
        raise TaskNotFound
    lines[tick.line] = f"{match[1]}{'x' if tick.is_done else ' '}{match[3]}"
    return "\n".join(lines)


def checksum(match: re.Match[str]) -> int:
    return zlib.crc32(f"{match[1]}{match[3]}".encode())
