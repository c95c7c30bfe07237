"""Nickname rules: which characters are refused, and which nicknames look the same (homographs). Pure."""

import unicodedata

MAX_LENGTH = 80  # code points, of the nickname and of its key

# Unicode TR 39, level "highly restrictive". Latin may be mixed with the scripts of Korean, Japanese and Chinese, whose
# letters look like none of its own. Any other script stands alone: a Cyrillic а would allow a second "аdmin".
MIXABLE = {"LATIN", "HANGUL", "CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "IDEOGRAPHIC"}

# Controls, invisible formatting (right-to-left override, zero-width), surrogates, private use, unassigned, line breaks.
REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and symbols by category, but drawn as nothing: the Hangul fillers and the empty Braille pattern.
BLANKS = set("\u115f\u1160\u3164\uffa0\u2800")


def key(nickname: str) -> str:
    """Return the form that is unique: ＡＤＭＩＮ, Admin and admin have the same key."""
    return unicodedata.normalize("NFKC", nickname).casefold()


def has_invisible_characters(nickname: str) -> bool:
    return any(unicodedata.category(letter) in REFUSED_CATEGORIES or letter in BLANKS for letter in nickname)


def mixes_scripts(nickname: str) -> bool:
    found = {_script(character) for character in key(nickname) if character.isalpha()}
    return len(found) > 1 and not found <= MIXABLE


def _script(letter: str) -> str:
    """Return the first word of the letter's Unicode name: CYRILLIC of "CYRILLIC SMALL LETTER A"."""
    name = unicodedata.name(letter, "UNKNOWN").removeprefix("MODIFIER LETTER ").removeprefix("FULLWIDTH ")
    return name.split()[0].split("-")[0]
