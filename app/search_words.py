"""Read the words of a search, and say what each of them finds, by a regular expression of PostgreSQL and of Python.

What stands in quotation marks is one word, a phrase. A word may have initial consonants (초성 검색) in place of
syllables: ㄱㅈ finds 감자, and so does 감ㅈ. Letters are found without their accents, and so on, as folding.py has it.
"""

import re
import unicodedata

from app.folding import alike

LENGTH = 100  # code points. A longer query is cut, since finding too much is better than an error page
WORDS = 5  # at most

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"  # as Unicode orders them
SYLLABLES = range(0xAC00, 0xD7A4)
# Consonants that stand alone, typed as two keys: an input method writes ㄱ and ㅅ as ㄳ.
_PAIRS = ("ㄱㅅ", "ㄴㅈ", "ㄴㅎ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ", "ㅂㅅ")
CLUSTERS = dict(zip("ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ", _PAIRS, strict=True))
_OF_ONE_INITIAL = len(SYLLABLES) // len(INITIALS)
# A phrase in the quotation marks that keyboards and word processors write, or else what has no space in it. An
# apostrophe is a quotation mark where it stands around several words.
_TOKEN = re.compile(
    r"""["“”„«»「」『』＂]([^"“”„«»「」『』＂]+)["“”„«»「」『』＂]|(?<!\S)['‘]([^'‘’]+ [^'‘’]+)['’](?!\S)|(\S+)"""
)


def tokens_of(query: str) -> list[re.Match[str]]:
    """Return the words and phrases of a query in NFC, as texts are stored, with spaces for NUL and its like."""
    return [*_TOKEN.finditer(cleaned(query)[:LENGTH])][:WORDS]


def cleaned(query: str) -> str:
    composed = unicodedata.normalize("NFC", query)
    return "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in composed)


def word_in(token: re.Match[str]) -> str:
    """Return a phrase without its quotation marks and with single spaces, or the word as it is."""
    return " ".join((token[1] or token[2] or "").split()) or token[0]


def words_of(query: str) -> list[str]:
    return list(map(word_in, tokens_of(query)))


# The locale of a database tells which characters `\s` has: glibc's have no space that does not break, and C only ASCII.
_SPACES = r"[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+"


def regular_expression(word: str) -> str:
    """Return what the word finds: a consonant itself or a syllable that begins with it, a letter in both cases."""
    return "".join(map(_any_of, word))


def _any_of(letter: str) -> str:
    if letter == " ":
        return _SPACES
    if letter in CLUSTERS:
        return f"(?:{letter}|{''.join(map(_any_of, CLUSTERS[letter]))})"
    if letter in INITIALS:
        first = SYLLABLES.start + INITIALS.index(letter) * _OF_ONE_INITIAL
        return f"[{letter}{chr(first)}-{chr(first + _OF_ONE_INITIAL - 1)}]"
    letters = alike(letter)
    return f"[{letters}]" if len(letters) > 1 else re.escape(letter)
