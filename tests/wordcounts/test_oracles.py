"""Our text and our words against those of others, on real pages of both languages.

The difference between two counts is the words that one has more often than the other, both ways, to the words of the
other. It is stricter than a difference of totals, in which a word too many makes up for one that is missing.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from app.wordcounts.analysis.text import document
from app.wordcounts.analysis.words import SCRIPT_BORDER, words_in
from tests.browser.chromium import EXECUTABLE
from tests.wordcounts import oracles

PAGES = sorted((Path(__file__).parent / "pages").glob("*.html"))
LIMITS = {"en": 0.001, "ko": 0.005}  # of the difference of words in a text

each_language = pytest.mark.parametrize(("language", "limit"), LIMITS.items())


def pages(language: str) -> list[str]:
    return [page.read_text(encoding="utf-8") for page in PAGES if page.name.startswith(language)]


def texts(language: str) -> str:
    return "\n".join(document(page).text for page in pages(language))


def ours(text: str) -> Counter[str]:
    return Counter(word for chunk in text.split() for word in words_in(chunk))


def theirs(found: Iterable[str]) -> Counter[str]:
    """Their words with our letters: where a word ends is in question, not how it is written."""
    return Counter(word.casefold().replace("’", "'") for word in found)


def difference(mine: Counter[str], other: Counter[str]) -> float:
    return ((mine - other).total() + (other - mine).total()) / other.total()


def test_the_difference_counts_both_ways() -> None:
    assert difference(Counter("aab"), Counter("abc")) == 2 / 3


@each_language
def test_there_are_pages_of_some_size(language: str, limit: float) -> None:
    assert len(pages(language)) >= 3
    assert ours(texts(language)).total() > 8_000


@each_language
@pytest.mark.servers
@pytest.mark.skipif(not oracles.is_here("node"), reason="needs node")
def test_words_are_those_of_icu(language: str, limit: float) -> None:
    """ICU parts Hangul from Latin letters of its own accord, since it has a dictionary for Hangul."""
    text = texts(language)
    assert difference(ours(text), theirs(oracles.words_by_icu(text, language))) < limit


@each_language
def test_words_are_those_of_unicode(language: str, limit: float) -> None:
    """UAX #29 leaves Hangul and Latin letters together, so here its words are parted by our own rule first."""
    text = texts(language)
    by_rule = (part for word in oracles.words_by_unicode(text) for part in SCRIPT_BORDER.split(word))
    assert difference(ours(text), theirs(by_rule)) < limit


@pytest.mark.browser
@pytest.mark.skipif(not EXECUTABLE, reason="needs chromium")
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_text_is_what_chromium_shows(page: Path, tmp_path: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert difference(ours(document(html).text), ours(oracles.shown_by_chromium(html, tmp_path))) < 0.01
