"""The export: what the ZIP contains, how its files are named, and what is left out.

A round trip of export and import restores all data, also in a new account.
"""

import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from PIL import Image, ImageChops
from sqlalchemy import Select, delete, func, literal_column, select, update
from sqlalchemy.exc import DataError

from app import storage
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes import service as notes
from app.notes.models import Note
from app.notes.service import archive_note
from app.portability import service as portability
from app.portability.markdown import LONGEST_NAME, note_name, safe_name
from app.todos import service as todos
from tests.api.conftest import program_of
from tests.conftest import PASSWORD, browser_of
from tests.photos.photo_files import oriented_photo
from tests.portability.exports import (
    PORTABLES,
    RECORDS,
    document_of,
    export,
    files_of,
    furnish,
    import_,
    packed,
    rows_of,
)
from tests.queued import run_queued
from tests.samples import samples
from tests.visitor import Visitor


def note(**values: Any) -> dict[str, Any]:
    moment = datetime(2026, 3, 1, 20, tzinfo=UTC)
    given = {"title": "title", "content": "", "tags": [], "pinned": False, "archived_at": None, "deleted_at": None}
    return {**given, "created_at": moment, "updated_at": moment, **values}


def test_the_export_contains_notes_archive_trash_todos_and_the_json_document(signed_in: Visitor, alice: User) -> None:
    notes.create_note(alice.id, "이사 체크리스트", "냉장고 비우기 #집")
    written, edited = (datetime(2026, 3, day, 20, 5, tzinfo=UTC) for day in (1, 2))
    db.session.execute(update(Note).values(created_at=written, updated_at=edited))
    archive_note(alice.id, notes.create_note(alice.id, "put away", ""), archived=True)
    thrown_away = notes.create_note(alice.id, "thrown away", "")
    archive_note(alice.id, thrown_away, archived=True)
    notes.delete_note(alice.id, thrown_away)
    todos.create_todo(alice.id, "first")
    todos.change_todo(alice.id, todos.create_todo(alice.id, "second"), completed=True)
    for each in samples():
        each.own(alice)
    archive = export(signed_in)
    files = files_of(archive)
    day, name = datetime.now(UTC).date(), "notes/2026-03-01 이사 체크리스트.md"
    assert list(files) == [
        "README.txt",
        name,
        f"archive/{day} put away.md",
        f"trash/{day} thrown away.md",
        "todos.md",
        "semicircle.json",
        *RECORDS,
    ]
    assert files["todos.md"] == "- [x] second\n- [ ] first\n"
    head, body = files[name].removeprefix("---\n").split("\n---\n\n")
    dates = 'created: "2026-03-01T20:05:00Z"\nupdated: "2026-03-02T20:05:00Z"'
    assert head == f'title: "이사 체크리스트"\n{dates}\npinned: false\ntags: ["집"]'
    with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
        assert zip_file.getinfo(name).date_time == (2026, 3, 2, 20, 5, 0)
    assert body == "냉장고 비우기 #집\n"


@pytest.mark.parametrize(("zone", "day", "hour"), [("Pacific/Kiritimati", 2, 10), ("Pacific/Pago_Pago", 1, 9)])
def test_the_export_and_its_files_are_dated_where_the_reader_is_and_its_document_in_utc(
    signed_in: Visitor, alice: User, zone: str, day: int, hour: int
) -> None:
    notes.create_note(alice.id, "title", "")
    moment = datetime(2026, 3, 1, 20, 5, tzinfo=UTC)
    db.session.execute(update(Note).values(created_at=moment, updated_at=moment))
    accounts.change_settings(alice.id, language="en", time_zone=zone)
    disposition = signed_in.head("/mypage/export").headers["Content-Disposition"]
    there = datetime.now(ZoneInfo(zone)).date()  # in one of the two it is not the day of UTC
    assert disposition.endswith(f"-{there}.zip")
    program = program_of(signed_in.application, alice)
    for archive in (export(signed_in), program.get("/export").data):
        with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
            assert zip_file.getinfo(f"notes/2026-03-0{day} title.md").date_time == (2026, 3, day, hour, 5, 0)
            made = datetime(*zip_file.getinfo("README.txt").date_time, tzinfo=ZoneInfo(zone))
            assert abs(datetime.now(UTC) - made) < timedelta(minutes=1)
        [written] = document_of(archive)["notes"]
        assert written["created_at"] == written["updated_at"] == "2026-03-01T20:05:00Z"


def test_the_export_is_a_download_that_is_not_cached_and_a_head_has_its_headers_alone(signed_in: Visitor) -> None:
    disposition = r"attachment; filename=semicircle-\d{4}-\d\d-\d\d\.zip"
    for method in ("GET", "HEAD"):
        with signed_in.open("/mypage/export", method=method) as answer:
            assert (answer.status_code, answer.mimetype) == (200, "application/zip")
            assert bool(answer.data) == (method == "GET")
            assert re.fullmatch(disposition, answer.headers["Content-Disposition"])
            assert answer.headers["Cache-Control"] == "no-store"


def test_a_photo_that_is_missing_or_in_another_bucket_is_left_out(app: Flask, signed_in: Visitor, alice: User) -> None:
    for folder in (f"{app.config['S3_PUBLIC_URL']}/photos", "https://cdn.example.com"):
        alice.image_url = f"{folder}/{'0' * 32}.webp"
        db.session.commit()
        assert list(files_of(export(signed_in))) == ["README.txt", "semicircle.json", *RECORDS]


def test_the_export_costs_one_statement_per_list(
    app: Flask, signed_in: Visitor, alice: User, statements: list[str]
) -> None:
    for title in ("one", "two"):
        notes.create_note(alice.id, title, "")
        todos.create_todo(alice.id, title)
        for each in samples():
            each.own(alice)
    statements.clear()
    export(signed_in)
    # The session's, that of the rate limit, the event, the account, and the lists'.
    assert len(statements) == 1 + 1 + 1 + 1 + len(app.extensions["portables"]) + len(RECORDS)


def test_an_export_is_503_with_retry_after_while_another_one_runs_and_not_when_its_reader_is_gone(
    signed_in: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portability, "BUSY_SECONDS", 0.01)
    with portability.WORKING:
        answer = signed_in.get("/mypage/export")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert export(signed_in).startswith(b"PK")
    signed_in.get("/mypage/export").close()  # whose reader is gone
    assert export(signed_in).startswith(b"PK")


def test_the_first_bytes_come_before_any_row_is_read(signed_in: Visitor, alice: User, statements: list[str]) -> None:
    """A router gives up where no byte comes, and how long the rows take nobody knows."""
    notes.create_note(alice.id, "title", "")
    with signed_in.get("/mypage/export") as answer:
        parts = iter(answer.iter_encoded())
        assert next(parts).startswith(b"PK")
        assert not [statement for statement in statements if statement.startswith("SELECT notes.")]
        assert b"title" in b"".join(parts)
        assert [statement for statement in statements if statement.startswith("SELECT notes.")]


def test_an_export_that_fails_on_the_way_is_no_zip_and_the_next_one_begins(
    app: Flask, signed_in: Visitor, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portability, "BUSY_SECONDS", 0.01)
    notes.create_note(alice.id, "title", "")
    failing: Select[Any] = select(literal_column("1 / (9 - n)")).select_from(func.generate_series(1, 9).alias("n"))
    records = app.extensions["records"]
    monkeypatch.setitem(app.extensions, "records", {**records, "failing": failing.execution_options(yield_per=1)})
    received = b""
    with signed_in.get("/mypage/export") as answer, pytest.raises(DataError):  # noqa: PT012 - part by part
        for part in answer.iter_encoded():
            received += part
    assert received.startswith(b"PK")
    assert not zipfile.is_zipfile(io.BytesIO(received))
    monkeypatch.setitem(app.extensions, "records", records)
    assert document_of(export(signed_in))["notes"]


def test_every_text_makes_a_name_that_every_system_accepts() -> None:
    names = {
        "plain": "plain",
        "../../etc/passwd": "etc passwd",
        'a/b\\c:d*e?f"g<h>i|j': "a b c d e f g h i j",
        "  .hidden.  ": "hidden",
        "a\tb\nc\u2028d": "a b c d",
        "CON": "CON -",
        "lpt1.txt": "lpt1.txt -",
        "invoice\u202efdp.exe": "invoicefdp.exe",
        "\u1103\u1161\u11af": "달",
        "👨\u200d👩\u200d👧": "👨\u200d👩\u200d👧",
        "...": "",
        "한" * 50: "한" * (LONGEST_NAME // 3),
    }
    assert {text: safe_name(text) for text in names} == names


def test_file_names_are_unique_without_regard_to_case() -> None:
    taken: dict[str, int] = {}
    titles = ["a", "A", "a", "a (2)", "a.", "", "", "b"]
    names = [note_name(note(title=title), ZoneInfo("Asia/Seoul"), taken) for title in titles]
    assert len({name.casefold() for name in names}) == len(titles)
    assert names[:3] == ["notes/2026-03-02 a.md", "notes/2026-03-02 A (2).md", "notes/2026-03-02 a (3).md"]
    assert names[5] == "notes/2026-03-02.md"
    untitled = note(title="", content="\n\n첫 줄\n둘째 줄")
    assert note_name(untitled, ZoneInfo("UTC"), {}) == "notes/2026-03-01 첫 줄.md"


def image_of(app: Flask, user_id: int) -> Image.Image | None:
    url = db.session.scalar(select(User.image_url).where(User.id == user_id))
    with app.test_request_context():
        data = storage.get(storage.key_of(url) or "") if url else None
    return Image.open(BytesIO(data)) if data else None


@pytest.mark.usefixtures("objects")
def test_an_import_after_deleting_the_account_restores_everything_and_is_idempotent(
    app: Flask, signed_in: Visitor, alice: User
) -> None:
    furnish(alice, signed_in)
    signed_in.submit("/mypage/photo", photo=[(BytesIO(oriented_photo(1)), "me.jpg")])
    before, image = rows_of(alice), image_of(app, alice.id)
    archive = export(signed_in)
    assert signed_in.submit("/mypage/delete", password=PASSWORD).status_code == 302
    run_queued(app)

    again = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    assert rows_of(again) == {name: [] for name in before}
    browser = browser_of(app, again)
    assert import_(browser, archive).location == "/mypage"
    assert rows_of(again) == before
    assert (len(before["notes"]), len(before["todos"])) == (36, 12)
    shown = image_of(app, again.id)
    assert image is not None
    assert shown is not None
    difference = ImageChops.difference(shown.convert("RGB"), image.convert("RGB"))
    assert max(difference.convert("L").tobytes()) < 64  # lossy WebP, encoded twice

    url = db.session.scalar(select(User.image_url).where(User.id == again.id))
    assert import_(browser, archive).status_code == 302
    assert "You already have everything" in browser.get("/mypage").text
    assert rows_of(again) == before
    assert db.session.scalar(select(User.image_url).where(User.id == again.id)) == url

    own = dict.fromkeys(("id", "position", "version", "changed_at", "shared_at"))  # of each account
    first, second = (document_of(each) for each in (archive, export(browser)))
    for name in (each.name for each in PORTABLES):
        assert [{**item, **own} for item in second[name]] == [{**item, **own} for item in first[name]]


def test_an_import_into_another_account_keeps_its_rows(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    signed_in.submit("/notes", title="hers", content="")
    signed_in.submit("/todos", description="hers")
    mine = rows_of(alice)
    browser = browser_of(app, bob)
    browser.submit("/notes", title="bob's own", content="")
    browser.submit("/todos", description="bob's own")
    assert import_(browser, export(signed_in)).status_code == 302
    page = browser.get("/mypage").text
    assert "1 note, 1 todo" in page
    assert "already" not in page
    now = rows_of(bob)
    assert [note for note in now["notes"] if note["title"] != "bob's own"] == mine["notes"]
    assert [todo for todo in now["todos"] if todo["description"] != "bob's own"] == mine["todos"]
    assert (len(now["notes"]), len(now["todos"])) == (2, 2)
    assert rows_of(alice) == mine


def test_a_note_changed_since_the_export_is_imported_next_to_the_newer_version(signed_in: Visitor, alice: User) -> None:
    signed_in.submit("/notes", title="older", content="")
    signed_in.submit("/notes", title="stays", content="")
    signed_in.submit("/todos", description="stays")
    archive = export(signed_in)
    signed_in.submit(f"/notes/{db.session.scalar(select(Note.id).where(Note.title == 'older'))}",
                     title="newer", content="", version="1")  # fmt: skip
    assert import_(signed_in, archive).status_code == 302
    assert "2 skipped, since you already have them." in signed_in.get("/mypage").text
    assert [note["title"] for note in rows_of(alice)["notes"]] == ["newer", "stays", "older"]


def test_identical_todos_are_imported_as_often_as_they_were_exported(app: Flask, signed_in: Visitor, bob: User) -> None:
    for _ in range(2):
        signed_in.submit("/todos", description="buy milk")  # same timestamp, because the test is one transaction
    archive = export(signed_in)
    browser = browser_of(app, bob)
    for _ in range(2):
        assert import_(browser, archive).status_code == 302
    assert len(rows_of(bob)["todos"]) == 2


def test_an_archive_that_was_unpacked_and_zipped_again_as_a_folder_is_imported(signed_in: Visitor, alice: User) -> None:
    signed_in.submit("/notes", title="one", content="")
    archive = in_a_folder(export(signed_in))
    db.session.execute(delete(Note))
    assert import_(signed_in, archive).status_code == 302
    assert [note["title"] for note in rows_of(alice)["notes"]] == ["one"]


def in_a_folder(archive: bytes) -> bytes:
    """Zip the folder again as macOS does, which unpacks downloads automatically."""
    with zipfile.ZipFile(BytesIO(archive)) as zip_file:
        entries = {f"semicircle-2026-11-21/{name}": zip_file.read(name) for name in zip_file.namelist()}
    return packed({**entries, "__MACOSX/semicircle-2026-11-21/._semicircle.json": b"\0\5"})
