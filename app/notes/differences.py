"""Line diff of two texts, for the page of an edit conflict."""

from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class Line:
    text: str
    differs: bool


def compare(stored: str, mine: str) -> tuple[list[Line], list[Line]]:
    """The lines of each text; `differs` marks a line that the other text does not have."""
    old, new = stored.split("\n"), mine.split("\n")
    left, right = [Line(text, differs=True) for text in old], [Line(text, differs=True) for text in new]
    for match in SequenceMatcher(None, old, new).get_matching_blocks():
        for offset in range(match.size):
            left[match.a + offset] = Line(old[match.a + offset], differs=False)
            right[match.b + offset] = Line(new[match.b + offset], differs=False)
    return left, right
