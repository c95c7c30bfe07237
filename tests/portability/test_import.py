"""Access control of the import, and how it treats the photo."""

import io
from contextlib import nullcontext

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import delete, select

from app.accounts.models import User
from app.extensions import db
from app.notes import service as notes
from app.photos import decoding, service
from app.photos.decoding import decoder
from app.portability import archive
from app.portability import service as portability
from app.todos import service as todos
from app.wordcounts import service as wordcounts
from tests.bucket import object_keys
from tests.database import row_counts
from tests.portability import hostile_archives as sound
from tests.portability.exports import import_, packed
from tests.queued import queued, run_queued
from tests.visitor import Visitor


def archive_with_photo(colour: str = "teal") -> bytes:
    webp = io.BytesIO()
    Image.new("RGB", (400, 400), colour).save(webp, "WEBP")
    return packed({"semicircle.json": sound.document(), "photo.webp": webp.getvalue()})


def image_url_of(user: User) -> str | None:
    return db.session.scalar(select(User.image_url).where(User.id == user.id))


def test_an_import_into_a_deleted_account_stores_nothing(app: Flask, alice: User, signed_in: Visitor) -> None:
    token = signed_in.csrf_token()
    db.session.execute(delete(User).where(User.id == alice.id))
    db.session.commit()
    before = row_counts()
    file = (io.BytesIO(sound.zipped(sound.document())), "semicircle.zip")
    answer = signed_in.post("/mypage/import", data={"csrf_token": token, "archive": file})
    assert answer.location == "/sign-in"
    assert row_counts() == before


def test_the_photo_is_imported_into_an_account_without_one(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str]
) -> None:
    assert import_(signed_in, archive_with_photo()).status_code == 302
    assert "Your photo was imported too." in signed_in.get("/mypage").text
    [key] = object_keys(app) - objects
    assert image_url_of(alice) == f"{app.config['S3_PUBLIC_URL']}/{key}"


def test_an_existing_photo_is_kept_by_default(app: Flask, signed_in: Visitor, alice: User, objects: set[str]) -> None:
    import_(signed_in, archive_with_photo())
    url, keys, jobs = image_url_of(alice), object_keys(app), queued()
    assert import_(signed_in, archive_with_photo("tomato")).status_code == 302
    assert "You already have everything in this ZIP" in signed_in.get("/mypage").text
    assert image_url_of(alice) == url
    assert object_keys(app) == keys
    assert queued() == jobs


def test_an_existing_photo_is_replaced_on_request(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str]
) -> None:
    import_(signed_in, archive_with_photo())
    old = image_url_of(alice)
    assert import_(signed_in, archive_with_photo("tomato"), replace_photo="y").status_code == 302
    assert image_url_of(alice) != old
    run_queued(app)
    assert len(object_keys(app) - objects) == 1


@pytest.mark.parametrize("busy", ["the decoder", "another import"])
def test_an_import_without_time_for_its_photo_is_503_and_stores_nothing(
    app: Flask, signed_in: Visitor, objects: set[str], monkeypatch: pytest.MonkeyPatch, busy: str
) -> None:
    """Its deadline begins before it waits for another import."""
    if busy == "another import":
        monkeypatch.setattr(service, "UPLOAD_SECONDS", 0.0)
    monkeypatch.setattr(decoding, "BUSY_SECONDS", 0.01)
    before = row_counts()
    with decoder(0) if busy == "the decoder" else nullcontext():
        assert import_(signed_in, archive_with_photo()).status_code == 503
    assert row_counts() == before
    assert object_keys(app) == objects


def test_as_many_notes_as_may_be_are_taken(signed_in: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more: `hostile_archives.py` has one note too many."""
    monkeypatch.setattr(portability, "MAX_ITEMS", 600)
    assert import_(signed_in, sound.zipped(sound.document(notes=[sound.NOTE] * 600))).status_code == 302


def test_an_import_may_have_what_the_quotas_allow() -> None:
    assert max(portable.QUOTA.most for portable in (notes, todos, wordcounts)) <= portability.MAX_ITEMS
    assert notes.QUOTA.most + len(("README.txt", "todos.md", "semicircle.json", "photo.webp")) < archive.MAX_ENTRIES
