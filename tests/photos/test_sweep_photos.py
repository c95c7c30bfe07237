"""`flask check-bucket`, the nightly sweep, and uploads that die: no URL without its object, no object without a row."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from app import storage
from app.accounts.models import User
from app.extensions import db
from app.photos import service, tasks
from app.rejection import Busy
from app.storage import StorageUnavailable
from tests.bucket import object_keys
from tests.database import commit, right_before
from tests.photos.photo_files import oriented_photo
from tests.queued import queued, run_queued

# Used by these tests only, because others leave orphaned photos behind; and by one process, since xdist splits a file.
PREFIX = f"sweep-{os.getpid()}/"
JOB = """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    SELECT 'default', 'storage.delete', jsonb_build_object('url', image_url) FROM users"""


@pytest.fixture
def put(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Store an object and return its URL: put(key). The objects are deleted after the test."""
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
def one_a_page(app: Flask) -> Iterator[None]:
    """Have the bucket list one object a page, in place of 1,000."""
    events = app.extensions["bucket"].client.meta.events
    event_name = "provide-client-params.s3.ListObjectsV2"
    events.register(event_name, lambda params, **_: {**params, "MaxKeys": 1}, unique_id="one a page")
    yield
    events.unregister(event_name, unique_id="one a page")


@pytest.fixture
def a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the minimum age, because a test cannot store an object with yesterday's date."""
    monkeypatch.setattr(tasks, "MIN_AGE", timedelta(days=-1))


FOREIGN = [
    *("photos/keep.txt", f"photos/{'g' * 32}.webp"),
    f"photos/photos/{'0' * 32}.webp",  # from an application whose prefix is photos/
]


def photo(number: int) -> str:
    return f"{PREFIX}photos/{number:032x}.webp"


def show(user: User, url: str) -> None:
    commit(update(User).where(User.id == user.id).values(image_url=url))


def sweep(app: Flask) -> None:
    with app.app_context():
        tasks.sweep_photos(0)


def test_the_sweep_deletes_orphaned_photos_and_nothing_else(
    app: Flask, alice: User, put: Callable[[str], str], a_day_later: None, one_a_page: None
) -> None:
    show(alice, put(photo(0)))
    urls = [put(photo(number)) for number in range(1, 4)]
    put(photo(4))
    urls.append(f"https://bucket.before.example.com/{photo(4)}")  # as rows hold it after a move behind a CDN
    # Of a table that this release knows nothing of, as after a rollback.
    db.session.execute(text("CREATE TABLE shelf (cover_photo_url text)"))
    commit(text("INSERT INTO shelf SELECT unnest(CAST(:urls AS text[])) UNION SELECT NULL"), {"urls": urls})
    for name in FOREIGN:  # fewer than are shown: more of them would stop the sweep
        put(PREFIX + name)
    put(photo(5))
    before = object_keys(app)
    sweep(app)
    assert before - object_keys(app) == {photo(5)}
    with app.app_context():
        tasks.delete_orphan(photo(1))
    assert before - object_keys(app) == {photo(5)}


def test_an_orphaned_photo_younger_than_a_day_is_kept(app: Flask, alice: User, put: Callable[[str], str]) -> None:
    # The row of a new object may not be committed yet.
    show(alice, put(photo(1)))
    put(photo(2))
    sweep(app)
    assert {photo(1), photo(2)} <= object_keys(app)


def test_nothing_is_deleted_if_the_bucket_seems_shared_with_another_database(
    app: Flask, alice: User, put: Callable[[str], str], a_day_later: None, caplog: pytest.LogCaptureFixture
) -> None:
    show(alice, put(photo(1)))
    put(photo(2))
    put(photo(3))
    sweep(app)
    assert {photo(1), photo(2), photo(3)} <= object_keys(app)
    assert "is the bucket another database's too?" in caplog.text


def test_nothing_is_deleted_of_a_listing_that_was_cut_off(
    app: Flask, alice: User, put: Callable[[str], str], a_day_later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(alice, put(photo(1)))
    put(photo(2))
    with app.app_context():
        pages = list(storage.list_objects("photos"))

    def cut_off(folder: str) -> Iterator[dict[str, datetime]]:
        yield from pages
        raise StorageUnavailable

    monkeypatch.setattr(storage, "list_objects", cut_off)
    with pytest.raises(StorageUnavailable):
        sweep(app)
    assert {photo(1), photo(2)} <= object_keys(app)


def test_a_bucket_that_answers_or_not_is_told(app: Flask, objects: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        storage.put(storage.new_key("photos", "webp"), b"a photo", "image/webp")
    result = app.test_cli_runner().invoke(args=["check-bucket"])
    assert (result.exit_code, result.output) == (0, f"The bucket answers. It has {len(objects) + 1:,} photos.\n")
    with monkeypatch.context() as patch:
        patch.setattr(app.extensions["bucket"], "name", "nobodys-bucket")
        result = app.test_cli_runner().invoke(args=["check-bucket"])
    assert result.exit_code == 1
    assert "The bucket does not answer, or refuses: list_objects_v2 failed" in result.stderr
    assert "NoSuchBucket" in result.stderr


class Killed(Exception):
    """End the process here."""


def kill(**_: object) -> None:
    raise Killed


@contextmanager
def killed_in_the_bucket(app: Flask, moment: str) -> Iterator[None]:
    """End the process in the bucket. Args: moment: an event of botocore, before-call or after-call."""
    events = app.extensions["bucket"].client.meta.events
    events.register(f"{moment}.s3.PutObject", kill, unique_id="kill")
    try:
        yield
    finally:
        events.unregister(f"{moment}.s3.PutObject", unique_id="kill")


STEPS: dict[str, Callable[[Flask], Any]] = {
    "before the object is put": lambda app: killed_in_the_bucket(app, "before-call"),
    "after the object is put": lambda app: killed_in_the_bucket(app, "after-call"),
    "before the row points at it": lambda _: right_before("UPDATE users", kill),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_upload_leaves_no_orphan_and_keeps_the_old_photo(
    app: Flask, alice: User, objects: set[str], step: str
) -> None:
    with app.app_context():
        service.put_photo(alice.id, oriented_photo(1))
        old = db.session.scalar(select(User.image_url).where(User.id == alice.id))
        with STEPS[step](app), pytest.raises(Killed):
            service.put_photo(alice.id, oriented_photo(3))
        db.session.rollback()
        assert db.session.scalar(select(User.image_url).where(User.id == alice.id)) == old
    run_queued(app)
    with app.app_context():
        assert object_keys(app) - objects == {storage.key_of(old or "")}


def test_a_trigger_has_an_object_deleted_by_its_url(app: Flask, alice: User, objects: set[str]) -> None:
    with app.app_context():
        service.put_photo(alice.id, oriented_photo(1))
        commit(text(JOB))
    run_queued(app)
    assert object_keys(app) == objects


def test_the_job_touches_no_object_but_its_own(app: Flask, objects: set[str]) -> None:
    """As with an empty database, or the bucket of another one: other photos have no row here either."""
    with app.app_context():
        others = {storage.new_key("photos", "webp") for _ in range(3)}
        for key in others:
            storage.put(key, b"webp", "image/webp")
        service.store(oriented_photo(1))
    run_queued(app)
    assert object_keys(app) - objects == others


def test_more_uploads_than_a_process_takes_are_busy_and_leave_nothing(
    app: Flask, alice: User, objects: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "UPLOAD_WAIT", 0.01)
    with app.app_context():
        with service.UPLOADS, service.UPLOADS, pytest.raises(Busy):
            service.put_photo(alice.id, oriented_photo(1))
        assert queued() == []
        service.put_photo(alice.id, oriented_photo(1))  # they are free again
    assert len(object_keys(app) - objects) == 1
