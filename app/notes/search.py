"""Parse a search, mark its hits in a text, and find the words one key away from what was typed (spelling correction).

A search has words that must all occur in a note (search_words.py), and #tags that it must have.

A mistyped word lacks one key, has one too many or another one, or has two swapped (Damerau-Levenshtein distance 1 of
keys). On a two-set keyboard (두벌식, KS X 5002) a key is a jamo, elsewhere a letter. A compound vowel or final
consonant such as ㅘ or ㄳ takes two keys, a double consonant such as ㄲ one with shift. The words that may have been
meant are enumerated and not compared, so that PostgreSQL finds them by one regular expression.
Source: https://norvig.com/spell-correct.html
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from app.folding import SIGNS, fold
from app.notes.texts import EXCERPT_LENGTH, tags_of
from app.search_words import CLUSTERS, INITIALS, SYLLABLES, cleaned, regular_expression, tokens_of, word_in

BEFORE_HIT = 40  # code points of an excerpt before the first hit

_MEDIALS = [*"ㅏㅐㅑㅒㅓㅔㅕㅖㅗ", "ㅗㅏ", "ㅗㅐ", "ㅗㅣ", *"ㅛㅜ", "ㅜㅓ", "ㅜㅔ", "ㅜㅣ", *"ㅠㅡ", "ㅡㅣ", "ㅣ"]
_FINALS_OF_L = ["ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ"]
_FINALS = [*"ㄱㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", *_FINALS_OF_L, *"ㅁㅂ", "ㅂㅅ", *"ㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]
_FINALS_AND_NONE = ["", *_FINALS]
_VOWELS = "".join(key for key in _MEDIALS if len(key) == 1)
_JAMO = INITIALS + _VOWELS
_LATIN = "abcdefghijklmnopqrstuvwxyz"
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

_CONSONANT = re.compile(f"[{INITIALS}{''.join(CLUSTERS)}]")  # which stands for a syllable
# Written in several ways; or with a mark that makes no letter of its own, whose notes are in no index without it.
_NOT_INDEXED = re.compile(f"{_CONSONANT.pattern}|[{re.escape(''.join(SIGNS))}Σσς]|.[\u0300-\u036f]+")
# Letters whose capitals the lower() of some locales, and so the index, leaves as they are, or makes others of.
_CASED = re.compile("[i\u00aa-\u10ff\u13a0-\u13ff\u1c80-\u1fff\u2071-\u2c7f\ua640-\uabbf\U00010400-\U0001e943]")
_PAIR = re.compile(f"[{INITIALS}가-힣]{{2}}|[{''.join(CLUSTERS)}]")


@dataclass(frozen=True)
class Search:
    """Notes with all of `words` in their title or text, and with all of `tags`."""

    text: str = ""  # the query as it was understood, for the search field
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # in lower case, without `#`
    mistyped: tuple[str, ...] = ()  # the words as they were typed, if one of them was corrected

    @classmethod
    def parse(cls, text: str, tag: str = "") -> "Search":
        """Read what was typed into the field, and the tag that was chosen beside it."""
        tokens = tokens_of(text)
        words = [word for word in map(word_of, tokens) if word]
        tags = [tag for token in tokens for tag in tags_in(token)]
        tags += [name.lower() for name in cleaned(tag).removeprefix("#").split()]
        return cls(" ".join(token[0] for token in tokens), tuple(words), tuple(tags))

    def __bool__(self) -> bool:
        return bool(self.words or self.tags)

    @property
    def finds_archive(self) -> bool:
        """Return true for what was typed: a search is of all notes but the trash, by words and by #tags.

        A tag that was chosen beside it narrows that, or the list, which has no archived notes.
        """
        return bool(self.text and self)

    @property
    def is_of_list(self) -> bool:
        """Return true for the list, and for the notes of it with one tag, which an index of their own finds."""
        return not self.finds_archive and len(set(self.tags)) < 2

    @property
    def name(self) -> str:
        """Return what is searched for, as it was typed or chosen."""
        return " ".join([*(self.mistyped or self.words), *(f"#{tag}" for tag in dict.fromkeys(self.tags))])

    @property
    def query(self) -> str:
        """Return the text with the words that are searched for."""
        words = iter(self.words)
        return " ".join(quoted(next(words)) if word_of(token) else token[0] for token in tokens_of(self.text))


def tags_in(token: re.Match[str]) -> list[str]:
    """Return the tags of a word such as `#책`, `#책,` or `#책#집`; none for `#1`, `책` and a phrase."""
    return tags_of("", token[0]) if token[0].startswith("#") else []


def word_of(token: re.Match[str]) -> str | None:
    """Return the word or the phrase; None for a tag."""
    return None if tags_in(token) else word_in(token)


def quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def pattern(word: str) -> str:
    """Return the LIKE pattern of a text that contains the word, with its wildcards escaped."""
    for wildcard in "\\%_":
        word = word.replace(wildcard, f"\\{wildcard}")
    return f"%{word}%"


def at_beginning(word: str) -> str:
    """Return the pattern of a text in which a word begins like this one. A sign is found anywhere."""
    begins = "" if re.match(NO_LETTER, word) else f"(?:^|{NO_LETTER})"
    return begins + regular_expression(word)


def parameters_of(search: Search) -> dict[str, Any]:
    """Return the parameters of the statements, besides the owner and the cursor."""
    with_initials = [word for word in search.words if _CONSONANT.search(word)]
    initials = [word for word in with_initials if _PAIR.search(word)]  # the index can be asked for no single one
    terms = fold(_NOT_INDEXED.sub(" ", " ".join(search.words))).lower().strip()
    as_they_are = [word for word in search.words if regular_expression(word) == re.escape(word)]
    return {
        "terms": terms,
        "plain_terms": _CASED.sub(" ", terms),
        "initials": " ".join(initials),
        "is_indexed": bool(terms or initials or search.tags),
        "tags": list(search.tags),
        "finds_archive": search.finds_archive,
        # Words that are written in one way, such as Hangul: LIKE takes a fraction of the time of an expression.
        "patterns": list(map(pattern, as_they_are)),
        "expressions": [regular_expression(word) for word in search.words if word not in as_they_are],
        "anywhere": list(map(regular_expression, search.words)),
        "at_beginning": list(map(at_beginning, search.words)),
        "whole": f"^{regular_expression(' '.join(search.words))}$",
    }


def excerpt_around_hit(text: str, words: Iterable[str]) -> str:
    """Return EXCERPT_LENGTH code points that hold the first hit of any of the words; without a hit, the beginning."""
    hit = hits_of(words).search(text) if words else None
    start = max(hit.start() - BEFORE_HIT, 0) if hit and hit.end() > EXCERPT_LENGTH else 0
    if start:
        start = text.find(" ", start, hit.start()) + 1 or start  # type: ignore[union-attr]
    end = start + EXCERPT_LENGTH
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"


def highlight(text: str, words: Iterable[str]) -> str:
    """Return the text with each hit of the words in <mark>, as HTML (Markup). Without words the text as it was."""
    if not words:
        return text
    pieces = hits_of(words).split(text)  # text and hits in turn
    wrap = (escape, Markup("<mark>{}</mark>").format)
    return Markup("").join(wrap[number % 2](piece) for number, piece in enumerate(pieces))


def hits_of(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(regular_expression, longest_first))})", re.IGNORECASE)


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
    # Of other letters the locale of the database knows the capital, by (?i).
    cases = {rest: letters + _capitals(letters) for rest, letters in letters_before.items()}
    branches = [(f"[{letters}]" if len(letters) > 1 else letters) + rest for rest, letters in cases.items()]
    return branches[0] if len(branches) == 1 and not may_end else f"(?:{'|'.join(branches)}){may_end}"


def _capitals(letters: str) -> str:
    return "".join(letter.upper() for letter in letters if letter.isalpha() and _CASED.match(letter))


def parameters_of_correction(search: Search) -> dict[str, Any]:
    """Return those besides the owner; none if nothing is near any of the words."""
    typed = [
        {
            "place": place,
            "near": f"{'(?i)' if word.lower() != word.upper() else ''}{near_pattern(word)}",
            "others": [regular_expression(other) for other in (*search.words[:place], *search.words[place + 1 :])],
        }
        for place, word in enumerate(search.words)
        if near_words(word)
    ]
    return {"typed": json.dumps(typed), "tags": list(search.tags)} if typed else {}
