"""Which nicknames may stand, and which look the same. Pure."""

import unicodedata

MAX_LENGTH = 80  # code points, of the nickname and of its key

# Unicode TR 39, "highly restrictive": Latin may stand beside the scripts of Korean, Japanese and Chinese, which none of
# its letters can be mistaken for; any other script stands alone, or Cyrillic а would make a second "аdmin".
MIXABLE = {"LATIN", "HANGUL", "CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "IDEOGRAPHIC"}

# Controls, invisible formatting (right-to-left override, zero-width), surrogates, private use, unassigned, line breaks.
REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and symbols by category, yet drawn as nothing: the Hangul fillers and the empty Braille pattern.
BLANKS = set("\u115f\u1160\u3164\uffa0\u2800")


def key(nickname: str) -> str:
    """What has to be unique: ＡＤＭＩＮ, Admin and admin are one."""
    return unicodedata.normalize("NFKC", nickname).casefold()


def has_invisible_characters(nickname: str) -> bool:
    return any(unicodedata.category(letter) in REFUSED_CATEGORIES or letter in BLANKS for letter in nickname)


def mixes_scripts(nickname: str) -> bool:
    found = {_script(character) for character in key(nickname) if character.isalpha()}
    return len(found) > 1 and not found <= MIXABLE


def _script(letter: str) -> str:
    """The script as the first word of the letter's Unicode name says it ("CYRILLIC SMALL LETTER A")."""
    name = unicodedata.name(letter, "UNKNOWN").removeprefix("MODIFIER LETTER ").removeprefix("FULLWIDTH ")
    return name.split()[0].split("-")[0]
