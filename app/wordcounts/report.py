"""The report of a finished count, for its page, its downloads (CSV, JSON) and the command line. Pure."""

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from app.wordcounts.analysis.words import Counts, by_frequency

COLUMNS = ("rank", "word", "count", "density")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins with one of these is a formula (OWASP, CSV injection)


@dataclass(slots=True)  # not frozen: that takes twice as long, and one report makes thousands
class Word:
    """A word as it stands in the text, in lower case.

    Args:
        density: percent of all words.
    """

    rank: int
    text: str
    count: int
    density: float


@dataclass(frozen=True)
class Report:
    """A finished count.

    Args:
        stop_words: "keep" or "drop": whether `counts` holds stop words. The totals count them either way.
        counts: each word and its count.
        truncated: the page has more words than these.
    """

    url: str | None
    final_url: str | None
    title: str | None
    counted_at: datetime
    total_words: int
    unique_words: int
    content_words: int
    characters: int
    reading_seconds: int
    truncated: bool
    stop_words: str
    counts: Mapping[str, int]
    two_word_phrases: list[tuple[str, int]]
    three_word_phrases: list[tuple[str, int]]

    def words(self) -> list[Word]:
        """The words, the most frequent first."""
        return [
            Word(rank, text, count, 100 * count / self.total_words)
            for rank, (text, count) in enumerate(by_frequency(self.counts), start=1)
        ]

    @property
    def content_percent(self) -> int:
        return round(100 * self.content_words / self.total_words) if self.total_words else 0

    @property
    def reading_minutes(self) -> int:
        return max(1, math.ceil(self.reading_seconds / 60))


def of_result(result: Any, stop_words: str) -> Report:
    """The report of a row of `service.get_result` whose status is DONE."""
    return Report(
        url=result.url,
        final_url=result.final_url,
        title=result.title,
        counted_at=result.finished_at,
        total_words=result.total_words,
        unique_words=result.unique_words,
        content_words=result.content_words,
        characters=result.characters,
        reading_seconds=result.reading_seconds,
        truncated=result.truncated,
        stop_words=stop_words,
        counts=result.words,
        two_word_phrases=by_frequency(result.phrases["2"]),
        three_word_phrases=by_frequency(result.phrases["3"]),
    )


def of_counts(counts: Counts, stop_words: str, *, url: str | None, title: str | None, counted_at: datetime) -> Report:
    """The report of a count that is not stored, as `flask count` makes."""
    words = counts.words if stop_words == "keep" else counts.words_without_stop_words
    return Report(
        url=url,
        final_url=url,
        title=title,
        counted_at=counted_at,
        total_words=counts.total_words,
        unique_words=counts.unique_words,
        content_words=counts.content_words,
        characters=counts.characters,
        reading_seconds=counts.reading_seconds,
        truncated=counts.truncated,
        stop_words=stop_words,
        counts=words,
        two_word_phrases=by_frequency(counts.two_word_phrases),
        three_word_phrases=by_frequency(counts.three_word_phrases),
    )


def file_name(report: Report) -> str:
    """A file name without extension: the host, in characters that are safe in file systems and headers."""
    host = urlsplit(report.final_url or "").hostname or ""
    return f"words-{re.sub('[^a-z0-9.-]', '', host).strip('.-')[:100] or 'page'}"


def as_csv(report: Report) -> str:
    """CSV with a byte order mark, by which spreadsheets recognize UTF-8, and safe against CSV injection."""
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    for word in report.words():
        rows.writerow((word.rank, harmless(word.text), word.count, f"{word.density:.3f}"))
    return f"\ufeff{file.getvalue()}"


def harmless(cell: str) -> str:
    """Prefix a formula with an apostrophe, so a spreadsheet shows it as text."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def as_json(report: Report) -> str:
    return json.dumps(_values(report), ensure_ascii=False, indent=2) + "\n"


def _values(report: Report) -> dict[str, Any]:
    return {
        "url": report.url,
        "final_url": report.final_url,
        "title": report.title,
        "counted_at": report.counted_at.isoformat(),
        "totals": {
            "words": report.total_words,
            "different_words": report.unique_words,
            "words_without_stop_words": report.content_words,
            "characters": report.characters,
            "reading_seconds": report.reading_seconds,
        },
        "stop_words": report.stop_words,
        "truncated": report.truncated,
        "words": [{"word": word.text, "count": word.count} for word in report.words()],
        "phrases": {
            "two_words": [{"phrase": phrase, "count": count} for phrase, count in report.two_word_phrases],
            "three_words": [{"phrase": phrase, "count": count} for phrase, count in report.three_word_phrases],
        },
    }
