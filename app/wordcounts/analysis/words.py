"""From text to words: tokens, their frequencies with and without stop words, phrases, and the reading time. Pure.

A word is what Unicode's default word boundaries say (UAX #29, without dictionaries for Thai and the like), with two
exceptions. Hangul ends where Latin letters or digits begin, so "Rust를" is two words, rust and 를. And invisible
characters such as the soft hyphen do not split a word.
"""

import heapq
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import regex

FOLDER = Path(__file__).parent
WORDS_KEPT = 5_000  # in each stored list
CHUNKS_CACHED = 50_000  # tokenized chunks; bounds the memory for a text of any length
PHRASES_KEPT = 50  # of each length
LONGEST_WORD = 100  # characters; so a stored list takes at most 2 MB of UTF-8. That of a real page takes some 60 kB.

LINE_END = ""  # stands in for a word at the end of a line

# Silent reading of English non-fiction: Brysbaert, "How many words do we read per minute?", Journal of Memory and
# Language 109 (2019), a review of 190 studies.
WORDS_A_MINUTE = 238
# Korean, Chinese and Japanese: Medium's rule for its "min read". A study of Korean gives the same order of magnitude:
# 202 words a minute, of two to three characters each, in school-book sentences (Rhiu et al., Korean Journal of
# Ophthalmology 31(3), 2017).
CHARACTERS_A_MINUTE = 500

READ_BY_CHARACTER = regex.compile(r"[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]", regex.V1)
INVISIBLE = regex.compile("[\u00ad\u115f\u1160\u200b-\u200d\u2060\u3164\ufeff]+")  # including the Hangul fillers
APOSTROPHES = dict.fromkeys(map(ord, "’‘‛´"), "'")  # NFKC would take the last one, which keyboards have, apart
# Everything but standalone Hangul letters, as in ㅋㅋㅋ: NFKC would turn them into parts of syllables.
NOT_A_LONE_JAMO = regex.compile("[^\u3131-\u318e]+")

SIMPLE = re.compile("[A-Za-z]+|[가-힣]+")  # fast path: most chunks between white space are one word already
# Scripts that write no apostrophe within a word: beside their letters it is a quotation mark, as in ‘AI’를.
UNELIDED = r"\p{scx=Hang}\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
LETTER = r"[\p{L}\p{N}\p{Pc}--[\p{Han}\p{Hiragana}]]\p{M}*+"
# Every repetition is possessive (++, *+): nothing is backtracked, so no text takes more than linear time (no ReDoS).
# Chinese characters and hiragana, which are written without spaces, are one word each.
WORD = regex.compile(
    rf"[\p{{Han}}\p{{Hiragana}}]|(?:{LETTER})++"
    rf"(?:(?:(?<=[\p{{L}}\p{{M}}])(?:[.·]|(?<![{UNELIDED}]\p{{M}}?)'(?![{UNELIDED}]))(?=\p{{L}})"
    rf"|(?<=\p{{N}})['.,](?=\p{{N}}))(?:{LETTER})++)*+",
    regex.V1,
)
SCRIPT_BORDER = regex.compile(r"(?<=[\p{Latin}\p{N}])(?=\p{Hangul})|(?<=\p{Hangul})(?=[\p{Latin}\p{N}])", regex.V1)
LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{N}]")  # a run of underscores has none and is not a word


def listed_in(files: str) -> frozenset[str]:
    """Read the words of these files beside this one."""
    lines = chain.from_iterable(file.read_text(encoding="utf-8").splitlines() for file in FOLDER.glob(files))
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


# Both languages' together: a page in one quotes the other. No stop word of one is a content word there.
STOP_WORDS = listed_in("stop_words/*.txt")


class Counts(NamedTuple):
    """The statistics of a text, by the names of the columns. Every dict holds the most frequent first."""

    total_words: int
    unique_words: int
    content_words: int  # of total_words, those that are not stop words
    characters: int  # code points, without white space
    reading_seconds: int  # silently, by an adult
    result_all: dict[str, int]  # word: count; the WORDS_KEPT most frequent
    result_no_stop_words: dict[str, int]  # likewise
    phrases: dict[str, dict[str, int]]  # of "2" and "3" words: the PHRASES_KEPT most frequent of those that occur twice
    truncated: bool  # there are more words than `result_all` holds


def count(text: str) -> Counts:
    """Count the words of a text, and the phrases within its lines.

    A word longer than LONGEST_WORD is cut and ends in an ellipsis; words with the same beginning then count as one. No
    word holds white space, NUL or half a surrogate pair, so PostgreSQL's JSONB can store every word. The text has one
    line for each block, as `text.document` gives it.
    """
    reading, characters = _read(text)
    counted = Counter(word for word in reading if word)
    content = {word: times for word, times in counted.items() if word not in STOP_WORDS}
    return Counts(
        total_words=counted.total(),
        unique_words=len(counted),
        content_words=sum(content.values()),
        characters=characters,
        reading_seconds=_reading_seconds(counted),
        result_all=most_frequent(counted, WORDS_KEPT),
        result_no_stop_words=most_frequent(content, WORDS_KEPT),
        phrases={f"{length}": _frequent_phrases(reading, counted, length) for length in (2, 3)},
        truncated=len(counted) > WORDS_KEPT,
    )


def by_frequency(words: Mapping[str, int]) -> list[tuple[str, int]]:
    """Sort by count, the highest first; equal counts by code points."""
    ordered = sorted(words)
    ordered.sort(key=words.__getitem__, reverse=True)  # stable: equal counts keep their order
    return [(word, words[word]) for word in ordered]


def most_frequent(words: Mapping[str, int], most: int) -> dict[str, int]:
    """Return at most so many words, sorted as `by_frequency` does."""
    return dict(by_frequency(words)[:most])


def words_in(chunk: str) -> Iterable[str]:
    """Split a chunk without spaces into words, normalized: lower case, straight apostrophes, composed (NFC)."""
    if SIMPLE.fullmatch(chunk):
        return (_shortened(chunk.lower()),)
    if not chunk.isascii():
        chunk = chunk.translate(APOSTROPHES)
        chunk = NOT_A_LONE_JAMO.sub(lambda part: unicodedata.normalize("NFKC", part[0]), chunk)
        chunk = INVISIBLE.sub("", chunk)
    return _split(unicodedata.normalize("NFC", chunk.casefold()))  # casefold decomposes some letters


def _split(folded: str) -> Iterator[str]:
    for word in WORD.findall(folded):
        if SIMPLE.fullmatch(word):  # as most are
            yield _shortened(word)
        elif LETTER_OR_DIGIT.search(word):
            yield from map(_shortened, SCRIPT_BORDER.split(word))


def _shortened(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"


def _read(text: str) -> tuple[list[str], int]:
    """Return the words in reading order with LINE_END behind each line, and how many characters are no white space."""
    # No word holds white space, and most chunks between white space occur again, so each is tokenized once.
    cache: dict[str, list[str]] = {}
    reading: list[str] = []
    characters = 0
    for line in text.split("\n"):
        for chunk in line.split():
            if chunk not in cache:
                cache[chunk] = list(words_in(chunk))
            reading += cache[chunk]
            characters += len(chunk)
        reading.append(LINE_END)
        if len(cache) > CHUNKS_CACHED:
            cache.clear()
    return reading, characters


def _frequent_phrases(reading: list[str], counted: Iterable[str], length: int) -> dict[str, int]:
    """Return the most frequent phrases of so many words (n-grams), each with its count, if that is not 1.

    Of equally frequent ones, the one whose words come first in the text stands first.
    """
    place = {word: number for number, word in enumerate(counted)}
    phrases = Counter(zip(*(islice(reading, start, None) for start in range(length)), strict=False))
    repeated = (
        (-times, [place[word] for word in phrase], phrase)
        for phrase, times in phrases.items()
        if times > 1 and LINE_END not in phrase
    )
    return {" ".join(phrase): -times for times, _, phrase in heapq.nsmallest(PHRASES_KEPT, repeated)}


def _reading_seconds(counted: Mapping[str, int]) -> int:
    by_word = by_character = 0
    for word, times in counted.items():
        if READ_BY_CHARACTER.match(word):
            by_character += times * len(word)
        else:
            by_word += times
    return math.ceil(60 * (by_word / WORDS_A_MINUTE + by_character / CHARACTERS_A_MINUTE))
