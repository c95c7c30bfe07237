"""Arrange and read lists of notes."""

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert

from app.accounts.models import User
from app.extensions import db
from app.notes import listing
from app.notes.models import Note


def titles_of_all_pages(user_id: int) -> list[str]:
    titles: list[str] = []
    page = listing.list_notes(user_id)
    while page.older:
        titles += [note.title for note in page.notes]
        page = listing.list_notes(user_id, page.older)
    return titles + [note.title for note in page.notes]


def create(user: User, count: int, tag: str = "") -> list[int]:
    """Create notes named by their number, every second one with the tag, and return their ids, the newest last."""
    tagged = {True: {"content": f"#{tag}", "tags": [tag]}, False: {"content": "", "tags": []}}
    rows = [{"user_id": user.id, "title": f"note {n}", **tagged[bool(tag and n % 2)]} for n in range(count)]
    ids = [*db.session.scalars(insert(Note).returning(Note.id, sort_by_parameter_order=True), rows)]
    db.session.commit()
    return ids


def older_of(page: str) -> str:
    [link] = re.findall(r'href="(/notes\?before=[^"]+)" rel="next"', page)
    return str(link)


def write_at(user: User, *moments: str, pinned: Sequence[str] = ()) -> None:
    """Create a note of each moment, which is its title too."""
    rows = [
        {"user_id": user.id, "title": moment, "content": "", "pinned": moment in pinned,
         "created_at": datetime.fromisoformat(moment)} for moment in (*moments, *pinned)
    ]  # fmt: skip
    db.session.execute(insert(Note), rows)
    db.session.commit()


def headings(page: str) -> list[str]:
    found = re.findall(r'<section class="day">\s*<h2(?: class="continued")?>(.*?)</h2>', page)
    return [re.sub("<[^>]*>", "", heading) for heading in found]
