"""Helpers that fill an account with test data, export and import it, and read its rows."""

import io
import json
import zipfile
from datetime import date
from typing import Any

from PIL import Image
from sqlalchemy import DateTime, Integer, cast, func, select, update
from werkzeug.test import TestResponse

from app import FEATURES
from app.accounts.models import User
from app.extensions import db
from app.notes import service as notes
from app.notes.service import archive_note
from app.portability.contract import PortableTable
from app.todos import service as todos
from app.todos.models import Todo
from tests.visitor import Visitor

PORTABLES = [feature.portable for feature in FEATURES if feature.portable]
RECORDS = {f"records/{name}.jsonl": rows for feature in FEATURES for name, rows in feature.records.items()}
# Columns that may differ after an import. The order of todos is compared as the order of the list instead.
NOT_COMPARED = {"id", "public_id", "user_id", "version", "text_version", "changed", "changed_at", "position"}


def furnish(user: User, browser: Visitor) -> None:
    """Create 36 notes and 12 todos. The first note has a browser's CRLF line breaks."""
    browser.submit("/notes", title="줄바꿈", content="첫째 줄\r\n둘째 줄\r\n")
    texts = [
        ("반달", "달이 #반달 만큼 찼다 #책"),
        ("# Markdown *title*", "- [ ] one\n- [x] two\n\n```python\nprint('#no')\n``` #tag-1"),
        ("👨‍👩‍👧‍👦 emoji", "🌓" * 500),
        ("عنوان", "مرحبا \u200f#عربي\n\u202eabc\u202c"),
        ("", "no title\tbut a tab"),
        ("CON", "---\ntitle: not a head\n---"),
        ("../../etc/passwd", 'a/b\\c:d*e?f"g<h>i|j'),
        ("x" * 120, "한" * 20_000),
        ('quote " and \\ back', "</script><b>"),
    ]
    for number in range(35):
        title, content = texts[number % len(texts)]
        content = content if len(content) == 20_000 else f"{content}\n{number}"
        note_id = notes.create_note(user.id, title, content)
        if number % 7 == 0:
            notes.pin_note(user.id, note_id, pinned=True)
        if number % 5 == 0:
            notes.update_note(user.id, note_id, title, content + " #고침" if len(content) < 1990 else content, 1)
        if number % 7 == 0:
            archive_note(user.id, note_id, archived=True)
        if number % 9 == 0:
            notes.delete_note(user.id, note_id)
    for number in range(12):
        todo_id = todos.create_todo(user.id, f"할 일 {number} 🛒 <b>")
        if number % 3 == 0:
            todos.change_todo(user.id, todo_id, completed=True)
        place = {"position": number % 4 - 2, "due_on": date(2026, 2, 28) if number % 2 else None}
        db.session.execute(update(Todo).where(Todo.id == todo_id).values(place))
    date_apart(user)


def date_apart(user: User) -> None:
    """Date the user's rows back, so that no two have the same dates, and no two dates of a row are the same."""
    for table in (each.table for each in PORTABLES):
        dates = [column for column in table.c if isinstance(column.type, DateTime)]
        hours = cast(table.c.id % 20, Integer)
        earlier = {date: date - func.make_interval(0, 0, 0, days, hours) for days, date in enumerate(dates)}
        db.session.execute(update(table).where(table.c.user_id == user.id).values(earlier))
    db.session.commit()


def rows_of(user: User) -> dict[str, list[dict[str, Any]]]:
    """Return the user's rows of each table in order, without ids: {table: [{column: value}]}."""
    return {each.table.name: _in_order(user, each) for each in PORTABLES}


def _in_order(user: User, portable: PortableTable) -> list[dict[str, Any]]:
    columns = portable.table.c
    compared = [column for column in columns if column.name not in NOT_COMPARED]
    rows = select(*compared).where(columns.user_id == user.id).order_by(*(columns[name] for name in portable.order))
    return [dict(row) for row in db.session.execute(rows).mappings()]


def export(browser: Visitor) -> bytes:
    with browser.get("/mypage/export") as answer:
        assert answer.status_code == 200
        data: bytes = answer.data
        return data


def import_(browser: Visitor, *archives: bytes, **fields: str) -> TestResponse:
    files = [(io.BytesIO(data), "semicircle.zip") for data in archives]
    answer = browser.submit("/mypage/import", archive=files, **fields)
    answer.request.environ["wsgi.input"].close()  # a long body is a temporary file that nothing else closes
    return answer


def files_of(archive: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
        assert zip_file.testzip() is None
        return {name: zip_file.read(name).decode() for name in zip_file.namelist()}


def document_of(archive: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
        document: dict[str, Any] = json.loads(zip_file.read("semicircle.json"))
        return document


def packed(entries: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as zip_file:
        for name, content in entries.items():
            zip_file.writestr(name, content)
    return file.getvalue()


def with_photo(document: str, colour: str = "teal") -> bytes:
    webp = io.BytesIO()
    Image.new("RGB", (400, 400), colour).save(webp, "WEBP")
    return packed({"semicircle.json": document, "photo.webp": webp.getvalue()})
