"""Word frequencies of a text, with and without stop words, its phrases and its reading time. Pure."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import regex

from app.wordcounts.analysis.phrases import LINE_END, frequent_phrases
from app.wordcounts.analysis.tokens import words_in

WORDS_KEPT = 5_000  # in each stored list
CHUNKS_CACHED = 50_000  # tokenized chunks; bounds the memory for a text of any length

# Silent reading of English non-fiction: Brysbaert, "How many words do we read per minute?", Journal of Memory and
# Language 109 (2019), a review of 190 studies.
WORDS_A_MINUTE = 238
# Korean, Chinese and Japanese: Medium's rule for its "min read". A study of Korean gives the same order of magnitude:
# 202 words a minute, of two to three characters each, in school-book sentences (Rhiu et al., Korean Journal of
# Ophthalmology 31(3), 2017).
CHARACTERS_A_MINUTE = 500

READ_BY_CHARACTER = regex.compile(r"[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]", regex.V1)


def _stop_words() -> frozenset[str]:
    """Both languages together: a page in one quotes the other. No stop word of one is a content word of the other."""
    files = sorted((Path(__file__).parent / "stop_words").glob("*.txt"))
    lines = chain.from_iterable(file.read_text(encoding="utf-8").splitlines() for file in files)
    return frozenset(line for line in lines if line and not line.startswith("#"))


STOP_WORDS = _stop_words()


@dataclass(frozen=True)
class Counts:
    """The statistics of a text. Every dict holds the most frequent first."""

    total_words: int
    unique_words: int
    content_words: int  # of total_words, those that are not stop words
    characters: int  # code points, without white space
    reading_seconds: int  # silently, by an adult
    words: dict[str, int]  # word: count; the WORDS_KEPT most frequent
    words_without_stop_words: dict[str, int]  # likewise
    two_word_phrases: dict[str, int]  # the PHRASES_KEPT most frequent of those that occur at least twice
    three_word_phrases: dict[str, int]  # likewise
    truncated: bool  # there are more words than `words` holds


def count(text: str) -> Counts:
    """Count the words of a text, and the phrases within its lines.

    A word longer than LONGEST_WORD is cut and ends in an ellipsis; words with the same beginning then count as one. No
    word holds white space, NUL or half a surrogate pair, so PostgreSQL's JSONB can store every word.

    Args:
        text: one line per block, as `text.document` gives it. A phrase ends with its line.
    """
    words, reading, characters = _read(text)
    occurrences = Counter(reading)
    del occurrences[LINE_END]
    counted = {words[int(number)]: times for number, times in occurrences.items()}
    content = {word: times for word, times in counted.items() if word not in STOP_WORDS}
    two_word_phrases, three_word_phrases = frequent_phrases(reading, words)
    return Counts(
        total_words=occurrences.total(),
        unique_words=len(counted),
        content_words=sum(content.values()),
        characters=characters,
        reading_seconds=_reading_seconds(counted),
        words=most_frequent(counted, WORDS_KEPT),
        words_without_stop_words=most_frequent(content, WORDS_KEPT),
        two_word_phrases=two_word_phrases,
        three_word_phrases=three_word_phrases,
        truncated=len(counted) > WORDS_KEPT,
    )


def by_frequency(words: Mapping[str, int]) -> list[tuple[str, int]]:
    """Sort by count, the highest first; equal counts by code points."""
    ordered = sorted(words)
    ordered.sort(key=words.__getitem__, reverse=True)  # stable: equal counts keep their order
    return [(word, words[word]) for word in ordered]


def most_frequent(words: Mapping[str, int], most: int) -> dict[str, int]:
    """At most so many words, sorted as `by_frequency` does."""
    if len(words) > most:  # most words of a long text are rare and need not be sorted
        fewest = sorted(words.values(), reverse=True)[most - 1]
        words = {word: times for word, times in words.items() if times >= fewest}
    return dict(by_frequency(words)[:most])


def _read(text: str) -> tuple[list[str], list[float], int]:
    """Number the words.

    Returns: the word of each number, the numbers in reading order with a LINE_END behind each line, and how many
    characters were read, without white space.
    """
    numbers: dict[str, int] = {"": 0}  # see frequent_phrases
    # No word holds white space, and most chunks between white space occur again, so each is tokenized once.
    cache: dict[str, list[int]] = {}
    reading: list[float] = []
    characters = 0
    for line in _lines(text):
        chunks = line.split()
        for chunk in chunks:
            if chunk not in cache:
                cache[chunk] = [numbers.setdefault(word, len(numbers)) for word in words_in(chunk)]
        characters += sum(map(len, chunks))
        reading.extend(chain.from_iterable(map(cache.__getitem__, chunks)))
        reading.append(LINE_END)
        if len(cache) > CHUNKS_CACHED:
            cache.clear()
    return list(numbers), reading, characters


def _lines(text: str) -> Iterator[str]:
    """The lines one by one. `text.split` would hold the whole text a second time."""
    start = 0
    while (end := text.find("\n", start)) != -1:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _reading_seconds(counted: Mapping[str, int]) -> int:
    by_word = by_character = 0
    for word, times in counted.items():
        if READ_BY_CHARACTER.match(word):
            by_character += times * len(word)
        else:
            by_word += times
    return math.ceil(60 * (by_word / WORDS_A_MINUTE + by_character / CHARACTERS_A_MINUTE))
