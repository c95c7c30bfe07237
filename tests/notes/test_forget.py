"""At night the trash forgets what has been in it for thirty days."""

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.accounts.models import User
from app.extensions import db
from app.notes import service, tasks
from app.notes.models import Note


def in_trash_for(user: User, interval: str) -> int:
    note_id = service.create_note(user.id, "old", "")
    service.delete_note(user.id, note_id)
    db.session.execute(
        text("UPDATE notes SET deleted_at = now() - CAST(:ago AS interval) WHERE id = :id"),
        {"ago": interval, "id": note_id},
    )
    db.session.commit()
    return note_id


def test_what_was_deleted_thirty_days_ago_goes_of_all_people(app: Flask, alice: User, bob: User) -> None:
    for user in (alice, bob):
        in_trash_for(user, "30 days 1 second")
    kept = [in_trash_for(alice, "29 days 23 hours"), service.create_note(bob.id, "kept", "")]
    tasks.remove_forgotten(0)
    assert list(db.session.scalars(select(Note.id).order_by(Note.id))) == sorted(kept)


def test_more_than_one_batch_goes(app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    db.session.execute(
        text(
            "INSERT INTO notes (user_id, title, content, deleted_at)"
            " SELECT :user, 't', 'c', now() - interval '31 days' FROM generate_series(1, :notes)"
        ),
        {"user": alice.id, "notes": service.BATCH * 2 + 1},
    )
    tasks.remove_forgotten(0)
    assert db.session.scalar(select(func.count()).select_from(Note)) == 0


def test_it_is_found_by_an_index(app: Flask) -> None:
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(db.session.scalars(text("EXPLAIN SELECT id FROM notes WHERE deleted_at <= now() LIMIT 500")))
    assert "ix_notes_deleted_at" in plan
