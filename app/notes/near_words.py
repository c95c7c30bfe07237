"""Spelling correction of a search: the words that are one key away from the one that was typed.

One key is missing, doubled or too many, two are swapped, or one is another (Damerau-Levenshtein distance 1 of keys).
The words are enumerated and not compared, so that PostgreSQL finds them by one regular expression.
Source: https://norvig.com/spell-correct.html
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from app.notes.keystrokes import JAMO, SYLLABLES, is_word, keys_of, typed
from app.notes.search import NO_LETTER, WORDS

FEWEST_LETTERS = 2
MOST_KEYS = 16  # beyond that, more than 1,000 words would be one key away
WHOLE_WORD = 4  # keys. With fewer, nearly everything is the beginning of some word

LATIN = "abcdefghijklmnopqrstuvwxyz"
# The rows of a keyboard, each key half a key further right than the one above it; then the keys of Hangul with shift.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ")
_PLACES = {key: (row % 3, 2 * column + row % 3) for row, keys in enumerate(_ROWS) for column, key in enumerate(keys)}
_PLACES |= {shifted: _PLACES[key] for shifted, key in zip("ㅃㅉㄸㄲㅆㅒㅖ", "ㅂㅈㄷㄱㅅㅐㅔ", strict=True)}


@lru_cache(maxsize=2 * WORDS)  # a search asks several times
def near_words(word: str) -> dict[str, bool]:
    """The words that are one key away, and whether the slip is a likely one: not any wrong or additional key.

    Empty for a word of fewer than FEWEST_LETTERS, of more than MOST_KEYS, of consonants alone, or with a digit or sign.
    """
    keys = keys_of(word.lower())
    is_hangul = any(ord(letter) in SYLLABLES for letter in word)
    if len(word) < FEWEST_LETTERS or len(keys) > MOST_KEYS or not word.isalpha():
        return {}
    if not is_hangul and any(key in JAMO for key in keys):
        return {}
    near: dict[str, bool] = {}
    for others, is_likely in _one_key_away(keys, JAMO if is_hangul else LATIN):
        other = typed(others) if not is_hangul or is_word(others) else ""
        if len(other) >= FEWEST_LETTERS:
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


def near_pattern(word: str) -> str:
    """A regular expression for the near words, captured: for what begins with one, or is one if the word is short.

    It is a trie: so it is as long as the square of the word's length, not as all near words together.
    """
    is_short = len(keys_of(word)) < WHOLE_WORD
    return f"(?:^|{NO_LETTER})({_trie(sorted(near_words(word)))}){f'(?={NO_LETTER}|$)' if is_short else ''}"


def _trie(words: Iterable[str]) -> str:
    """Sorted words of letters alone, so that nothing needs to be escaped."""
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
