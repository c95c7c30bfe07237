"""How often each word of a text occurs. Pure.

A word is what Unicode calls one (UAX #29, without its dictionaries for Thai and the like), save for two things: Hangul
ends where Latin letters or digits begin, so that "Rust를" is rust and 를, and what is drawn as nothing, say a soft
hyphen, parts nothing.
"""

import heapq
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, repeat
from operator import add, mul
from pathlib import Path

import regex

KEPT = 5_000  # words a list stores
CHUNKS_KNOWN = 50_000  # so that what is known of a text depends on its words and not on its length
PHRASES_KEPT = 50  # of each length
LONGEST_WORD = 100  # characters; so no list takes more than 2 MB of UTF-8, and that of a real page some 60 kB

# Silent reading of English non-fiction: Brysbaert, "How many words do we read per minute?", Journal of Memory and
# Language 109 (2019), of 190 studies.
WORDS_A_MINUTE = 238
# Korean, Chinese and Japanese, as Medium counts them for its "min read". A study of Korean is of the same order: 202
# words a minute, of two to three characters each, in school-book sentences (Rhiu et al., Korean Journal of
# Ophthalmology 31(3), 2017).
CHARACTERS_A_MINUTE = 500

INVISIBLE = regex.compile("[\u00ad\u115f\u1160\u200b-\u200d\u2060\u3164\ufeff]+")  # the Hangul fillers too
# All but the letters of Hangul that stand by themselves, as in ㅋㅋㅋ: NFKC makes parts of syllables of them.
NOT_A_LONE_JAMO = regex.compile("[^\u3131-\u318e]+")
LETTER = r"[\p{L}\p{N}\p{Pc}--[\p{Han}\p{Hiragana}]]\p{M}*+"
# Possessive throughout: what a repetition took it never gives back, so that no text makes it try a place twice. Chinese
# characters and hiragana, which are written without spaces, are one word each.
SIMPLE = re.compile("[A-Za-z]+|[가-힣]+")  # most of what stands between white space is one word as it is
RUN = regex.compile(
    rf"[\p{{Han}}\p{{Hiragana}}]|(?:{LETTER})++"
    rf"(?:(?:(?<=[\p{{L}}\p{{M}}])['.·](?=\p{{L}})|(?<=\p{{N}})['.,](?=\p{{N}}))(?:{LETTER})++)*+",
    regex.V1,
)
SCRIPT_BORDER = regex.compile(r"(?<=[\p{Latin}\p{N}])(?=\p{Hangul})|(?<=\p{Hangul})(?=[\p{Latin}\p{N}])", regex.V1)
LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{N}]")  # a run of underscores has none and is no word
BY_CHARACTER = regex.compile(r"[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]", regex.V1)

LINE_END = -math.inf  # in place of a word's number; what is added to it or multiplied with it stays there


def _stop_words() -> frozenset[str]:
    """Of both languages: a page in either quotes the other, and no stop word of one is a content word of the other."""
    files = sorted((Path(__file__).parent / "stop_words").glob("*.txt"))
    lines = chain.from_iterable(file.read_text(encoding="utf-8").splitlines() for file in files)
    return frozenset(line for line in lines if line and not line.startswith("#"))


STOP_WORDS = _stop_words()


@dataclass(frozen=True)
class Counts:
    """What is known of a text; every dict holds the most frequent first."""

    total_words: int
    unique_words: int
    content_words: int  # of total_words, those that are no stop words
    characters: int  # code points, without white space
    reading_seconds: int  # silently, by an adult
    words: dict[str, int]  # word: how often; the KEPT most frequent
    words_without_stop_words: dict[str, int]  # likewise
    two_word_phrases: dict[str, int]  # the PHRASES_KEPT most frequent of those that occur at least twice
    three_word_phrases: dict[str, int]  # likewise
    truncated: bool  # there are more words than `words` holds


def count(text: str) -> Counts:
    """Count the words of a text, and the phrases within its lines.

    A word of more than LONGEST_WORD characters is cut to its beginning and an ellipsis; words that are cut to the same
    are one. No word holds white space, NUL or half of a surrogate pair, so PostgreSQL's JSONB takes all of it.

    Args:
        text: one line a block, as `text.document` gives it: a phrase ends with its line.
    """
    words, reading, characters = _read(text)
    occurrences = Counter(reading)
    del occurrences[LINE_END]
    counted = {words[int(number)]: times for number, times in occurrences.items()}
    content = {word: times for word, times in counted.items() if word not in STOP_WORDS}
    pairs, triples = _phrases(reading, base=len(words))
    return Counts(
        total_words=occurrences.total(),
        unique_words=len(counted),
        content_words=sum(content.values()),
        characters=characters,
        reading_seconds=_reading_seconds(counted),
        words=dict(_most_frequent(counted)),
        words_without_stop_words=dict(_most_frequent(content)),
        two_word_phrases=_most_frequent_phrases(pairs, words),
        three_word_phrases=_most_frequent_phrases(triples, words),
        truncated=len(counted) > KEPT,
    )


def by_frequency(words: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent first, and of equally frequent ones the first by their code points."""
    ordered = sorted(words)
    ordered.sort(key=words.__getitem__, reverse=True)  # keeps the order of equals
    return [(word, words[word]) for word in ordered]


def _most_frequent(words: Mapping[str, int]) -> list[tuple[str, int]]:
    if len(words) > KEPT:  # most words of a long text are rare, and need not be sorted
        fewest = sorted(words.values(), reverse=True)[KEPT - 1]
        words = {word: times for word, times in words.items() if times >= fewest}
    return by_frequency(words)[:KEPT]


def _lines(text: str) -> Iterator[str]:
    """One after the other, since a list of them is the whole text once more."""
    start = 0
    while (end := text.find("\n", start)) != -1:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _read(text: str) -> tuple[list[str], list[float], int]:
    """The words by number, their numbers in reading order with a LINE_END behind each line, and the characters read."""
    numbers: dict[str, int] = {"": 0}  # no word, so that each phrase of two and of three has a number of its own
    # No word holds white space, and of what stands between white space most comes again: it is taken apart once.
    known: dict[str, list[int]] = {}
    reading: list[float] = []
    characters = 0
    for line in _lines(text):
        chunks = line.split()
        for chunk in chunks:
            if chunk not in known:
                known[chunk] = [numbers.setdefault(word, len(numbers)) for word in words_in(chunk)]
        characters += sum(map(len, chunks))
        reading.extend(chain.from_iterable(map(known.__getitem__, chunks)))
        reading.append(LINE_END)
        if len(known) > CHUNKS_KNOWN:
            known.clear()
    return list(numbers), reading, characters


def words_in(chunk: str) -> Iterable[str]:
    """In the form they are counted and shown in: lower case, straight apostrophes, composed."""
    if SIMPLE.fullmatch(chunk):
        return (_bounded(chunk.lower()),)
    if not chunk.isascii():
        chunk = NOT_A_LONE_JAMO.sub(lambda part: unicodedata.normalize("NFKC", part[0]), chunk)
        chunk = INVISIBLE.sub("", chunk).replace("’", "'")
    return _split(unicodedata.normalize("NFC", chunk.casefold()))  # folding takes some letters apart


def _split(folded: str) -> Iterator[str]:
    for run in RUN.findall(folded):
        if run.isascii():
            if run.isalnum() or LETTER_OR_DIGIT.search(run):
                yield _bounded(run)
        elif SIMPLE.fullmatch(run):
            yield _bounded(run)
        elif LETTER_OR_DIGIT.search(run):
            yield from map(_bounded, SCRIPT_BORDER.split(run))


def _bounded(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"


def _phrases(reading: list[float], base: int) -> tuple[Counter[float], Counter[float]]:
    """The phrases of two and of three words, each as one number, whose digits to the base are the words.

    Numbers, since no object has to be made for each place in the text, only for each different phrase.
    """
    pairs = list(map(add, map(mul, reading, repeat(base)), islice(reading, 1, None)))
    triples = map(add, map(mul, pairs, repeat(base)), islice(reading, 2, None))
    return Counter(pairs), Counter(triples)


def _most_frequent_phrases(counted: Counter[float], words: list[str]) -> dict[str, int]:
    """Of equally frequent ones, those whose words come first in the text."""
    repeated = ((-times, int(phrase)) for phrase, times in counted.items() if times > 1 and phrase > 0)
    best = heapq.nsmallest(PHRASES_KEPT, repeated)
    return {" ".join(words[number] for number in _digits(phrase, len(words))): -times for times, phrase in best}


def _digits(phrase: int, base: int) -> list[int]:
    if phrase < base:
        return [phrase]
    return [*_digits(phrase // base, base), phrase % base]


def _reading_seconds(counted: Mapping[str, int]) -> int:
    by_word = by_character = 0
    for word, times in counted.items():
        if BY_CHARACTER.match(word):
            by_character += times * len(word)
        else:
            by_word += times
    return math.ceil(60 * (by_word / WORDS_A_MINUTE + by_character / CHARACTERS_A_MINUTE))
