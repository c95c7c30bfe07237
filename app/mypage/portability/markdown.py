"""Notes as files and todos as a list, in Markdown, for people and for other notebooks. Pure."""

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Protocol

LONGEST_NAME = 100  # bytes of UTF-8, without the ending; file systems take 255 of the whole name
FORBIDDEN = re.compile(r'[/\\:*?"<>|#^\[\]]')  # on Windows; the last ones in the links of other notebooks
JOINERS = "\u200c\u200d"  # without them an emoji of a family is four faces
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)  # names of Windows' devices


def safe_name(text: str) -> str:
    """Part of a file name that every system takes, made of any text; empty when nothing is left of it.

    Spaces stand for what may not stand in it; what is invisible or turns the direction of writing is left out.
    """
    text = unicodedata.normalize("NFC", FORBIDDEN.sub(" ", text))
    visible = (letter if letter.isprintable() or letter in JOINERS else _space_for(letter) for letter in text)
    name = " ".join("".join(visible).split())
    name = name.encode()[:LONGEST_NAME].decode(errors="ignore").strip(". ")
    return f"{name} -" if RESERVED.fullmatch(name) else name


def _space_for(letter: str) -> str:
    return "" if unicodedata.category(letter) in ("Cf", "Cs", "Co", "Cn") else " "


@dataclass(frozen=True)
class Page:
    """A file. Without a moment it is as old as the export."""

    name: str
    text: str
    moment: datetime | None = None


class Pages(Protocol):
    """How people are to read a list of the export."""

    def of(self, item: dict[str, Any], /) -> list[Page]:
        """The files that this item makes by itself."""

    def rest(self) -> list[Page]:
        """Those that the items make together."""


class NotePages:
    """A file for each note, no two of one name, also where upper and lower case are one."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._taken: dict[str, int] = {}

    def of(self, note: dict[str, Any], /) -> list[Page]:
        return [Page(self._name(note), note_file(note), note["updated_at"])]

    def rest(self) -> list[Page]:
        return []

    def _name(self, note: dict[str, Any]) -> str:
        """`notes/2026-11-21 title.md`; without a title, with the first line of the text."""
        folder = "trash" if note["deleted_at"] else "notes"
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


class TodoPages:
    """One list, in the order of the page: what comes last in the export stands on top."""

    def __init__(self, zone: tzinfo) -> None:
        self._lines: list[str] = []

    def of(self, todo: dict[str, Any], /) -> list[Page]:
        self._lines.append(todo_line(todo))
        return []

    def rest(self) -> list[Page]:
        return [Page("todos.md", "\n".join([*reversed(self._lines), ""]))] if self._lines else []


class NoPages:
    """Word counts are tables, and those are in the JSON."""

    def __init__(self, zone: tzinfo) -> None:
        pass

    def of(self, item: dict[str, Any], /) -> list[Page]:
        return []

    def rest(self) -> list[Page]:
        return []


def note_file(note: dict[str, Any]) -> str:
    """The note's text behind a head of YAML, in which quoted JSON may stand."""
    head = {
        "title": note["title"],
        "created": note["created_at"].isoformat(),
        "updated": note["updated_at"].isoformat(),
        "pinned": note["pinned"],
        "tags": note["tags"],
    }
    lines = [f"{key}: {_quoted(value)}" for key, value in head.items()]
    return "\n".join(["---", *lines, "---", "", note["content"].rstrip("\n"), ""])


def _quoted(value: object) -> str:
    """YAML ends a line at these two as well."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def todo_line(todo: dict[str, Any]) -> str:
    """An entry of a task list, as GitHub and most notebooks read it."""
    due = f" ({todo['due_on']})" if todo["due_on"] else ""
    return f"- [{'x' if todo['completed'] else ' '}] {todo['description']}{due}"


# Name of the feature: how its list is read.
PAGES: dict[str, type[NotePages] | type[TodoPages]] = {"notes": NotePages, "todos": TodoPages}


def pages_for(name: str, zone: tzinfo) -> Pages:
    return PAGES.get(name, NoPages)(zone)
