"""Notes as Markdown files and todos as a Markdown list, for people and for other notebooks. Pure."""

import re
import unicodedata
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from pydantic_core import to_json

LONGEST_NAME = 100  # bytes of UTF-8 without the suffix; file systems allow 255 for the whole name
FORBIDDEN = re.compile(r'[/\\:*?"<>|#^\[\]]')  # by Windows; the last four by the links of other notebooks
JOINERS = "\u200c\u200d"  # without them a family emoji falls apart into faces
INVISIBLE = ("Cf", "Cs", "Co", "Cn")  # categories of Unicode
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)  # Windows' device names
FRONT_MATTER = {"title": "title", "created": "created_at", "updated": "updated_at", "pinned": "pinned", "tags": "tags"}


def safe_name(text: str) -> str:
    """Make a part of a file name that every system accepts, made of any text; empty when nothing is left.

    Forbidden characters become spaces. Invisible ones, and those that change the direction of writing, are left out.
    """
    text = unicodedata.normalize("NFC", FORBIDDEN.sub(" ", text))
    kept = (letter for letter in text if letter in JOINERS or unicodedata.category(letter) not in INVISIBLE)
    name = " ".join("".join(letter if letter in JOINERS or letter.isprintable() else " " for letter in kept).split())
    name = name.encode()[:LONGEST_NAME].decode(errors="ignore").strip(". ")
    return f"{name} -" if RESERVED.fullmatch(name) else name


class MarkdownFile(NamedTuple):
    """A file of the export. Without a moment it has the time of the export."""

    name: str
    text: str
    moment: datetime | None = None


class MarkdownFiles:
    """The Markdown files of an export: one for each note, and one list of the todos.

    No two names of notes are equal, even where the file system ignores case. Other lists have no file: they are tables,
    and the JSON has them.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._taken: dict[str, int] = {}
        self._todos: list[str] = []

    def of(self, kind: str, item: dict[str, Any]) -> list[MarkdownFile]:
        """Return the files of this item alone. Args: kind: the name of the feature."""
        if kind == "notes":
            return [MarkdownFile(self._name(item), note_file(item), item["updated_at"])]
        if kind == "todos":  # as a task list that GitHub and most notebooks read
            due = f" ({item['due_on']})" if item["due_on"] else ""
            self._todos.append(f"- [{'x' if item['completed'] else ' '}] {item['description']}{due}")
        return []

    def rest(self) -> list[MarkdownFile]:
        """Return the files of all items together: the todos in the order of the page, the reverse of the export's."""
        return [MarkdownFile("todos.md", "\n".join([*reversed(self._todos), ""]))] if self._todos else []

    def _name(self, note: dict[str, Any]) -> str:
        """Name it `notes/2026-11-21 title.md`; without a title, with the first line of the text."""
        folder = "trash" if note["deleted_at"] else "archive" if note["archived_at"] else "notes"
        first_line = note["content"].strip().partition("\n")[0]
        day = note["created_at"].astimezone(self._zone).date()
        stem = f"{folder}/{day} {safe_name(note['title']) or safe_name(first_line)}".rstrip()
        name, number = stem, 1
        while name.casefold() in self._taken:
            number = max(number, self._taken[stem.casefold()]) + 1
            name = f"{stem} ({number})"
        self._taken[stem.casefold()] = number
        self._taken[name.casefold()] = 1
        return f"{name}.md"


def note_file(note: dict[str, Any]) -> str:
    """Write the note's text below YAML front matter. JSON strings are valid YAML."""
    lines = [f"{key}: {_quoted(note[name])}" for key, name in FRONT_MATTER.items()]
    return "\n".join(["---", *lines, "---", "", note["content"].rstrip("\n"), ""])


def _quoted(value: object) -> str:
    """Write JSON. Two line separators are escaped, since YAML ends a line at them."""
    text = to_json(value).decode()
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
