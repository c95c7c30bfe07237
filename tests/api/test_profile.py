"""The profile, the photo and the export by the API."""

import io
import json
import zipfile

from flask import Flask
from PIL import Image
from sqlalchemy import select

from app.accounts.models import AccountEvent, User
from app.extensions import db
from app.web.request_size import TEXT_BODY_LIMIT
from tests.api.program import Program, pointers, program_of
from tests.database import row_counts
from tests.photos.photo_files import red_jpeg, saved


def test_the_profile_is_read_and_changed_field_by_field(program: Program, alice: User) -> None:
    before = program.get("/profile").json
    assert (before["email"], before["nickname"], before["photo_url"]) == ("alice@example.com", "alice", None)
    assert program.patch("/profile", {"nickname": " Half Moon "}).json == {**before, "nickname": "Half Moon"}
    changed = program.patch("/profile", {"language": "ko", "time_zone": "Asia/Seoul"}).json
    assert program.patch("/profile", {"time_zone": None}).json == {**changed, "time_zone": None}
    assert program.patch("/profile", {"time_zone": "Asia/Calcutta"}).json == {**changed, "time_zone": "Asia/Kolkata"}
    assert program.patch("/profile", {"time_zone": None}).json == {**changed, "time_zone": None}
    assert program.patch("/profile", {}).json == program.get("/profile").json == {**changed, "time_zone": None}


def test_what_is_wrong_is_named_and_nothing_is_changed(program: Program, bob: User) -> None:
    before = program.get("/profile").json
    for body, pointer in (
        ({"nickname": ""}, "#/nickname"),
        ({"language": "fr"}, "#/language"),
        ({"nickname": "new", "time_zone": "Mars/Olympus"}, "#/time_zone"),
        ({"nickname": "bob", "time_zone": "Asia/Seoul"}, "#/nickname"),
        ({"email": "other@example.com"}, "#/email"),
    ):
        answer = program.patch("/profile", body)
        assert (answer.status_code, {*pointers(answer)}) == (422, {pointer}), body
    assert program.get("/profile").json == before


def test_a_photo_longer_than_a_form_may_be_is_put_and_deleted(program: Program, objects: set[str]) -> None:
    long = saved(Image.effect_noise((400, 400), 100), "PNG")
    assert len(long) > TEXT_BODY_LIMIT
    for photo, kind in ((red_jpeg(), "application/octet-stream"), (long, "image/png")):
        assert program.put("/profile/photo", photo, Content_Type=kind).status_code == 204
        assert program.get("/profile").json["photo_url"].endswith(".webp")
    assert program.delete("/profile/photo").status_code == 204
    assert program.get("/profile").json["photo_url"] is None


def test_what_is_no_photo_is_refused(program: Program, objects: set[str]) -> None:
    for sent in (b"", b"no photo"):
        for kind, status in (("image/png", 422), ("application/octet-stream", 422), ("application/zip", 415)):
            assert program.put("/profile/photo", sent, Content_Type=kind).status_code == status
    assert program.get("/profile").json["photo_url"] is None


def test_a_photo_that_is_too_large_or_of_a_stranger_is_413_before_it_is_read(app: Flask, program: Program) -> None:
    assert program.put("/profile/photo", b"x" * (7 * 2**20), Content_Type="image/png").status_code == 413
    assert Program(app, None).put("/profile/photo", b"x" * (2**20), Content_Type="image/png").status_code == 401


def test_the_export_needs_a_scope_of_its_own_or_read(app: Flask, alice: User) -> None:
    assert program_of(app, alice, "notes:read", "profile:read", "write").get("/export").status_code == 403
    assert db.session.scalars(select(AccountEvent.kind)).all() == ["access_token_made"]


def test_the_export_is_that_of_my_page(app: Flask, program: Program, alice: User) -> None:
    program.post("/notes", {"title": "mine"})
    before = row_counts()
    answer = program_of(app, alice, "export:read").get("/export")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    exported = json.loads(zipfile.ZipFile(io.BytesIO(answer.data)).read("semicircle.json"))
    assert [note["title"] for note in exported["notes"]] == ["mine"]
    assert row_counts() == {**before, "access_tokens": before["access_tokens"] + 1}
    assert "exported" in db.session.scalars(select(AccountEvent.kind)).all()
