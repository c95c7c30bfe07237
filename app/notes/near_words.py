"""Spelling correction of a search: the words that are one key away from the one that was typed.

One key is missing, doubled or too many, two are swapped, or one is another (Damerau-Levenshtein distance 1 of keys).
The words are enumerated and not compared, so that PostgreSQL finds them by one regular expression.
Source: https://norvig.com/spell-correct.html
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from app.notes.keystrokes import JAMO, SYLLABLES, keys_of, typed
from app.notes.search import NO_LETTER, WORDS

FEWEST_LETTERS = 2
MOST_KEYS = 20  # beyond that, more than 1,300 words would be one key away
WHOLE_WORD = 4  # keys. Of fewer, nearly every beginning is that of some word

LATIN = "abcdefghijklmnopqrstuvwxyz"
# The rows of a keyboard, each key half a key further right than the one above it; then the keys of Hangul with shift.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ")
_PLACES = {key: (row % 3, 2 * column + row % 3) for row, keys in enumerate(_ROWS) for column, key in enumerate(keys)}
_PLACES |= {shifted: _PLACES[key] for shifted, key in zip("ㅃㅉㄸㄲㅆㅒㅖ", "ㅂㅈㄷㄱㅅㅐㅔ", strict=True)}


@lru_cache(maxsize=2 * WORDS)  # a search asks several times
def near_words(word: str) -> dict[str, bool]:
    """The words that are one key away, and whether the slip is a likely one: not any wrong or additional key.

    None for a word of fewer than FEWEST_LETTERS, of more than MOST_KEYS, of consonants alone, or with a digit or sign.
    """
    keys = keys_of(word.lower())
    is_hangul = any(ord(letter) in SYLLABLES for letter in word)
    if len(word) < FEWEST_LETTERS or len(keys) > MOST_KEYS or not word.isalpha():
        return {}
    if not is_hangul and any(key in JAMO for key in keys):
        return {}
    near: dict[str, bool] = {}
    for others, is_likely in _one_key_away(keys, JAMO if is_hangul else LATIN):
        other = typed(others)
        if len(other) >= FEWEST_LETTERS and not any(letter in JAMO for letter in other):
            near[other] = is_likely or near.get(other, False)
    near.pop(word.lower(), None)
    return near


def _one_key_away(keys: str, alphabet: str) -> Iterable[tuple[str, bool]]:
    """The keys that were perhaps meant, and whether it is likely."""
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
    """Whether the keys lie beside each other, or are one key with and without shift."""
    if key not in _PLACES or other not in _PLACES:
        return False
    (row, column), (other_row, other_column) = _PLACES[key], _PLACES[other]
    return abs(row - other_row) <= 1 and abs(column - other_column) <= 2


def pattern_of_words(words: Iterable[str]) -> str:
    """A regular expression for what begins with one of the words, which it captures, at the beginning of a word.

    It is a trie: so it is as long as the square of a word's length, not as all words together.
    """
    short = [word for word in words if len(keys_of(word)) < WHOLE_WORD]
    long = [word for word in words if len(keys_of(word)) >= WHOLE_WORD]
    parts = [part for part in (_trie(long), f"{_trie(short)}(?!{_letter()})" if short else "") if part]
    return f"(?:^|{NO_LETTER})({'|'.join(parts)})"


def _letter() -> str:
    return NO_LETTER.replace("^", "")


def _trie(words: Iterable[str]) -> str:
    """Words of letters alone, so that nothing needs to be escaped."""
    letters_before: dict[str, str] = {}
    ends = False
    for letter, same in groupby(sorted(set(words)), key=lambda word: word[:1]):
        if not letter:
            ends = True
            continue
        rest = _trie(word[1:] for word in same)
        letters_before[rest] = letters_before.get(rest, "") + letter
    branches = [(f"[{letters}]" if len(letters) > 1 else letters) + rest for rest, letters in letters_before.items()]
    if not branches:
        return ""
    return f"(?:{'|'.join(branches)}){'?' if ends else ''}" if len(branches) > 1 or ends else branches[0]
