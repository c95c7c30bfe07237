"""A streaming JSON parser: a list of any length takes the memory of one item. Pure.

Not ijson: its fast backend turns half of a surrogate pair into "?", fails with a SystemError on a number of 5,000
digits and accepts a field twice, all of which is refused here. It also takes 1.8 times the CPU for 20,000 notes.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, Protocol

from app.portability.rejection import ArchiveRejected, Reason

CHUNK = 64 * 1024  # bytes
LONGEST_NAME = 256  # code points of a member's name
WHITE_SPACE = re.compile(r"[ \t\r\n]*")


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _refuse(literal: str) -> NoReturn:
    raise ValueError(literal)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


# Python's decoder takes NaN and Infinity, which JSON does not have. An export has no fractions.
DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_refuse, object_pairs_hook=_unique)


class JsonStream:
    """
    Args:
        source: UTF-8.
        most: bytes to read at most. Counted here, since a ZIP may lie about its size.

    Raises:
        ArchiveRejected: DAMAGED or TOO_MUCH, by every method.
    """

    def __init__(self, source: Source, most: int) -> None:
        self._source = source
        self._left = most
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._buffer = ""
        self._at = 0
        self._ended = False

    def members(self) -> Iterator[str]:
        """The names in an object, also those that stand twice. The caller takes each value before the next name."""
        return self._between("{", "}", named=True)

    def items(self, longest: int) -> Iterator[Any]:
        """Args: longest: code points of an item."""
        for _ in self._between("[", "]", named=False):
            yield self.value(longest)

    def is_list(self) -> bool:
        return self._peek() == "["

    def value(self, longest: int) -> Any:
        """The next value, whole.

        Args:
            longest: code points that it may have. It bounds the memory, whatever the value holds.
        """
        self._peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError:
                end = None  # perhaps its end is not read yet
            except (ValueError, RecursionError) as error:
                raise ArchiveRejected(Reason.DAMAGED) from error
            size = (end or len(self._buffer)) - self._at
            if size > longest:
                raise ArchiveRejected(Reason.DAMAGED)
            if end is not None and (end < len(self._buffer) or self._ended):  # 12 may become 123
                self._at = end
                return value
            if self._ended:
                raise ArchiveRejected(Reason.DAMAGED)
            while len(self._buffer) - self._at < 2 * size and not self._ended:  # doubling keeps long items linear
                self._fill()

    def end(self) -> None:
        if self._peek():
            raise ArchiveRejected(Reason.DAMAGED)

    def _between(self, opening: str, closing: str, *, named: bool) -> Iterator[str]:
        self._take(opening)
        if self._peek() == closing:
            self._at += 1
            return
        while True:
            name = self.value(LONGEST_NAME) if named else ""
            if not isinstance(name, str):
                raise ArchiveRejected(Reason.DAMAGED)
            if named:
                self._take(":")
            yield name
            if self._peek() == closing:
                self._at += 1
                return
            self._take(",")

    def _take(self, character: str) -> None:
        if self._peek() != character:
            raise ArchiveRejected(Reason.DAMAGED)
        self._at += 1

    def _peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            self._at = WHITE_SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                return ""
            self._fill()

    def _fill(self) -> None:
        chunk = self._source.read(CHUNK)
        self._left -= len(chunk)
        if self._left < 0:
            raise ArchiveRejected(Reason.TOO_MUCH)
        self._ended = not chunk
        try:
            self._buffer = self._buffer[self._at :] + self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            raise ArchiveRejected(Reason.DAMAGED) from error
        self._at = 0
