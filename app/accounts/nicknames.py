"""Nickname rules: which characters are refused, and which nicknames look the same (homographs). Pure."""

import unicodedata

import regex

from app.characters import INVISIBLE

MAX_LENGTH = 80  # code points, of the nickname and of its key

# Unicode TR 39, level "highly restrictive". Latin may be mixed with the scripts of Korean, Japanese and Chinese, whose
# letters look like none of its own. Any other script stands alone: a Cyrillic а would allow a second "аdmin".
MIXABLE = {"LATIN", "HANGUL", "CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "IDEOGRAPHIC"}

# Controls, invisible formatting (right-to-left override, zero-width), surrogates, private use, unassigned, line breaks.
REFUSED = regex.compile(rf"[\p{{C}}\p{{Zl}}\p{{Zp}}{INVISIBLE}]")
# Where such characters make one piece with what is visible: keycaps; the flags of parts of countries; emoji with a
# presentation or a skin, also joined (UTS 51, ED-14 to ED-17); and Han letters in the form that a name has (UTS 37).
EMOJI = r"[\p{Extended_Pictographic}&&\p{Emoji}](?:[\uFE0E\uFE0F]|\p{Emoji_Modifier})?"
PIECE = regex.compile(
    r"(?V1)[0-9#*]\uFE0F?\u20E3|\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]+\U000E007F"
    rf"|{EMOJI}(?:\u200D{EMOJI})*|\p{{Han}}[\U000E0100-\U000E01EF]"
)


def key(nickname: str) -> str:
    """Return the form that is unique: ＡＤＭＩＮ, Admin and admin have the same key, and ❤️ that of ❤."""
    visible = regex.sub(f"[{INVISIBLE}]", "", nickname)
    return " ".join(unicodedata.normalize("NFKC", visible).casefold().split())


def has_invisible_characters(nickname: str) -> bool:
    """Tell if it has any, apart from those inside an emoji, a keycap, a flag or a variant of a Han letter."""
    return REFUSED.search(PIECE.sub("", nickname)) is not None


def mixes_scripts(nickname: str) -> bool:
    found = {_script(character) for character in key(nickname) if character.isalpha()}
    return len(found) > 1 and not found <= MIXABLE


def _script(letter: str) -> str:
    """Return the first word of the letter's Unicode name: CYRILLIC of "CYRILLIC SMALL LETTER A"."""
    name = unicodedata.name(letter, "UNKNOWN").removeprefix("MODIFIER LETTER ").removeprefix("FULLWIDTH ")
    return name.split()[0].split("-")[0]
