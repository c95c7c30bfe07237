"""Sharing at the same moment as something else, on connections of their own."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.accounts import hashing
from app.accounts import service as accounts
from app.extensions import db
from app.notes import service, sharing
from app.notes.models import NoteShare
from tests.conftest import CHEAP_HASHER, PASSWORD
from tests.waiting import wait_until

WAITS = text("SELECT 1 FROM pg_locks WHERE NOT granted AND :pid = ANY (pg_blocking_pids(pid))")


@pytest.fixture
def note(migrated: Flask, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """A user's id, and the id of a note of theirs."""
    monkeypatch.setattr(hashing, "_hasher", CHEAP_HASHER)
    user = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    return user.id, service.create_note(user.id, "Books", "three")


def share(app: Flask, note: tuple[int, int]) -> str | None:
    with app.app_context():
        try:
            return sharing.share_note(*note)
        except service.NoteNotFound:
            return None
        finally:
            db.session.remove()


def number_of_links() -> int:
    with db.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(NoteShare)) or 0)


def test_of_many_clicks_at_once_all_get_one_link(migrated: Flask, note: tuple[int, int]) -> None:
    with ThreadPoolExecutor(4) as threads:
        tokens = set(threads.map(lambda _: share(migrated, note), range(40)))
    assert len(tokens) == 1
    assert None not in tokens
    assert number_of_links() == 1


def test_a_note_that_is_deleted_for_good_meanwhile_is_not_found(migrated: Flask, note: tuple[int, int]) -> None:
    db.session.remove()
    with db.engine.connect() as deleting, db.engine.connect() as watching, ThreadPoolExecutor(1) as threads:
        deleting.execute(text("DELETE FROM notes"))
        pid = deleting.scalar(text("SELECT pg_backend_pid()"))
        sharing_it = threads.submit(share, migrated, note)
        wait_until(lambda: watching.scalar(WAITS, {"pid": pid}), "the sharing waits for the deletion")
        deleting.commit()
        assert sharing_it.result() is None
    assert number_of_links() == 0
