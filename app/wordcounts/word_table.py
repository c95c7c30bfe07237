"""The table of words on the page of a result: Korean forms under their stem, the most frequent first. Pure.

It is made when it is shown, so that results of any age have it. Downloads list the words as they stand in the text.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from app.wordcounts.analysis.particles import stems
from app.wordcounts.analysis.words import by_frequency, most_frequent


@dataclass(slots=True)  # not frozen: that takes twice as long, and one page makes thousands
class Row:
    """A word, or a stem with all its forms.

    Args:
        rank: by count, also where the table is sorted by word.
        density: percent of all words.
        share: percent of the most frequent row's count.
        forms: words and their counts, the most frequent first; empty for a word that stands for itself.
    """

    rank: int
    text: str
    count: int
    density: float
    share: float
    forms: list[tuple[str, int]]


@dataclass(frozen=True)
class WordTable:
    """The rows to show.

    Args:
        total: how many rows there are, shown or not.
        is_grouped: whether any row that is shown has forms.
    """

    rows: list[Row]
    total: int
    is_grouped: bool


def word_table(words: Mapping[str, int], total_words: int, *, shown: int | None, by_word: bool) -> WordTable:
    """The table of a result's words.

    Args:
        words: each word and its count.
        total_words: of the page, stop words included.
        shown: how many rows; None for all.
        by_word: whether they are sorted by word. The rows that are shown are the most frequent ones either way.
    """
    stem_of = stems(words)
    counts = _counts(words, stem_of)
    frequent = most_frequent(counts, len(counts) if shown is None else shown)
    forms = _forms(words, stem_of, frequent)
    most = max(frequent.values(), default=0)
    rows = [
        Row(rank, text, count, 100 * count / total_words, 100 * count / most, forms.get(text, []))
        for rank, (text, count) in enumerate(frequent.items(), start=1)
    ]
    if by_word:
        rows.sort(key=lambda row: row.text)
    return WordTable(rows, len(counts), bool(forms))


def _counts(words: Mapping[str, int], stem_of: Mapping[str, str]) -> dict[str, int]:
    """The words, with the counts of all forms added to their stem."""
    counts = dict(words)
    for form, stem in stem_of.items():
        counts[stem] = counts.get(stem, 0) + counts.pop(form)
    return counts


def _forms(
    words: Mapping[str, int], stem_of: Mapping[str, str], shown: Container[str]
) -> dict[str, list[tuple[str, int]]]:
    """The forms of each stem that is shown, itself among them if it is a word."""
    grouped: dict[str, dict[str, int]] = {}
    for form, stem in stem_of.items():
        if stem in shown:
            grouped.setdefault(stem, {})[form] = words[form]
    for stem, forms in grouped.items():
        if stem in words:
            forms[stem] = words[stem]
    return {stem: by_frequency(forms) for stem, forms in grouped.items()}
