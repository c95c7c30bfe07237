"""Find the words that are one key away from the one that was typed (spelling correction of a search).

One key is missing, doubled or too many, two are swapped, or one is another (Damerau-Levenshtein distance 1 of keys).
On a two-set keyboard (두벌식, KS X 5002) a key is a jamo, elsewhere a letter. A compound vowel or final consonant such
as ㅘ or ㄳ takes two keys, a double consonant such as ㄲ one with shift.
The words are enumerated and not compared, so that PostgreSQL finds them by one regular expression.
Source: https://norvig.com/spell-correct.html
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"  # as Unicode orders them
_MEDIALS = [*"ㅏㅐㅑㅒㅓㅔㅕㅖㅗ", "ㅗㅏ", "ㅗㅐ", "ㅗㅣ", *"ㅛㅜ", "ㅜㅓ", "ㅜㅔ", "ㅜㅣ", *"ㅠㅡ", "ㅡㅣ", "ㅣ"]
_FINALS_OF_L = ["ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ"]
_FINALS = [*"ㄱㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", *_FINALS_OF_L, *"ㅁㅂ", "ㅂㅅ", *"ㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]
_FINALS_AND_NONE = ["", *_FINALS]
_VOWELS = "".join(key for key in _MEDIALS if len(key) == 1)
_JAMO = INITIALS + _VOWELS
_LATIN = "abcdefghijklmnopqrstuvwxyz"
SYLLABLES = range(0xAC00, 0xD7A4)
# Consonants that stand alone, typed as two keys: an input method writes ㄱ and ㅅ as ㄳ.
CLUSTERS = dict(zip("ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ", (keys for keys in _FINALS if len(keys) == 2), strict=True))
# The letters of one key, in the form in which Unicode takes a syllable apart (NFD).
_KEYS = {
    **dict(zip(range(0x1100, 0x1113), INITIALS, strict=True)),
    **dict(zip(range(0x1161, 0x1176), _MEDIALS, strict=True)),
    **dict(zip(range(0x11A8, 0x11C3), _FINALS, strict=True)),
}
# The rows of a keyboard, each key half a key further right than the one above it; then the keys of Hangul with shift.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ")
_PLACES = {key: (row % 3, 2 * column + row % 3) for row, keys in enumerate(_ROWS) for column, key in enumerate(keys)}
_PLACES |= {shifted: _PLACES[key] for shifted, key in zip("ㅃㅉㄸㄲㅆㅒㅖ", "ㅂㅈㄷㄱㅅㅐㅔ", strict=True)}

FEWEST_LETTERS = 2
MOST_KEYS = 16  # beyond that, more than 1,000 words would be one key away
WHOLE_WORD = 4  # keys. With fewer, nearly everything is the beginning of some word
# Neither a letter nor a digit: a word begins after it. Not [:alnum:], which depends on the locale.
NO_LETTER = "[^0-9A-Za-z\u00c0-\u1fff\u3040-\ud7ff]"


def _longest_first(parts: list[str]) -> str:
    return "|".join(sorted(parts, key=len, reverse=True))


# A consonant before a vowel begins the next syllable.
_SYLLABLE = re.compile(f"([{INITIALS}])({_longest_first(_MEDIALS)})((?:{_longest_first(_FINALS)})(?![{_VOWELS}])|)")
_WORD = re.compile(f"(?:{_SYLLABLE.pattern}|[^{_JAMO}])*")  # no jamo stays alone


def keys_of(word: str) -> str:
    """Return the keys with which a word is typed: ㄱㅏㅁㅈㅏ of 감자."""
    apart = unicodedata.normalize("NFD", word).translate(_KEYS)
    return "".join(CLUSTERS.get(key, key) for key in unicodedata.normalize("NFC", apart))


def typed(keys: str) -> str:
    """Return the word that the keys give, as an input method composes it; what makes no syllable stays a jamo."""
    return _SYLLABLE.sub(_compose, keys)


def _compose(match: re.Match[str]) -> str:
    initial, medial, final = match.groups()
    syllable = (INITIALS.index(initial) * len(_MEDIALS) + _MEDIALS.index(medial)) * len(_FINALS_AND_NONE)
    return chr(SYLLABLES.start + syllable + _FINALS_AND_NONE.index(final))


@lru_cache(maxsize=10)  # twice the words of a search, which asks several times
def near_words(word: str) -> dict[str, bool]:
    """Return the words one key away, each with True if the slip is likely: not any wrong or additional key.

    Empty for a word of fewer than FEWEST_LETTERS, of more than MOST_KEYS, of consonants alone, or with a digit or sign.
    """
    keys = keys_of(word.lower())
    is_hangul = any(ord(letter) in SYLLABLES for letter in word)
    if len(word) < FEWEST_LETTERS or len(keys) > MOST_KEYS or not word.isalpha():
        return {}
    if not is_hangul and any(key in _JAMO for key in keys):
        return {}
    near: dict[str, bool] = {}
    for others, is_likely in _one_key_away(keys, _JAMO if is_hangul else _LATIN):
        other = typed(others) if not is_hangul or _WORD.fullmatch(others) else ""
        if len(other) >= FEWEST_LETTERS:
            near[other] = is_likely or near.get(other, False)
    near.pop(word.lower(), None)
    return near


def _one_key_away(keys: str, alphabet: str) -> Iterable[tuple[str, bool]]:
    """Yield the keys that were perhaps meant, and True if that is likely."""
    for place in range(len(keys) + 1):
        before, key, after = keys[:place], keys[place : place + 1], keys[place + 1 :]
        for other in alphabet:
            yield before + other + key + after, True  # it is missing
            yield before + other + after, not key or are_neighbours(key, other)
        if key:
            yield before + after, any(are_neighbours(beside, key) for beside in before[-1:] + after[:1])
        if after:
            yield before + after[0] + key + after[1:], True


def are_neighbours(key: str, other: str) -> bool:
    """Return True if the keys lie beside each other, or are one key with and without shift."""
    if key not in _PLACES or other not in _PLACES:
        return False
    (row, column), (other_row, other_column) = _PLACES[key], _PLACES[other]
    return abs(row - other_row) <= 1 and abs(column - other_column) <= 2


def near_pattern(word: str) -> str:
    """Return a regular expression for the near words, captured: for what begins with one, or is one if it is short.

    It is a trie: so it is as long as the square of the word's length, not as all near words together.
    """
    is_short = len(keys_of(word)) < WHOLE_WORD
    return f"(?:^|{NO_LETTER})({_trie(sorted(near_words(word)))}){f'(?={NO_LETTER}|$)' if is_short else ''}"


def _trie(words: Iterable[str]) -> str:
    """Return the expression of sorted words of letters alone, so that nothing needs to be escaped."""
    letters_before: dict[str, str] = {}
    may_end = ""
    for letter, same in groupby(words, key=lambda word: word[:1]):
        if letter:
            rest = _trie([word[1:] for word in same])
            letters_before[rest] = letters_before.get(rest, "") + letter
        else:
            may_end = "?"
    if not letters_before:
        return ""
    branches = [(f"[{letters}]" if len(letters) > 1 else letters) + rest for rest, letters in letters_before.items()]
    return branches[0] if len(branches) == 1 and not may_end else f"(?:{'|'.join(branches)}){may_end}"
