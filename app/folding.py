"""Take letters for the same that people type for one another: É and e, Ａ and a, ’ and ', （ and (. Pure.

The accents are those that Unicode takes apart into a letter and a mark of the Latin, Greek or Cyrillic script (its
canonical decomposition), and the strokes that it does not take apart. In Korean and Japanese such a mark makes another
letter, and й finds no и. Source: https://unicode.org/reports/tr15/
"""

import re
import unicodedata
from collections import defaultdict

_WIDTH = 0xFEE0  # from a character of ASCII to its full-width form
SIGNS = ["'’‘ʼʹ′´`＇", "-‐‑–−－", "~～〜", *(each + chr(ord(each) + _WIDTH) for each in "!%&()*+,./:;=?@")]
_MARKS = re.compile("[\u0300-\u036f]")
_ACCENTED = [*range(0xC0, 0x250), *range(0x370, 0x400), 0x401, 0x451, *range(0x1E00, 0x2000)]
# Keep these in step with the SQL function note_folded_terms() of revision 0055.
_STROKES = str.maketrans("øØłŁđĐħĦŧŦı", "oOlLdDhHtTi")
_FULL_WIDTH = {_WIDTH + code: code for code in range(0x21, 0x7F) if chr(code).isalnum()}


def fold(text: str) -> str:
    """Return the text without accents, and with ASCII in place of full-width letters and digits."""
    apart = unicodedata.normalize("NFD", text.translate(_FULL_WIDTH | _STROKES))
    return unicodedata.normalize("NFC", _MARKS.sub("", apart))


def _letters_alike() -> dict[str, str]:
    others: dict[str, list[str]] = defaultdict(list)
    for letter in map(chr, sorted({*_ACCENTED, *_STROKES, *_FULL_WIDTH})):
        folded = fold(letter).casefold()
        if folded not in (letter, letter.lower()):
            others[folded].append(letter)
    return {letter: "".join(alike) for letter, alike in others.items()}


_SIGNS = {sign: alike[0] for alike in SIGNS for sign in alike}
_ALIKE = _letters_alike() | {alike[0]: alike for alike in SIGNS}


def alike(letter: str) -> str:
    """Return all letters that one stands for: itself in both cases, and what folds to the same."""
    plain = _SIGNS.get(letter) or fold(letter).casefold()
    others = _ALIKE.get(plain, "")
    cases = {letter, letter.lower(), letter.upper()}
    if letter in others:
        cases |= {plain, plain.upper()}
    return "".join(sorted(each for each in cases if len(each) == 1 and each not in others)) + others
