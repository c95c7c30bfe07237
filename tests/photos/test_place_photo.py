"""Uploading a photo with a crop: the three numbers are all given or none, and JSON responses are supported."""

import io
from io import BytesIO

import pytest
import urllib3
from flask import Flask
from PIL import Image
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.accounts.models import User
from app.extensions import db
from app.photos.decoding import Crop, square_webp
from tests.bucket import object_keys
from tests.photos.photo_files import oriented_photo
from tests.visitor import Visitor

pytestmark = pytest.mark.usefixtures("objects")

SENTENCE = "The square is outside the photo"


def send(browser: Visitor, data: bytes, accept: str = "text/html", **fields: str) -> TestResponse:
    form = {"csrf_token": browser.csrf_token(), "photo": (BytesIO(data), "me.jpg"), **fields}
    return browser.post("/mypage/photo", data=form, headers={"Accept": accept})


def image_url_of(user: User) -> str | None:
    return db.session.scalar(select(User.image_url).where(User.id == user.id))


def crop_fields(x: object, y: object, size: object) -> dict[str, str]:
    return {"crop_x": str(x), "crop_y": str(y), "crop_size": str(size)}


def test_the_chosen_crop_is_stored(signed_in: Visitor, alice: User) -> None:
    assert send(signed_in, oriented_photo(6), **crop_fields(20, 350, 200)).location == "/mypage"
    url = image_url_of(alice)
    assert url
    stored = urllib3.request("GET", url, retries=False).data
    assert stored == square_webp(oriented_photo(6), Crop(20, 350, 200))
    assert Image.open(io.BytesIO(stored)).size == (400, 400)


def test_empty_crop_fields_mean_no_crop(signed_in: Visitor, alice: User) -> None:
    assert send(signed_in, oriented_photo(1), **crop_fields("", "", "")).status_code == 302
    assert image_url_of(alice)


@pytest.mark.parametrize(
    "fields",
    [
        crop_fields(0, 0, 481),
        crop_fields(-1, 0, 100),
        crop_fields(0, "1.5", 100),
        crop_fields(" 1", 0, 100),
        crop_fields("٣", 0, 100),
        crop_fields(0, 0, "9" * 5000),
        crop_fields(0, 0, ""),
        {"crop_x": "0"},
    ],
    ids=str,
)
def test_an_invalid_crop_is_refused_and_stores_nothing(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str], fields: dict[str, str]
) -> None:
    answer = send(signed_in, oriented_photo(1), **fields)
    assert answer.status_code == 422
    assert SENTENCE in answer.text
    assert image_url_of(alice) is None
    assert object_keys(app) == objects


def test_a_json_response_gives_the_location(signed_in: Visitor, alice: User) -> None:
    answer = send(signed_in, oriented_photo(1), "application/json", **crop_fields(0, 0, 100))
    assert (answer.status_code, answer.json) == (200, {"location": "/mypage"})
    assert image_url_of(alice)
    assert "Your photo was changed." in signed_in.get("/mypage").text


@pytest.mark.parametrize(
    ("data", "fields", "sentence"),
    [
        (b"not an image", {}, "That file isn't a JPEG, PNG, GIF or WebP photo. Choose another one."),
        (oriented_photo(1), crop_fields(0, 0, 1), SENTENCE),
        (b"", {}, "Choose a photo."),
    ],
)
def test_a_json_response_explains_the_refusal(
    signed_in: Visitor, alice: User, data: bytes, fields: dict[str, str], sentence: str
) -> None:
    answer = send(signed_in, data, "application/json", **fields)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert (answer.json or {})["detail"].startswith(sentence)
    assert image_url_of(alice) is None


def test_a_json_request_without_a_csrf_token_gets_a_json_error(signed_in: Visitor, alice: User) -> None:
    form = {"photo": (BytesIO(oriented_photo(1)), "me.jpg")}
    answer = signed_in.post("/mypage/photo", data=form, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert (answer.json or {})["detail"]
    assert image_url_of(alice) is None
