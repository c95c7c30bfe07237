"""The tags of all notes are read again by a job when the rule of what a tag is has changed."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes import service, tasks
from app.notes.figures import list_tags
from app.notes.models import Note
from app.notes.tasks import read_batch, read_tags_again
from tests.conftest import PASSWORD
from tests.database import commit, same_row_counts, watching
from tests.waiting import somebody_waits, wait_until


@pytest.fixture
def notes(alice: User) -> list[int]:
    """Return notes as a release with another rule would have stored them, without tags."""
    ids = [service.create_note(alice.id, "", f"#tag{number} #all") for number in range(5)]
    ids.append(service.create_note(alice.id, "", "none"))
    commit(text("UPDATE notes SET tags = '{old}'"))
    return ids


def tags(note_ids: list[int]) -> list[list[str]]:
    return list(db.session.scalars(select(Note.tags).where(Note.id.in_(note_ids)).order_by(Note.id)))


def read(note_ids: list[int]) -> list[list[str]]:
    return [sorted(["all", f"tag{number}"]) for number in range(len(note_ids) - 1)] + [[]]


def test_all_notes_get_the_tags_of_their_texts_and_nothing_else_changes(alice: User, notes: list[int]) -> None:
    unchanged = select(Note.id, Note.title, Note.content, Note.text_version, Note.updated_at).order_by(Note.id)
    before = db.session.execute(unchanged).all()
    read_tags_again(0)
    assert tags(notes) == read(notes)
    assert dict(list_tags(alice.id)) == {"all": 5, **{f"tag{number}": 1 for number in range(5)}}
    assert db.session.execute(unchanged).all() == before


def test_it_goes_on_where_it_was_stopped_and_ends(notes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "BATCH", 2)
    assert read_batch()
    assert tags(notes)[:3] == [*read(notes)[:2], ["old"]]
    read_tags_again(0)
    assert tags(notes) == read(notes)
    commit(text("UPDATE notes SET tags = '{later}'"))
    with same_row_counts():
        read_tags_again(0)
    assert tags(notes) == [["later"]] * len(notes)


def test_what_the_release_before_wrote_meanwhile_is_read_an_hour_later_and_then_nothing_more(notes: list[int]) -> None:
    for written, is_read in (("old", True), ("older", False)):
        read_tags_again(0)
        commit(text(f"UPDATE notes SET tags = '{{{written}}}'"))
        commit(text("UPDATE tag_readings SET ended_at = now() - interval '61 minutes'"))
        read_tags_again(0)
        assert (tags(notes) == read(notes)) is is_read, written


def test_it_waits_for_no_edit_that_waits_for_it(migrated: Flask) -> None:
    user_id = accounts.sign_up("alice@example.com", "alice", PASSWORD).id
    ids = [service.create_note(user_id, "", f"#{name}") for name in "ab"]
    commit(text("UPDATE notes SET tags = '{old}'"))
    changed: list[str] = []

    def edit() -> None:
        with migrated.app_context():
            service.update_note(user_id, ids[1], "", "#edited", 1)

    def when_one_is_changed(_cursor: object, statement: str, _parameters: object) -> None:
        changed.extend([statement] * statement.startswith("UPDATE notes SET tags"))
        if len(changed) == 2 and not edits:
            edits.append(threads.submit(edit))
            with migrated.app_context():
                wait_until(somebody_waits, "the edit waits for the job")

    edits: list[Future[None]] = []
    with ThreadPoolExecutor(1) as threads, watching(when_one_is_changed):
        read_tags_again(0)
        edits[0].result()
    assert tags(ids) == [["a"], ["edited"]]
