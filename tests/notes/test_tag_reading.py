"""The tags of all notes are read again by a job when the rule of what a tag is has changed."""

import pytest
from sqlalchemy import select, text

from app.accounts.models import User
from app.extensions import db
from app.notes import service, tasks
from app.notes.figures import list_tags
from app.notes.models import Note
from app.notes.tasks import read_batch, read_tags_again
from tests.database import commit, same_row_counts


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
    unchanged = select(Note.id, Note.title, Note.content, Note.version, Note.updated_at).order_by(Note.id)
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
