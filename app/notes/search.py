"""Parse a search: words that must all occur in a note, and #tags that it must have; and mark its hits in a text.

A word may have initial consonants (초성 검색) in place of syllables: ㄱㅈ finds 감자, and so does 감ㅈ.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

from app.notes.spelling import CLUSTERS, INITIALS, NO_LETTER, SYLLABLES
from app.notes.texts import EXCERPT_LENGTH, tags_of

LENGTH = 100  # code points. A longer query is cut, since finding too much is better than an error page
WORDS = 5  # at most
BEFORE_HIT = 40  # code points of an excerpt before the first hit

_OF_ONE_INITIAL = len(SYLLABLES) // len(INITIALS)
_CONSONANTS = f"{INITIALS}{''.join(CLUSTERS)}"
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
        words = clean(text)[:LENGTH].split()[:WORDS]
        typed = {word: tag_in(word) for word in words}
        tags = [tag for tag in typed.values() if tag] + [name.lower() for name in clean(tag).removeprefix("#").split()]
        return cls(" ".join(words), tuple(word for word in words if not typed[word]), tuple(tags))

    def __bool__(self) -> bool:
        return bool(self.words or self.tags)

    def with_correction(self, place: int, correction: str) -> "Search":
        """Return the search for another word in place of `words[place]`."""
        return replace(self, words=(*self.words[:place], correction, *self.words[place + 1 :]), mistyped=self.words)

    @property
    def name(self) -> str:
        """Return what is searched for, as it was typed or chosen."""
        return " ".join([*(self.mistyped or self.words), *(f"#{tag}" for tag in dict.fromkeys(self.tags))])

    @property
    def query(self) -> str:
        """Return the text with the words that are searched for."""
        words = iter(self.words)
        return " ".join(word if tag_in(word) else next(words) for word in self.text.split())


def clean(text: str) -> str:
    """Return the text in NFC, as notes are stored, with spaces for control characters: PostgreSQL refuses NUL."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in composed)


def tag_in(word: str) -> str | None:
    """Return the tag of a word such as `#책` or `#책,`; None for `#1` and `책`."""
    tags = tags_of("", word) if word.startswith("#") else []
    return tags[0] if tags else None


def has_case(word: str) -> bool:
    return word.lower() != word.upper()


def pattern(word: str) -> str:
    """Return the LIKE pattern of a text that contains the word, with its wildcards escaped."""
    for wildcard in "\\%_":
        word = word.replace(wildcard, f"\\{wildcard}")
    return f"%{word}%"


def anywhere(word: str) -> str:
    """Return PostgreSQL's regular expression of a text that contains the word."""
    return f"{'(?i)' if has_case(word) else ''}{regular_expression(word)}"


def at_beginning(word: str) -> str:
    """Return the pattern of a text in which a word begins like this one. A sign is found anywhere."""
    begins = "" if re.match(NO_LETTER, word) else f"(?:^|{NO_LETTER})"
    return f"{'(?i)' if has_case(word) else ''}{begins}{regular_expression(word)}"


def has_initials(word: str) -> bool:
    """Return True if a consonant in the word stands for a syllable."""
    return any(letter in _CONSONANTS for letter in word)


def has_pair_of_initials(word: str) -> bool:
    """Return True if two that stand side by side have an initial: only then the index can be asked for them."""
    return bool(_PAIR.search(word))


def without_initials(word: str) -> str:
    """Return the rest of the word, with spaces in place of the consonants."""
    return "".join(" " if letter in _CONSONANTS else letter for letter in word)


def regular_expression(word: str) -> str:
    """Return what the word finds, for PostgreSQL and for Python: a consonant itself or a syllable that begins with it.

    Two consonants that an input method wrote as one, such as ㄳ, are also two.
    """
    return "".join(_any_of(letter) if letter in _CONSONANTS else re.escape(letter) for letter in word)


def _any_of(consonant: str) -> str:
    if consonant in CLUSTERS:
        return f"(?:{consonant}|{''.join(map(_any_of, CLUSTERS[consonant]))})"
    first = SYLLABLES.start + INITIALS.index(consonant) * _OF_ONE_INITIAL
    return f"[{consonant}{chr(first)}-{chr(first + _OF_ONE_INITIAL - 1)}]"


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
