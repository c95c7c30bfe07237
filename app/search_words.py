"""Read the words of a search, and say what each of them finds, by a regular expression of PostgreSQL and of Python.

A word may have initial consonants (초성 검색) in place of syllables: ㄱㅈ finds 감자, and so does 감ㅈ. An input method
writes two of them as one, such as ㄱ and ㅅ as ㄳ, which is then also the two.
"""

import re
import unicodedata

LENGTH = 100  # code points. A longer query is cut, since finding too much is better than an error page
WORDS = 5  # at most

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"  # as Unicode orders them
SYLLABLES = range(0xAC00, 0xD7A4)
_PAIRS = ("ㄱㅅ", "ㄴㅈ", "ㄴㅎ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ", "ㅂㅅ")
CLUSTERS = dict(zip("ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ", _PAIRS, strict=True))
_OF_ONE_INITIAL = len(SYLLABLES) // len(INITIALS)


def words_of(query: str) -> list[str]:
    """Return the words of a query in NFC, as texts are stored, and without what PostgreSQL refuses, such as NUL."""
    composed = unicodedata.normalize("NFC", query)
    clean = "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in composed)
    return clean[:LENGTH].split()[:WORDS]


def anywhere(word: str) -> str:
    """Return the expression of a text that contains the word, in whatever letter case."""
    expression = "".join(map(_of_letter, word))
    return f"(?i){expression}" if word.lower() != word.upper() else expression  # Hangul is found faster without


def _of_letter(letter: str) -> str:
    if letter in CLUSTERS:
        return f"(?:{letter}|{''.join(map(_of_letter, CLUSTERS[letter]))})"
    if letter not in INITIALS:
        return re.escape(letter)
    first = SYLLABLES.start + INITIALS.index(letter) * _OF_ONE_INITIAL
    return f"[{letter}{chr(first)}-{chr(first + _OF_ONE_INITIAL - 1)}]"
