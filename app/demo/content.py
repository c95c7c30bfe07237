"""The content of the demo account: lists as of an export, read from texts/ and dated back from one moment."""

import tomllib
from datetime import datetime, time, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from app.portability.contract import Item
from app.wordcounts.analysis.words import count
from app.wordcounts.report import columns_of

TEXTS = Path(__file__).parent / "texts"
ZONE = "Asia/Seoul"  # where the owner of the account lives
MORNING, EVENING = time(9), time(18, 30)  # when todos are written, and ticked

Entry = dict[str, Any]


def lists(now: datetime) -> dict[str, list[Item]]:
    """Return the rows by name of the feature, in the order of an export: each later one stands higher, or is newer."""
    diary = (TEXTS / "diary.txt").read_text(encoding="utf-8").splitlines()[1:]
    lines = [dict(zip(("days", "time", "content"), line.split(" ", 2), strict=True)) for line in diary]
    notes = [_note(entry, now) for entry in (*_own_notes(), *lines)]
    word_counts = [_word_count(entry, now) for entry in _entries("pages", "pages")]
    return {
        "notes": sorted(notes, key=itemgetter("created_at")),
        "todos": [_todo(entry, now) for entry in reversed(_entries("todos", "todos"))],
        "wordcounts": sorted(word_counts, key=itemgetter("created_at")),
    }


def shared_titles() -> list[str]:
    """Name the notes that anybody may read who has their link, which no export holds."""
    return [entry["title"] for entry in _own_notes() if entry.get("shared")]


def _entries(file: str, name: str) -> list[Entry]:
    entries: list[Entry] = tomllib.loads((TEXTS / f"{file}.toml").read_text(encoding="utf-8"))[name]
    return entries


def _own_notes() -> list[Entry]:
    return [*_entries("notes_ko", "notes"), *_entries("notes_en", "notes")]


def _note(entry: Entry, now: datetime) -> Item:
    written = _written(entry, now)
    return {
        "title": entry.get("title", ""),
        "content": entry["content"].strip(),
        "tags": [],  # the import finds them in the text
        "pinned": entry.get("pinned", False),
        "created_at": written,
        "updated_at": written,
        "archived_at": _ago(now, entry["archived"], EVENING) if "archived" in entry else None,
        "deleted_at": _ago(now, entry["deleted"], EVENING) if "deleted" in entry else None,
    }


def _todo(entry: Entry, now: datetime) -> Item:
    today = now.astimezone(ZoneInfo(ZONE)).date()
    return {
        "description": entry["description"],
        "completed": "done" in entry,
        "due_on": (today + timedelta(entry["due"])).isoformat() if "due" in entry else None,
        "created_at": _ago(now, entry["written"], MORNING),
        "completed_at": _ago(now, entry["done"], EVENING) if "done" in entry else None,
    }


def _word_count(entry: Entry, now: datetime) -> Item:
    """Count here, by what counts the pages that a worker fetches: nothing is fetched."""
    text = (TEXTS / "pages" / entry["file"]).read_text(encoding="utf-8")
    counted = _written(entry, now)
    return {
        "url": entry["url"],
        "final_url": entry["url"],
        "title": entry["title"],
        **columns_of(count(text)),
        "shared": entry["shared"],
        "created_at": counted,
        "finished_at": counted,
    }


def _written(entry: Entry, now: datetime) -> str:
    if "minutes" in entry:
        return (now - timedelta(minutes=entry["minutes"])).isoformat()
    return _ago(now, int(entry["days"]), time.fromisoformat(entry["time"]))


def _ago(now: datetime, days: int, at: time) -> str:
    """Return that time of a day so many days ago, but never later than now."""
    day = now.astimezone(ZoneInfo(ZONE)).date() - timedelta(days)
    return min(datetime.combine(day, at, ZoneInfo(ZONE)), now).isoformat()
