"""Search by initial consonants (초성 검색): ㄱㅈ finds 감자, and so does 감ㅈ."""

import re

from app.notes.keystrokes import CLUSTERS, INITIALS, SYLLABLES

_OF_ONE_INITIAL = len(SYLLABLES) // len(INITIALS)
_CONSONANTS = f"{INITIALS}{''.join(CLUSTERS)}"
_PAIR = re.compile(f"[{INITIALS}가-힣]{{2}}|[{''.join(CLUSTERS)}]")


def has_initials(word: str) -> bool:
    """Whether a consonant in the word stands for a syllable."""
    return any(letter in _CONSONANTS for letter in word)


def has_pair_of_initials(word: str) -> bool:
    """Whether two that stand side by side have an initial: only then the index can be asked for them."""
    return bool(_PAIR.search(word))


def without_initials(word: str) -> str:
    """The rest of the word, with spaces in place of the consonants."""
    return "".join(" " if letter in _CONSONANTS else letter for letter in word)


def regular_expression(word: str) -> str:
    """What the word finds, for PostgreSQL and for Python: a consonant itself or a syllable that begins with it.

    Two consonants that an input method wrote as one, such as ㄳ, are also two.
    """
    return "".join(_any_of(letter) if letter in _CONSONANTS else re.escape(letter) for letter in word)


def _any_of(consonant: str) -> str:
    if consonant in CLUSTERS:
        return f"(?:{consonant}|{''.join(map(_any_of, CLUSTERS[consonant]))})"
    first = SYLLABLES.start + INITIALS.index(consonant) * _OF_ONE_INITIAL
    return f"[{consonant}{chr(first)}-{chr(first + _OF_ONE_INITIAL - 1)}]"
