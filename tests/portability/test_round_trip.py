"""A round trip of export and import restores all data, also in a new account."""

import zipfile
from io import BytesIO

import pytest
from flask import Flask
from PIL import Image, ImageChops
from sqlalchemy import delete, select

from app import storage
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes.models import Note
from tests.conftest import PASSWORD, browser_of
from tests.photos.photo_files import oriented_photo
from tests.portability.exports import document_of, export, furnish, import_, packed, rows_of
from tests.queued import run_queued
from tests.visitor import Visitor


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

    second = document_of(export(browser))
    first = document_of(archive)
    assert {**second, "exported_at": ""} == {**first, "exported_at": ""}


def test_an_import_into_another_account_keeps_its_existing_rows(
    app: Flask, signed_in: Visitor, alice: User, bob: User
) -> None:
    signed_in.submit("/notes", title="hers", content="")
    signed_in.submit("/todos", description="hers")
    mine = rows_of(alice)
    browser = browser_of(app, bob)
    browser.submit("/notes", title="bob's own", content="")
    browser.submit("/todos", description="bob's own")
    assert import_(browser, export(signed_in)).status_code == 302
    page = browser.get("/mypage").text
    assert "notes 1, todos 1" in page
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
    assert "you already have them: 2." in signed_in.get("/mypage").text
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
