"""Storage quotas: what would go beyond is refused with a sentence that says what to do, and nothing is stored."""

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.limits.quotas import QuotaReached
from app.notes import service as notes
from app.notes.models import Note
from app.todos import service as todos
from tests.accounts.conftest import AT_ONCE, won
from tests.conftest import PASSWORD
from tests.database import row_counts
from tests.portability import hostile_archives as sound
from tests.portability.exports import import_
from tests.queued import queued
from tests.samples import forms
from tests.visitor import Visitor

FIELDS = {
    "/notes": {"title": "one more", "content": "typed text"},
    "/todos": {"description": "typed text"},
    **{form.path: form.fields for form in forms()},
}
QUOTAS = {"/notes": notes.QUOTA, "/todos": todos.QUOTA, **{form.path: form.quota for form in forms()}}
TWO_NOTES = sound.zipped(sound.document_of_lists(notes=[sound.NOTE] * 2))

pages = pytest.mark.parametrize("path", list(FIELDS))


def add(path: str, user_id: int) -> None:
    if path == "/notes":
        notes.create_note(user_id, "stored", "")
    elif path == "/todos":
        todos.create_todo(user_id, "stored")
    else:
        [form] = [form for form in forms() if form.path == path]
        form.add(user_id)


def fill(monkeypatch: pytest.MonkeyPatch, path: str, user: User, *, room: int = 0) -> None:
    """Store three of the user's, which fill the quota but for `room`."""
    for _ in range(3):
        add(path, user.id)
    monkeypatch.setattr(QUOTAS[path], "most", 3 + room)


@pages
def test_beyond_the_quota_is_refused_with_what_was_typed_and_nothing_is_stored(
    monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User, path: str
) -> None:
    fill(monkeypatch, path, alice)
    before = row_counts(), queued()
    answer = signed_in.submit(path, **FIELDS[path])
    assert answer.status_code == 422
    assert "reached the limit of" in answer.text
    assert "typed" in answer.text
    assert (row_counts(), queued()) == before


def test_the_last_one_that_fits_is_stored_and_what_others_store_takes_no_room(
    monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User, bob: User
) -> None:
    fill(monkeypatch, "/notes", bob)
    fill(monkeypatch, "/notes", alice, room=1)
    assert signed_in.submit("/notes", **FIELDS["/notes"]).status_code == 302
    assert signed_in.submit("/notes", **FIELDS["/notes"]).status_code == 422


def test_the_trash_counts_until_it_is_emptied(monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User) -> None:
    fill(monkeypatch, "/notes", alice)
    notes.delete_note(alice.id, db.session.scalars(select(Note.id)).first() or 0)
    assert signed_in.submit("/notes", **FIELDS["/notes"]).status_code == 422
    signed_in.submit("/notes/trash/empty")
    assert signed_in.submit("/notes", **FIELDS["/notes"]).status_code == 302


@pytest.mark.parametrize(("room", "status"), [(0, 422), (1, 422), (2, 302)])
def test_an_import_comes_in_as_a_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User, room: int, status: int
) -> None:
    fill(monkeypatch, "/notes", alice, room=room)
    before = row_counts()
    answer = import_(signed_in, TWO_NOTES)
    assert answer.status_code == status
    assert ("over the limit" in answer.text) == (status == 422)
    assert row_counts() == (before if status == 422 else {**before, "notes": before["notes"] + 2})
    monkeypatch.setattr(notes.QUOTA, "most", 1)
    assert import_(signed_in, TWO_NOTES).status_code == status  # what is there already takes no room


def test_many_at_once_exceed_the_quota_by_no_more_than_their_number(
    migrated: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice_id = accounts.sign_up("alice@example.com", "alice", PASSWORD).id
    monkeypatch.setattr(notes.QUOTA, "most", 3)
    stored = len(won(migrated, lambda _: notes.create_note(alice_id, "one", ""), range(AT_ONCE), QuotaReached))
    assert stored == db.session.scalar(select(func.count()).select_from(Note))
    assert 3 <= stored <= 3 + AT_ONCE
    with pytest.raises(QuotaReached):
        notes.create_note(alice_id, "one", "")


@pages
def test_my_page_says_from_ninety_percent_on_how_many_more_fit(
    monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User, path: str
) -> None:
    for _ in range(30):
        add(path, alice.id)
    for most, said in ((34, None), (33, 3), (30, 0), (29, 0)):
        monkeypatch.setattr(QUOTAS[path], "most", most)
        page = signed_in.get("/mypage").text
        assert (f": room for {said} more." in page) == ("room for" in page) == (said is not None), most


def test_at_the_quota_of_the_documentation_one_more_is_refused(app: Flask, alice: User) -> None:
    assert [quota.most for quota in QUOTAS.values()] == [100_000, 20_000, *(form.most for form in forms())]
    notes.create_note(alice.id, "one", "")
    db.session.execute(text("UPDATE figures SET notes_stored = :count"), {"count": notes.QUOTA.most - 1})
    notes.create_note(alice.id, "the last one", "")
    with pytest.raises(QuotaReached):
        notes.create_note(alice.id, "one more", "")
