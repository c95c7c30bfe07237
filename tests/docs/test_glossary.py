"""docs/glossary.md holds in the catalogue: one name a thing, and no word that it avoids."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]


def first(texts: str | Sequence[str] | None) -> str:
    """Return a text; of those of a sentence with a count, the one for 1."""
    return texts if isinstance(texts, str) else (texts or [""])[0]


with (ROOT / "app/translations/ko/LC_MESSAGES/messages.po").open("rb") as file:
    CATALOG = [message for message in read_po(file) if message.id]
ENGLISH, KOREAN = [first(each.id) for each in CATALOG], [first(each.string) for each in CATALOG]


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table whose first row begins with the heading. `\\|` is no end of a cell."""
    _, _, rows = (ROOT / "docs/glossary.md").read_text().partition(f"\n| {heading} |")
    lines = rows.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


NAMES = table("English")
AVOIDED = [
    (row, texts) for heading, texts in (("Korean", KOREAN), ("English", ENGLISH)) for row in table(f"not in {heading}")
]


def test_a_name_alone_is_translated_by_its_one_word() -> None:
    korean = dict(zip(ENGLISH, KOREAN, strict=True))
    assert NAMES
    assert {english: korean.get(english) for english, *_ in NAMES} == {english: word for english, word, _ in NAMES}


@pytest.mark.parametrize(("row", "texts"), AVOIDED, ids=[row[0] for row, _ in AVOIDED])
def test_no_sentence_has_a_word_to_avoid_but_those_that_are_named(row: list[str], texts: list[str]) -> None:
    pattern, _, exceptions = row
    found = [text for text in texts if re.search(pattern.strip("`"), text)]
    named = [name.strip() for name in exceptions.split(",") if name.strip()]
    assert [text for text in found if not any(name in text for name in named)] == []
    assert [name for name in named if not any(name in text for text in found)] == [], "an exception that nothing needs"
