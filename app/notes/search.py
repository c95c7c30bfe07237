"""What a reader asks the list for: words that must all occur, and #tags."""

import unicodedata
from dataclasses import dataclass

from app.notes.tags import tags_of

LENGTH = 100  # code points; what is longer is cut: finding a little more is kinder than an error page
WORDS = 5


@dataclass(frozen=True)
class Search:
    """All of `words`, somewhere in title or text, and all of `tags`, in lower case and without `#`."""

    text: str = ""  # as it was understood, for the field
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, tag: str = "") -> "Search":
        """The search for what was typed into the field, and for a tag that was chosen beside it."""
        words = clean(text)[:LENGTH].split()[:WORDS]
        typed = {word: tag_in(word) for word in words}
        tags = [tag for tag in typed.values() if tag] + [name.lower() for name in clean(tag).removeprefix("#").split()]
        return cls(" ".join(words), tuple(word for word in words if not typed[word]), tuple(tags))

    def __bool__(self) -> bool:
        return bool(self.words or self.tags)

    @property
    def patterns(self) -> list[str]:
        """For LIKE: the words that have no letter case, as Hangul; it takes a fraction of what ILIKE takes."""
        return [pattern(word) for word in self.words if not has_case(word)]

    @property
    def cased_patterns(self) -> list[str]:
        """For ILIKE: the others."""
        return [pattern(word) for word in self.words if has_case(word)]


def clean(text: str) -> str:
    """NFC, as the notes are; no control characters, of which Postgres refuses NUL."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in composed)


def tag_in(word: str) -> str | None:
    """The tag that a word is: `#책` and `#책,`, but neither `#1` nor `책`."""
    tags = tags_of("", word) if word.startswith("#") else []
    return tags[0] if tags else None


def has_case(word: str) -> bool:
    return word.lower() != word.upper()


def pattern(word: str) -> str:
    """The word as a part of a text for LIKE, whose signs stand for themselves."""
    for sign in "\\%_":
        word = word.replace(sign, f"\\{sign}")
    return f"%{word}%"
