"""Uploading, replacing and removing the photo: the object, the row, the old object; crop and deadline."""

import re
import socket
import time
from io import BytesIO

import pytest
import urllib3
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import storage
from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db
from app.limits import rate_limits
from app.photos import decoding, service
from app.photos.decoding import Crop, decoder, square_webp
from app.storage import StorageUnavailable
from tests.accounts.conftest import use_up
from tests.bucket import object_keys
from tests.conftest import browser_of
from tests.photos.photo_files import oriented_photo
from tests.queued import queued, run_queued
from tests.visitor import Visitor


def upload(browser: Visitor, *files: bytes, name: str = "me.jpg") -> TestResponse:
    return browser.submit("/mypage/photo", photo=[(BytesIO(data), name) for data in files])


def image_url_of(user: User) -> str | None:
    return db.session.scalar(select(User.image_url).where(User.id == user.id))


def status_of(url: str | None) -> int:
    assert url is not None
    return urllib3.request("GET", url, retries=False).status


def test_an_uploaded_photo_is_stored_and_shown_by_a_key_that_reveals_neither_the_user_nor_the_file_name(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str]
) -> None:
    assert upload(signed_in, oriented_photo(1), name="../../alice.php").location == "/mypage"
    url = image_url_of(alice)
    assert status_of(url) == 200
    assert f'src="{url}"' in signed_in.get("/mypage").text
    [key] = object_keys(app) - objects
    assert url == f"{app.config['S3_PUBLIC_URL']}/{key}"
    assert re.fullmatch(r"photos/[0-9a-f]{32}\.webp", key.removeprefix(app.config["S3_PREFIX"]))


def test_a_new_photo_replaces_the_old_one(app: Flask, signed_in: Visitor, alice: User, objects: set[str]) -> None:
    upload(signed_in, oriented_photo(1))
    old = image_url_of(alice)
    upload(signed_in, oriented_photo(3))
    assert image_url_of(alice) != old
    assert status_of(old) == 200  # until the worker deletes it
    run_queued(app)
    assert status_of(old) == 404
    assert len(object_keys(app) - objects) == 1
    assert signed_in.submit("/mypage/photo/delete").location == "/mypage"
    assert image_url_of(alice) is None
    run_queued(app)
    assert object_keys(app) == objects


def test_an_upload_without_exactly_one_file_is_refused(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str]
) -> None:
    for answer in (upload(signed_in), upload(signed_in, *[oriented_photo(1)] * 2)):
        assert answer.status_code == 422
        assert "Choose one photo." in answer.text
    assert signed_in.submit("/mypage/photo", photo="text, not a file").status_code == 422
    assert image_url_of(alice) is None
    assert object_keys(app) == objects


def test_a_refused_photo_keeps_the_old_one(app: Flask, signed_in: Visitor, alice: User, objects: set[str]) -> None:
    upload(signed_in, oriented_photo(1))
    url, keys = image_url_of(alice), object_keys(app)
    assert upload(signed_in, b"not an image").status_code == 422
    assert image_url_of(alice) == url
    assert object_keys(app) == keys


def bucket_at(app: Flask, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    bucket = app.extensions["bucket"]
    monkeypatch.setattr(bucket, "_client", None)
    monkeypatch.setitem(bucket._config, "S3_ENDPOINT_URL", f"http://127.0.0.1:{port}")


@pytest.fixture
def bucket_away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket_at(app, monkeypatch, 1)


def test_an_upload_is_503_and_changes_no_row_when_the_bucket_is_unavailable(
    signed_in: Visitor, alice: User, bucket_away: None
) -> None:
    answer = upload(signed_in, oriented_photo(1))
    assert (answer.status_code, answer.headers["Retry-After"], image_url_of(alice)) == (503, "5", None)
    assert signed_in.get("/mypage").status_code == 200


def test_a_photo_and_an_account_can_be_deleted_without_the_bucket(app: Flask, alice: User, bucket_away: None) -> None:
    alice.image_url = f"{app.config['S3_PUBLIC_URL']}/photos/{'0' * 32}.webp"
    db.session.commit()
    browser = browser_of(app, alice)
    assert browser.submit("/mypage/photo/delete").status_code == 302
    assert image_url_of(alice) is None
    assert browser.submit("/mypage/delete", password="a long enough sentence").status_code == 302
    with pytest.raises(StorageUnavailable):  # the worker retries later
        run_queued(app)


def test_a_photo_for_a_deleted_account_leaves_no_object(app: Flask, alice: User, objects: set[str]) -> None:
    db.session.delete(alice)
    db.session.commit()
    with app.app_context(), pytest.raises(AccountGone):
        service.put_photo(alice.id, oriented_photo(1))
    run_queued(app)
    assert object_keys(app) == objects


def test_removing_no_photo_or_one_in_another_bucket_deletes_no_object(signed_in: Visitor, alice: User) -> None:
    for url in (None, "https://moved.example.com/photos/x.webp"):
        alice.image_url = url
        db.session.commit()
        assert signed_in.submit("/mypage/photo/delete").status_code == 302
        assert image_url_of(alice) is None
    assert queued() == []


def test_the_bucket_is_waited_for_as_long_as_an_upload_has_left(
    app: Flask, signed_in: Visitor, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "LEAST_SECONDS", 1.1)
    monkeypatch.setattr(service, "UPLOAD_SECONDS", 1.6)  # 0.3 for each of two attempts, and the pause
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bucket_at(app, monkeypatch, silent.getsockname()[1])
        started = time.monotonic()
        assert upload(signed_in, oriented_photo(1)).status_code == 503
    assert 0.4 < time.monotonic() - started < 4
    assert image_url_of(alice) is None


def test_an_upload_without_time_for_the_bucket_is_503_and_leaves_nothing(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BUSY_SECONDS", 0.01)
    with decoder(0):
        busy = upload(signed_in, oriented_photo(1))
    monkeypatch.setattr(service, "UPLOAD_SECONDS", storage.LEAST_SECONDS)
    for answer in (busy, upload(signed_in, oriented_photo(1))):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert queued() == []
    assert image_url_of(alice) is None
    assert object_keys(app) == objects


# With a crop: the three numbers are all given or none. JavaScript asks for JSON.
CROP_SENTENCE = "The square is outside the photo"


def send(browser: Visitor, data: bytes, accept: str = "text/html", **fields: str) -> TestResponse:
    form = {"csrf_token": browser.csrf_token(), "photo": (BytesIO(data), "me.jpg"), **fields}
    return browser.post("/mypage/photo", data=form, headers={"Accept": accept})


def crop_fields(x: object, y: object, size: object) -> dict[str, str]:
    return {"crop_x": str(x), "crop_y": str(y), "crop_size": str(size)}


@pytest.mark.usefixtures("objects")
def test_the_chosen_crop_is_stored(signed_in: Visitor, alice: User) -> None:
    assert send(signed_in, oriented_photo(6), **crop_fields(20, 350, 200)).location == "/mypage"
    url = image_url_of(alice)
    assert url
    assert urllib3.request("GET", url, retries=False).data == square_webp(oriented_photo(6), Crop(20, 350, 200))


def test_a_wrong_crop_is_refused_and_not_stored(app: Flask, signed_in: Visitor, alice: User, objects: set[str]) -> None:
    wrong = [(0, 0, 481), (-1, 0, 100), (0, "1.5", 100), (" 1", 0, 100), ("٣", 0, 100), (0, 0, "9" * 5000), (0, 0, "")]
    for fields in (*(crop_fields(*numbers) for numbers in wrong), {"crop_x": "0"}):
        answer = send(signed_in, oriented_photo(1), **fields)
        assert (answer.status_code, CROP_SENTENCE in answer.text) == (422, True), fields
    assert image_url_of(alice) is None
    assert object_keys(app) == objects


def test_a_script_is_told_as_data_that_there_were_too_many_photos(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str]
) -> None:
    use_up(app, rate_limits.PHOTOS, alice.id)
    for accept, mimetype in (("application/json", "application/problem+json"), ("text/html", "text/html")):
        answer = send(signed_in, oriented_photo(1), accept)
        assert (answer.status_code, answer.mimetype, answer.headers["Retry-After"]) == (429, mimetype, "180")
    assert (image_url_of(alice), object_keys(app)) == (None, objects)


@pytest.mark.usefixtures("objects")
def test_a_json_response_explains_the_refusal_or_gives_the_location(signed_in: Visitor, alice: User) -> None:
    not_an_image = "That file isn't a JPEG, PNG, GIF or WebP photo. Choose another one."
    for data, sentence in (
        (b"not an image", not_an_image),
        (b"", "Choose a photo."),
        (oriented_photo(1), CROP_SENTENCE),
    ):
        answer = send(signed_in, data, "application/json", **crop_fields(0, 0, 1))
        assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
        assert (answer.json or {})["detail"].startswith(sentence)
    assert image_url_of(alice) is None
    answer = send(signed_in, oriented_photo(1), "application/json", **crop_fields("", "", ""))  # no square was placed
    assert (answer.status_code, answer.json) == (200, {"location": "/mypage"})
    assert image_url_of(alice)
    assert "Your photo was changed." in signed_in.get("/mypage").text
