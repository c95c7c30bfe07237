"""Whatever line an upload dies at: no URL without its object, and no object without a row once the jobs have run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from app import storage
from app.accounts.models import User
from app.extensions import db
from app.photos import service
from app.rejection import Busy
from tests.bucket import object_keys
from tests.photos.photo_files import oriented_photo
from tests.queued import queued, run_queued


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


@contextmanager
def killed_at_statement(words: str) -> Iterator[None]:
    def die(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith(words):
            raise Killed

    connection = db.session.connection()
    event.listen(connection, "before_cursor_execute", die)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", die)


STEPS: dict[str, Callable[[Flask], Any]] = {
    "before the object is put": lambda app: killed_in_the_bucket(app, "before-call"),
    "after the object is put": lambda app: killed_in_the_bucket(app, "after-call"),
    "before the row is locked": lambda app: killed_at_statement("SELECT users"),
    "before the row points at it": lambda app: killed_at_statement("UPDATE users"),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("has_photo", [False, True])
def test_a_killed_upload_leaves_no_orphan_and_keeps_the_old_photo(
    app: Flask, alice: User, objects: set[str], step: str, has_photo: bool
) -> None:
    with app.app_context():
        if has_photo:
            service.put_photo(alice.id, oriented_photo(1))
        old = db.session.scalar(select(User.image_url).where(User.id == alice.id))
        with STEPS[step](app), pytest.raises(Killed):
            service.put_photo(alice.id, oriented_photo(3))
        db.session.rollback()
        assert db.session.scalar(select(User.image_url).where(User.id == alice.id)) == old
    run_queued(app)
    with app.app_context():
        assert object_keys(app) - objects == ({storage.key_of(old)} if old else set())


def test_the_job_touches_no_object_but_its_own(app: Flask, alice: User, objects: set[str]) -> None:
    """As with an empty database, or the bucket of another one: other photos have no row here either."""
    with app.app_context():
        others = {storage.new_key("photos", "webp") for _ in range(3)}
        for key in others:
            storage.put(key, b"webp", "image/webp")
        with killed_at_statement("UPDATE users"), pytest.raises(Killed):
            service.put_photo(alice.id, oriented_photo(1))
        db.session.rollback()
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
