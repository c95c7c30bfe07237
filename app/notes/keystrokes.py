"""The keys with which a word is typed: on a two-set keyboard (두벌식, KS X 5002) a jamo each, elsewhere a letter each.

A compound vowel or final consonant such as ㅘ or ㄳ takes two keys, a double consonant such as ㄲ one with shift.
"""

import re
import unicodedata

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"  # as Unicode orders them
_MEDIALS = [*"ㅏㅐㅑㅒㅓㅔㅕㅖㅗ", "ㅗㅏ", "ㅗㅐ", "ㅗㅣ", *"ㅛㅜ", "ㅜㅓ", "ㅜㅔ", "ㅜㅣ", *"ㅠㅡ", "ㅡㅣ", "ㅣ"]
_FINALS_OF_L = ["ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ"]
_FINALS = [*"ㄱㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", *_FINALS_OF_L, *"ㅁㅂ", "ㅂㅅ", *"ㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]
_FINALS_AND_NONE = ["", *_FINALS]
VOWELS = "".join(key for key in _MEDIALS if len(key) == 1)
JAMO = INITIALS + VOWELS
SYLLABLES = range(0xAC00, 0xD7A4)

# What one key gives when Unicode takes a syllable apart (NFD).
_KEYS = {
    **dict(zip(range(0x1100, 0x1113), INITIALS, strict=True)),
    **dict(zip(range(0x1161, 0x1176), _MEDIALS, strict=True)),
    **dict(zip(range(0x11A8, 0x11C3), _FINALS, strict=True)),
}
# Consonants that stand alone, typed as two keys: an input method writes ㄱ and ㅅ as ㄳ.
CLUSTERS = dict(zip("ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ", (keys for keys in _FINALS if len(keys) == 2), strict=True))


def _longest_first(parts: list[str]) -> str:
    return "|".join(sorted(parts, key=len, reverse=True))


# A consonant before a vowel begins the next syllable.
_SYLLABLE = re.compile(f"([{INITIALS}])({_longest_first(_MEDIALS)})((?:{_longest_first(_FINALS)})(?![{VOWELS}])|)")
_WORD = re.compile(f"(?:{_SYLLABLE.pattern}|[^{JAMO}])*")


def keys_of(word: str) -> str:
    """감자 is ㄱㅏㅁㅈㅏ."""
    apart = unicodedata.normalize("NFD", word).translate(_KEYS)
    return "".join(CLUSTERS.get(key, key) for key in unicodedata.normalize("NFC", apart))


def typed(keys: str) -> str:
    """The word that the keys give, as an input method composes it; what makes no syllable stays a jamo."""
    return _SYLLABLE.sub(_compose, keys)


def is_word(keys: str) -> bool:
    """Whether no jamo stays alone."""
    return bool(_WORD.fullmatch(keys))


def _compose(match: re.Match[str]) -> str:
    initial, medial, final = match.groups()
    syllable = (INITIALS.index(initial) * len(_MEDIALS) + _MEDIALS.index(medial)) * len(_FINALS_AND_NONE)
    return chr(SYLLABLES.start + syllable + _FINALS_AND_NONE.index(final))
