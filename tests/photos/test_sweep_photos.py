"""The nightly sweep: objects of photos that no row points at, a day after they were put, and nothing else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from app import storage
from app.accounts.models import User
from app.extensions import db
from app.photos import service
from tests.bucket import object_keys

PREFIX = "sweep/"  # of these tests alone: others leave photos without a row behind


@pytest.fixture
def put(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """put(key): an object, and its URL."""
    monkeypatch.setattr(app.extensions["bucket"], "prefix", PREFIX)
    keys = []

    def put(key: str) -> str:
        keys.append(key)
        with app.app_context():
            return storage.put(key, b"webp", "image/webp")

    yield put
    with app.app_context():
        for key in keys:
            storage.delete(key)


@pytest.fixture
def a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can put an object yesterday, so a day is made short."""
    monkeypatch.setattr(service, "MIN_AGE", timedelta(days=-1))


def photo(number: int) -> str:
    return f"{PREFIX}photos/{number:032x}.webp"


def show(user: User, url: str) -> None:
    db.session.execute(update(User).where(User.id == user.id).values(image_url=url))
    db.session.commit()


def sweep(app: Flask) -> None:
    with app.app_context():
        service.sweep_photos()


def test_what_no_row_points_at_goes_and_what_is_shown_stays(
    app: Flask, alice: User, put: Callable[[str], str], a_day_later: None
) -> None:
    show(alice, put(photo(1)))
    put(photo(2))
    sweep(app)
    left = object_keys(app)
    assert photo(1) in left
    assert photo(2) not in left


def test_what_is_younger_than_a_day_stays_since_its_row_may_just_be_written(
    app: Flask, alice: User, put: Callable[[str], str]
) -> None:
    show(alice, put(photo(1)))
    put(photo(2))
    sweep(app)
    assert {photo(1), photo(2)} <= object_keys(app)


def test_a_photo_stays_that_is_shown_under_the_public_url_of_before(
    app: Flask, alice: User, put: Callable[[str], str], a_day_later: None
) -> None:
    """The bucket has moved behind a CDN, and rows of before still name the bucket."""
    put(photo(1))
    show(alice, f"https://bucket.before.example.com/{photo(1)}")
    sweep(app)
    assert photo(1) in object_keys(app)


@pytest.mark.parametrize(
    "name",
    [
        "photos/keep.txt",
        "photos/0123.webp",
        f"photos/{'g' * 32}.webp",
        f"photos/photos/{'0' * 32}.webp",  # of an application whose prefix is photos/
        f"photos/backup/{1:032x}.webp",
    ],
)
def test_an_object_that_we_did_not_name_stays(
    app: Flask, alice: User, put: Callable[[str], str], a_day_later: None, name: str
) -> None:
    show(alice, put(photo(1)))
    put(PREFIX + name)
    sweep(app)
    assert PREFIX + name in object_keys(app)


def test_a_bucket_that_seems_to_be_another_databases_too_is_left_alone(
    app: Flask, alice: User, put: Callable[[str], str], a_day_later: None, caplog: pytest.LogCaptureFixture
) -> None:
    show(alice, put(photo(1)))
    put(photo(2))
    put(photo(3))
    sweep(app)
    assert {photo(1), photo(2), photo(3)} <= object_keys(app)
    assert "is the bucket another database's too?" in caplog.text


def test_more_objects_than_the_store_lists_at_once_are_all_seen(
    app: Flask, put: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = app.extensions["bucket"]
    lists = bucket.client.list_objects_v2
    monkeypatch.setattr(bucket.client, "list_objects_v2", lambda **arguments: lists(**arguments, MaxKeys=2))
    for number in range(5):
        put(photo(number))
    with app.app_context():
        pages = list(storage.list_objects("photos"))
    assert max(map(len, pages)) == 2
    listed = {key: put_at for page in pages for key, put_at in page.items()}
    assert {photo(number) for number in range(5)} <= listed.keys()
    assert listed[photo(0)] > datetime.now(UTC) - timedelta(minutes=5)
