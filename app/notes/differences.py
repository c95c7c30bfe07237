"""Two texts line by line: which lines only one of them has."""

from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class Line:
    text: str
    differs: bool


def compare(stored: str, mine: str) -> tuple[list[Line], list[Line]]:
    """The lines of both texts, each marked where the other has not got it."""
    old, new = stored.split("\n"), mine.split("\n")
    left, right = [Line(text, differs=True) for text in old], [Line(text, differs=True) for text in new]
    for match in SequenceMatcher(None, old, new).get_matching_blocks():
        for offset in range(match.size):
            left[match.a + offset] = Line(old[match.a + offset], differs=False)
            right[match.b + offset] = Line(new[match.b + offset], differs=False)
    return left, right
