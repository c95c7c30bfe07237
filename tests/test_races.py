"""Race conditions: of concurrent requests the database lets one win. The others get an error that is named."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes import service as notes
from app.notes.models import NoteVersion
from app.photos import service as photos
from app.rejection import Busy, RowNotFound
from tests.accounts.conftest import AT_ONCE, won
from tests.bucket import object_keys
from tests.conftest import PASSWORD
from tests.photos.photo_files import oriented_photo
from tests.queued import run_queued


@pytest.fixture
def alice_id(migrated: Flask) -> int:
    return accounts.sign_up("alice@example.com", "alice", PASSWORD).id


def test_of_sign_ups_with_the_same_nickname_one_makes_an_account(migrated: Flask, alice_id: int) -> None:
    def sign_up(number: int) -> User:
        return accounts.sign_up(f"{number}@example.com", "same", PASSWORD)

    assert len(won(migrated, sign_up, range(AT_ONCE), accounts.NicknameTaken)) == 1
    assert db.session.scalar(select(func.count()).select_from(User)) == 2


def test_of_saves_of_one_version_one_is_stored_and_of_deletions_one_finds_it(migrated: Flask, alice_id: int) -> None:
    note_id = notes.create_note(alice_id, "t", "start")

    def save(number: int) -> int:
        return notes.update_note(alice_id, note_id, "t", str(number), version=1)

    [winner] = won(migrated, save, range(AT_ONCE), notes.StaleVersion)
    note = notes.get_note(alice_id, note_id)
    assert (note.content, note.version) == (str(winner), 2)
    assert kept_of(note_id) == [(1, "start")]
    assert len(won(migrated, lambda _: notes.delete_note(alice_id, note_id), range(AT_ONCE), RowNotFound)) == 1


def kept_of(note_id: int) -> list[tuple[int, str]]:
    kept = select(NoteVersion.version, NoteVersion.content).where(NoteVersion.note_id == note_id)
    return [(row.version, row.content) for row in db.session.execute(kept.order_by(NoteVersion.version))]


def test_of_edits_at_once_that_all_try_again_each_earlier_text_is_kept_once(migrated: Flask, alice_id: int) -> None:
    note_id = notes.create_note(alice_id, "t", "start")
    replaced: list[tuple[int, str]] = []

    def save_at_last(number: int) -> None:
        while True:
            before = notes.get_note(alice_id, note_id)
            try:
                notes.update_note(alice_id, note_id, "t", str(number), before.version)
            except notes.StaleVersion:
                continue
            replaced.append((before.version, before.content))
            return

    won(migrated, save_at_last, range(AT_ONCE))
    assert [version for version, _ in sorted(replaced)] == [*range(1, AT_ONCE + 1)]
    assert kept_of(note_id) == sorted(replaced)


def test_after_uploads_at_once_the_photo_that_is_shown_is_there_alone(migrated: Flask, alice_id: int) -> None:
    photo = oriented_photo(1)
    assert len(won(migrated, lambda _: photos.put_photo(alice_id, photo), range(5), Busy)) >= 2
    run_queued(migrated)  # it deletes those that were shown before
    [key] = object_keys(migrated)
    assert str(db.session.scalar(select(User.image_url))).endswith(key)
