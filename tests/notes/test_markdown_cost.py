"""What rendering a note costs is bounded, whatever is typed: the parser's steps are counted, not its time."""

import sys
from typing import Any

import pytest

from app.notes.markdown import MAX_DELIMITERS, render
from app.notes.models import CONTENT_LENGTH

# Lines of Python. One paragraph: 660 #tags take 195,000; `a**b` took 240,000 and `[` 1,129,000. In lines: a list of 500
# items takes 486,000, and each of them is shown.
MOST_STEPS_OF_A_PARAGRAPH = 220_000
MOST_STEPS = 550_000

UNITS = [
    "a**b", "a*b", "a_b ", "*a ", "**a ", "a** ", "*_", "***a", "*a_ ", "~~a", "a~~b", "[", "[a", "]", "![", "[a](",
    "[](", "<", "<a:", "<http://a>", "`", "` a", "``a`", "\\*", "\\", "> ", "- ", "* ", "1. ", "* a\n", "> a\n",
    ">\n", "#", "#a ", "# a\n", "http://", "http://a.b ", "&amp;", "|a|b\n", "- [x] a\n", "*[`_<~",
    "[*a*](http://a.b)", "\n", "a",
]  # fmt: skip
DEEP = "\n".join("  " * depth + "- a" for depth in range(40))
FENCES = " ".join("`" * length for length in range(1, 60))


def steps(text: str) -> int:
    """How many lines of Python rendering runs."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        render(text, "/notes?tag=")
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("unit", [*UNITS, DEEP, FENCES], ids=lambda unit: repr(unit[:12]))
def test_no_note_takes_many_steps(unit: str) -> None:
    longest = (unit * CONTENT_LENGTH)[:CONTENT_LENGTH]
    assert steps(longest) < (MOST_STEPS if "\n" in unit else MOST_STEPS_OF_A_PARAGRAPH)


def test_what_has_many_delimiters_is_shown_as_it_was_typed() -> None:
    assert "<strong>" in render("a **b** " * (MAX_DELIMITERS // 4), "/notes?tag=")
    shown = render("a **b** " * (MAX_DELIMITERS // 4 + 1), "/notes?tag=")
    assert "<strong>" not in shown
    assert "**b**" in shown


def test_many_bullets_are_no_delimiters() -> None:
    assert "<strong>" in render("* a\n" * 400 + "* **b**", "/notes?tag=")


def test_many_delimiters_stay_text_and_become_no_html() -> None:
    shown = render("<script>alert(1)</script>" * 80 + "[a](javascript:alert(1))" * 10, "/notes?tag=")
    assert "<script" not in shown
    assert "href" not in shown
