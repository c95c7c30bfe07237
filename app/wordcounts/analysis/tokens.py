"""Tokenization: split text into words and normalize them. Pure.

A word is what Unicode's default word boundaries say (UAX #29, without dictionaries for Thai and the like), with two
exceptions. Hangul ends where Latin letters or digits begin, so "Rust를" is two words, rust and 를. And invisible
characters such as the soft hyphen do not split a word.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

import regex

LONGEST_WORD = 100  # characters; so a stored list takes at most 2 MB of UTF-8. That of a real page takes some 60 kB.

INVISIBLE = regex.compile("[\u00ad\u115f\u1160\u200b-\u200d\u2060\u3164\ufeff]+")  # including the Hangul fillers
# Everything but standalone Hangul letters, as in ㅋㅋㅋ: NFKC would turn them into parts of syllables.
NOT_A_LONE_JAMO = regex.compile("[^\u3131-\u318e]+")

SIMPLE = re.compile("[A-Za-z]+|[가-힣]+")  # fast path: most chunks between white space are one word already
LETTER = r"[\p{L}\p{N}\p{Pc}--[\p{Han}\p{Hiragana}]]\p{M}*+"
# Every repetition is possessive (++, *+): nothing is backtracked, so no text takes more than linear time (no ReDoS).
# Chinese characters and hiragana, which are written without spaces, are one word each.
WORD = regex.compile(
    rf"[\p{{Han}}\p{{Hiragana}}]|(?:{LETTER})++"
    rf"(?:(?:(?<=[\p{{L}}\p{{M}}])['.·](?=\p{{L}})|(?<=\p{{N}})['.,](?=\p{{N}}))(?:{LETTER})++)*+",
    regex.V1,
)
SCRIPT_BORDER = regex.compile(r"(?<=[\p{Latin}\p{N}])(?=\p{Hangul})|(?<=\p{Hangul})(?=[\p{Latin}\p{N}])", regex.V1)
LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{N}]")  # a run of underscores has none and is not a word


def words_in(chunk: str) -> Iterable[str]:
    """The words of a chunk, normalized: lower case, straight apostrophes, composed (NFC).

    Args:
        chunk: text without white space.
    """
    if SIMPLE.fullmatch(chunk):
        return (_shortened(chunk.lower()),)
    if not chunk.isascii():
        chunk = NOT_A_LONE_JAMO.sub(lambda part: unicodedata.normalize("NFKC", part[0]), chunk)
        chunk = INVISIBLE.sub("", chunk).replace("’", "'")
    return _split(unicodedata.normalize("NFC", chunk.casefold()))  # casefold decomposes some letters


def _split(folded: str) -> Iterator[str]:
    for word in WORD.findall(folded):
        if word.isascii():
            if word.isalnum() or LETTER_OR_DIGIT.search(word):
                yield _shortened(word)
        elif SIMPLE.fullmatch(word):
            yield _shortened(word)
        elif LETTER_OR_DIGIT.search(word):
            yield from map(_shortened, SCRIPT_BORDER.split(word))


def _shortened(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"
