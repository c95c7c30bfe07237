"""Other spellings of the same word: in capitals, with separators, in leetspeak, on a Korean keyboard. Pure.

Each function folds one of them away, so that a password and a name are compared by what they say.
"""

import re
import unicodedata

# ！ to ～ are ! to ~ in the width of a Chinese character.
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
_SEPARATORS = re.compile(r"[\W_]+")
_SEPARATORS_ONLY = re.compile(r"[^\w@$!]+|_+")  # without the signs that stand for letters
_DECORATION = re.compile(r"[\W\d_]+")
# What Shift makes of the keys, on a keyboard of the United States and of Korea.
_SHIFTED = str.maketrans('!@#$%^&*()_+{}|:"<>?~', "1234567890-=[]\\;',./`")
# l, i, 1 and ! look alike, so two spellings that are compared have one letter for all of them.
_LOOKS_LIKE = str.maketrans("@4031!l5$7", "aaoeiiisst")
_LEETSPEAK = tuple(str.maketrans("@4031!5$7", f"aaoe{one}isst") for one in "il")

# The keys of the Korean standard layout (KS X 5002, dubeolsik), in Unicode's order of ㄱ (U+3131) to ㅣ.
_KEYS = [
    "r", "r", "rt", "s", "sw", "sg", "e", "e", "f", "fr", "fa", "fq", "ft", "fx", "fv", "fg", "a", "q", "q", "qt",
    "t", "t", "d", "w", "w", "c", "z", "x", "v", "g",
    "k", "o", "i", "o", "j", "p", "u", "p", "h", "hk", "ho", "hl", "y", "n", "nj", "np", "nl", "b", "m", "ml", "l",
]  # fmt: skip
_KEY_OF = {unicodedata.name(chr(0x3131 + offset)).split()[-1]: key for offset, key in enumerate(_KEYS)}


def folded(text: str) -> str:
    """In lower case and of the usual width."""
    return text.translate(_FULL_WIDTH).casefold()


def compact(text: str) -> str:
    """Without separators: semi-circle 1 is semicircle1. A text that is mostly signs has none, and stays as it is."""
    letters = _SEPARATORS.sub("", text)
    return letters if len(letters) * 2 > len(text) else text


def collapsed(text: str) -> str:
    """Each run of one character as that character: aaaabbb is ab."""
    return re.sub(r"(.)\1+", r"\1", text, flags=re.DOTALL)


def unshifted(text: str) -> str:
    """The keys that were pressed, whether with Shift or without."""
    return text.translate(_SHIFTED)


def comparable(text: str) -> str:
    """The text as it looks, of the same length. Two texts that look alike are equal."""
    return text.translate(_LOOKS_LIKE)


def without_separators(text: str) -> set[str]:
    """The text without any sign, and with those that may stand for a letter: se-m! is sem and sem!."""
    return {_SEPARATORS.sub("", text), _SEPARATORS_ONLY.sub("", text)}


def letters(text: str) -> str:
    """The letters alone, without digits and signs."""
    return _DECORATION.sub("", text)


def core(text: str) -> str:
    """Without the digits and signs around it."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)


def undecorated(text: str) -> set[str]:
    """Without the digits and signs around it, in plain letters: p@ssw0rd2026! is password. A sign in front may be a
    letter ($ummer), so both readings are returned."""
    end = re.sub(r"[\W\d_]+$", "", text)
    return {reading.translate(table) for reading in (end, core(text)) for table in _LEETSPEAK}


def on_latin_keyboard(text: str) -> str:
    """Hangul as the keys that type it, where the keyboard is not switched to Korean: 세미서클 is tpaltjzmf."""
    return "".join(_key(jamo) for jamo in unicodedata.normalize("NFD", text))


def _key(jamo: str) -> str:
    """Of a letter of any position: HANGUL CHOSEONG, JUNGSEONG, JONGSEONG or LETTER, then what it is called."""
    name = unicodedata.name(jamo, "")
    return _KEY_OF.get(name.split()[-1], jamo) if name.startswith("HANGUL") else jamo
