"""Report a finished count: on its page, in its downloads (CSV, JSON) and on the command line. Pure.

The page groups Korean forms under their stem. It does so when it is shown, so that results of any age have it.
Downloads list the words as they stand in the text.
"""

import csv
import io
import json
import math
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from app.wordcounts.analysis.particles import stems
from app.wordcounts.analysis.words import by_frequency, most_frequent

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins with one of these is a formula (OWASP, CSV injection)


class Report:
    """A finished count: a row of `service.get_result` whose status is DONE, or an object with the same attributes.

    Its totals count stop words, whatever `words` does. `counts`: each word and its count, the most frequent first.
    """

    def __init__(self, result: Any, stop_words: str) -> None:
        self.result = result
        self.stop_words = stop_words  # "keep" or "drop", as `words` does with them
        self.counts = by_frequency(result.words)
        self.two_word_phrases, self.three_word_phrases = (by_frequency(result.phrases[length]) for length in "23")

    def density(self, count: int) -> float:
        """Return the percentage of all words that occur so often."""
        return float(100 * count / self.result.total_words)

    @property
    def content_percent(self) -> int:
        return round(self.density(self.result.content_words)) if self.result.total_words else 0

    @property
    def reading_minutes(self) -> int:
        """Return the minutes that reading takes, rounded up; 0 where there is nothing to read."""
        seconds: int = self.result.reading_seconds
        return math.ceil(seconds / 60)


def file_name(report: Report) -> str:
    """Make a file name without extension: the host, in characters that are safe in file systems and headers."""
    host = urlsplit(report.result.final_url or "").hostname or ""
    return f"words-{re.sub('[^a-z0-9.-]', '', host).strip('.-')[:100] or 'page'}"


def as_csv(report: Report) -> str:
    """Write CSV with a byte order mark, by which spreadsheets recognize UTF-8, and safe against CSV injection."""
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(("rank", "word", "count", "density"))
    for rank, (word, count) in enumerate(report.counts, start=1):
        cell = f"'{word}" if word.startswith(FORMULA) else word  # shown as text
        rows.writerow((rank, cell, count, f"{report.density(count):.3f}"))
    return f"\ufeff{file.getvalue()}"


def as_json(report: Report) -> str:
    result = report.result
    values = {
        "url": result.url,
        "final_url": result.final_url,
        "title": result.title,
        "counted_at": result.finished_at.isoformat(),
        "totals": {
            "words": result.total_words,
            "different_words": result.unique_words,
            "words_without_stop_words": result.content_words,
            "characters": result.characters,
            "reading_seconds": result.reading_seconds,
        },
        "stop_words": report.stop_words,
        "truncated": result.truncated,
        "words": [{"word": word, "count": count} for word, count in report.counts],
        "phrases": {
            "two_words": [{"phrase": phrase, "count": count} for phrase, count in report.two_word_phrases],
            "three_words": [{"phrase": phrase, "count": count} for phrase, count in report.three_word_phrases],
        },
    }
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"


@dataclass(slots=True)  # not frozen: that takes twice as long, and one page makes thousands
class Row:
    """A word, or a stem with all its forms."""

    text: str
    count: int
    density: float  # percentage of all words
    share: float  # percentage of the most frequent row's count
    forms: list[tuple[str, int]]  # the most frequent first; empty for a word that stands for itself


class WordTable(NamedTuple):
    rows: list[Row]
    total: int  # rows, shown or not
    is_grouped: bool  # a row that is shown has forms


def word_table(words: Mapping[str, int], total_words: int, *, shown: int | None, by_word: bool) -> WordTable:
    """Return the table of a result's words. So many are `shown`, or all: the most frequent, also if sorted by word."""
    stem_of = stems(words)
    counts = dict(words)  # with those of all forms added to their stem
    for form, stem in stem_of.items():
        counts[stem] = counts.get(stem, 0) + counts.pop(form)
    frequent = most_frequent(counts, len(counts) if shown is None else shown)
    forms = _forms(words, stem_of, frequent)
    most = max(frequent.values(), default=0)
    rows = [
        Row(text, count, 100 * count / total_words, 100 * count / most, forms.get(text, []))
        for text, count in frequent.items()
    ]
    if by_word:
        rows.sort(key=lambda row: row.text)
    return WordTable(rows, len(counts), bool(forms))


def _forms(
    words: Mapping[str, int], stem_of: Mapping[str, str], shown: Container[str]
) -> dict[str, list[tuple[str, int]]]:
    """Return the forms of each stem that is shown, itself among them if it is a word."""
    grouped: dict[str, dict[str, int]] = {}
    for form, stem in stem_of.items():
        if stem in shown:
            grouped.setdefault(stem, {})[form] = words[form]
    for stem in grouped.keys() & words.keys():
        grouped[stem][stem] = words[stem]
    return {stem: by_frequency(forms) for stem, forms in grouped.items()}
