"""Notes as Markdown files and todos as a Markdown list, for people and for other notebooks. Pure."""

import re
import unicodedata
from datetime import tzinfo
from typing import Any

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


def note_name(note: dict[str, Any], zone: tzinfo, taken: dict[str, int]) -> str:
    """Name a note's file `notes/2026-11-21 title.md`; without a title, with the first line of its text.

    `taken` are the names before it: no two are equal, even where the file system ignores case.
    """
    folder = "trash" if note["deleted_at"] else "archive" if note["archived_at"] else "notes"
    first_line = note["content"].strip().partition("\n")[0]
    day = note["created_at"].astimezone(zone).date()
    stem = f"{folder}/{day} {safe_name(note['title']) or safe_name(first_line)}".rstrip()
    name, number = stem, 1
    while name.casefold() in taken:
        number = max(number, taken[stem.casefold()]) + 1
        name = f"{stem} ({number})"
    taken[stem.casefold()] = number
    taken[name.casefold()] = 1
    return f"{name}.md"


def note_file(note: dict[str, Any]) -> str:
    """Write the note's text below YAML front matter. JSON strings are valid YAML."""
    lines = [f"{key}: {_quoted(note[name])}" for key, name in FRONT_MATTER.items()]
    return "\n".join(["---", *lines, "---", "", note["content"].rstrip("\n"), ""])


def _quoted(value: object) -> str:
    """Write JSON. Two line separators are escaped, since YAML ends a line at them."""
    text = to_json(value).decode()
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def todo_line(todo: dict[str, Any]) -> str:
    """Write an entry of a task list, as GitHub and most notebooks read it."""
    due = f" ({todo['due_on']})" if todo["due_on"] else ""
    return f"- [{'x' if todo['completed'] else ' '}] {todo['description']}{due}"
