"""The demo account: a year of notes, todos and the like, for review apps, newcomers and screenshots (seed data).

The texts and the photo are data, in texts/ and the demo.json of other features, and dated back from one moment. They
come in as an export does (app/portability), which alone stores rows of the past, in one transaction; the link of a note
and the photo afterwards.
"""

import io
import json
import tomllib
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from operator import itemgetter
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes.models import Note
from app.notes.sharing import share_note
from app.portability import archive
from app.portability.contract import Item, PortableTable
from app.portability.service import Progress, import_archive

EMAIL = "haneul@example.com"  # RFC 2606: no letter arrives there
NICKNAME = "하늘반달"
TEXTS = Path(__file__).parent / "texts"
FEATURES = Path(__file__).parents[1]
ZONE = "Asia/Seoul"  # where the owner of the account lives
MORNING, EVENING = time(9), time(18, 30)  # when todos are written, and ticked


def create(password: str, portables: Sequence[PortableTable]) -> User:
    """Make the account with all that it has. Its address is confirmed; its password was checked.

    Raises: EmailTaken: it is there already. NicknameTaken: somebody else has that name. Nothing was stored.
    """
    user = accounts.add_user(EMAIL, NICKNAME, password, confirmed=True)
    now: datetime = db.session.execute(select(func.now())).scalar_one()
    parts = lists(now, [portable.name for portable in portables])
    user.time_zone = ZONE
    user.created_at = datetime.fromisoformat(parts["notes"][0]["created_at"])
    import_archive(user, _export(parts, now), portables, Progress(), replace_photo=False)  # commits the account too
    titles = [entry["title"] for entry in _own_notes() if entry.get("shared")]  # which no export tells
    shared = select(Note.id).where(Note.user_id == user.id, Note.title.in_(titles))
    for note_id in db.session.scalars(shared).all():
        share_note(user.id, note_id)
    return user


def _export(parts: dict[str, list[Item]], now: datetime) -> IO[bytes]:
    """Pack the parts as the ZIP of an export."""
    head = {"format": archive.FORMAT, "version": archive.VERSION, "exported_at": now.isoformat(), "account": {}}
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as packed:
        packed.writestr(archive.DOCUMENT, json.dumps({**head, **parts}, ensure_ascii=False))
    return file


def lists(now: datetime, names: Iterable[str]) -> dict[str, list[Item]]:
    """Return the rows by name of the feature, in the order of an export: each later one stands higher, or is newer.

    Args:
        names: of the lists that an export has.
    """
    diary = (TEXTS / "diary.txt").read_text(encoding="utf-8").splitlines()[1:]
    lines = [dict(zip(("days", "time", "content"), line.split(" ", 2), strict=True)) for line in diary]
    notes = [_note(entry, now) for entry in (*_own_notes(), *lines)]
    others = {name: path for name in names if (path := FEATURES / name / "demo.json").exists()}
    return {
        "notes": sorted(notes, key=itemgetter("created_at")),
        "todos": [_todo(entry, now) for entry in reversed(_entries("todos", "todos"))],
        **{name: [_finished(entry, now) for entry in json.loads(path.read_text())] for name, path in others.items()},
    }


def _entries(file: str, name: str) -> list[Item]:
    entries: list[Item] = tomllib.loads((TEXTS / f"{file}.toml").read_text(encoding="utf-8"))[name]
    return entries


def _own_notes() -> list[Item]:
    return [*_entries("notes_ko", "notes"), *_entries("notes_en", "notes")]


def _note(entry: Item, now: datetime) -> Item:
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


def _todo(entry: Item, now: datetime) -> Item:
    today = now.astimezone(ZoneInfo(ZONE)).date()
    return {
        "description": entry["description"],
        "completed": "done" in entry,
        "due_on": (today + timedelta(entry["due"])).isoformat() if "due" in entry else None,
        "created_at": _ago(now, entry["written"], MORNING),
        "completed_at": _ago(now, entry["done"], EVENING) if "done" in entry else None,
    }


def _finished(entry: Item, now: datetime) -> Item:
    """Date an item of an export, which says `days` and `time` instead."""
    item = {name: value for name, value in entry.items() if name not in ("days", "time")}
    return {**item, "created_at": _written(entry, now), "finished_at": _written(entry, now)}


def _written(entry: Item, now: datetime) -> str:
    if "minutes" in entry:
        return (now - timedelta(minutes=entry["minutes"])).isoformat()
    return _ago(now, int(entry["days"]), time.fromisoformat(entry["time"]))


def _ago(now: datetime, days: int, at: time) -> str:
    """Return that time of a day so many days ago, but never later than now."""
    day = now.astimezone(ZoneInfo(ZONE)).date() - timedelta(days)
    return min(datetime.combine(day, at, ZoneInfo(ZONE)), now).isoformat()
