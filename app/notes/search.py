"""Parse a search query: words that must all occur in a note, and #tags that it must have."""

import re
import unicodedata
from dataclasses import dataclass, replace

from app.notes.initials import has_initials, regular_expression
from app.notes.tags import tags_of

LENGTH = 100  # code points. A longer query is cut, since finding too much is better than an error page
WORDS = 5  # at most

# Neither a letter nor a digit: a word begins after it. Not [:alnum:], which depends on the locale.
NO_LETTER = "[^0-9A-Za-z\u00c0-\u1fff\u3040-\ud7ff]"


@dataclass(frozen=True)
class Search:
    """Notes with all of `words` in their title or text, and with all of `tags`.

    Args:
        text: the query as it was understood, for the search field.
        tags: in lower case, without `#`.
        mistyped: the words as they were typed, if one of them was corrected since no note has them.
    """

    text: str = ""
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    mistyped: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, tag: str = "") -> "Search":
        """The search for what was typed into the field, and for the tag that was chosen beside it."""
        words = clean(text)[:LENGTH].split()[:WORDS]
        typed = {word: tag_in(word) for word in words}
        tags = [tag for tag in typed.values() if tag] + [name.lower() for name in clean(tag).removeprefix("#").split()]
        return cls(" ".join(words), tuple(word for word in words if not typed[word]), tuple(tags))

    def __bool__(self) -> bool:
        return bool(self.words or self.tags)

    def with_correction(self, place: int, correction: str) -> "Search":
        """The search for another word in place of `words[place]`."""
        return replace(self, words=(*self.words[:place], correction, *self.words[place + 1 :]), mistyped=self.words)

    @property
    def name(self) -> str:
        """What is searched for, as it was typed or chosen."""
        return " ".join([*(self.mistyped or self.words), *(f"#{tag}" for tag in dict.fromkeys(self.tags))])

    @property
    def query(self) -> str:
        """The text with the words that are searched for."""
        words = iter(self.words)
        return " ".join(word if tag_in(word) else next(words) for word in self.text.split())

    @property
    def plain_words(self) -> list[str]:
        """Those that occur as they are; in the others, consonants stand for syllables."""
        return [word for word in self.words if not has_initials(word)]

    @property
    def words_with_initials(self) -> list[str]:
        return [word for word in self.words if has_initials(word)]

    @property
    def patterns(self) -> list[str]:
        """Patterns for LIKE, of the words without letter case such as Hangul: LIKE takes a fraction of ILIKE's time."""
        return [pattern(word) for word in self.plain_words if not has_case(word)]

    @property
    def cased_patterns(self) -> list[str]:
        """Patterns for ILIKE, of the other plain words."""
        return [pattern(word) for word in self.plain_words if has_case(word)]


def clean(text: str) -> str:
    """The text in NFC, as notes are stored, with spaces for control characters: PostgreSQL refuses NUL."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in composed)


def tag_in(word: str) -> str | None:
    """The tag of a word such as `#책` or `#책,`; None for `#1` and `책`."""
    tags = tags_of("", word) if word.startswith("#") else []
    return tags[0] if tags else None


def has_case(word: str) -> bool:
    return word.lower() != word.upper()


def pattern(word: str) -> str:
    """The LIKE pattern of a text that contains the word, with its wildcards escaped."""
    for wildcard in "\\%_":
        word = word.replace(wildcard, f"\\{wildcard}")
    return f"%{word}%"


def anywhere(word: str) -> str:
    """PostgreSQL's regular expression of a text that contains the word."""
    return f"{'(?i)' if has_case(word) else ''}{regular_expression(word)}"


def at_beginning(word: str) -> str:
    """That of a text with a word that begins so. Where it begins with a sign, that may be anywhere."""
    begins = "" if re.match(NO_LETTER, word) else f"(?:^|{NO_LETTER})"
    return f"{'(?i)' if has_case(word) else ''}{begins}{regular_expression(word)}"
