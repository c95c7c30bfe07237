"""Storage quotas: what would go beyond is refused with a sentence that says what to do, and nothing is stored.

And whom an idempotency key answers.
"""

import re

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app import FEATURES
from app.accounts import service as accounts
from app.accounts.models import User, UserSession
from app.extensions import db
from app.limits.quotas import DeletedSince, Key, Quota, QuotaReached, note_key
from app.notes import service as notes
from app.notes.models import Note
from app.todos import service as todos
from app.web.form_recovery import recovers
from tests.accounts.conftest import AT_ONCE, won
from tests.conftest import PASSWORD, browser_of
from tests.database import insert_made_up, row_counts
from tests.portability import hostile_archives as sound
from tests.portability.exports import import_
from tests.queued import queued
from tests.samples import samples
from tests.visitor import Visitor

FIELDS = {
    "/notes": {"title": "one more", "content": "typed text"},
    "/todos": {"description": "typed text"},
    **{each.path: each.fields for each in samples()},
}
PORTABLE = {f"/{feature.portable.name}": feature.portable for feature in FEATURES if feature.portable}
TWO_NOTES = sound.zipped(sound.document_of_lists(notes=[sound.NOTE] * 2))


def add(path: str, user_id: int, count: int) -> None:
    insert_made_up(PORTABLE[path].table, f"SELECT * FROM users, generate_series(1, {count}) WHERE id = {user_id}")
    db.session.commit()


def fill(monkeypatch: pytest.MonkeyPatch, path: str, user: User, *, room: int = 0) -> None:
    """Store three of the user's, which fill the quota but for `room`."""
    add(path, user.id, 3)
    monkeypatch.setattr(PORTABLE[path].quota, "most", 3 + room)


@pytest.mark.parametrize("path", list(FIELDS))
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


def test_without_a_page_what_was_typed_shows(app: Flask, monkeypatch: pytest.MonkeyPatch, signed_in: Visitor) -> None:
    """As that of a new feature."""

    @recovers("description")
    def refuses() -> None:
        raise QuotaReached(3)

    monkeypatch.setitem(app.view_functions, "todos.create", refuses)
    fields = {"csrf_token": signed_in.csrf_token(), "description": "<b>typed</b>"}
    answer = signed_in.post("/todos", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    for shown in ("You&#39;ve reached the limit of 3.", "&lt;b&gt;typed&lt;/b&gt;"):
        assert shown in answer.text


def test_the_last_one_that_fits_is_stored_others_take_no_room_and_the_trash_counts_until_it_is_emptied(
    monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User, bob: User
) -> None:
    fill(monkeypatch, "/notes", bob)
    fill(monkeypatch, "/notes", alice, room=1)
    assert signed_in.submit("/notes", **FIELDS["/notes"]).status_code == 302
    assert signed_in.submit("/notes", **FIELDS["/notes"]).status_code == 422
    notes.delete_note(alice.id, db.session.scalars(select(Note.id).where(Note.user_id == alice.id)).first() or 0)
    assert signed_in.submit("/notes", **FIELDS["/notes"]).status_code == 422
    signed_in.submit("/notes/trash/empty")
    assert signed_in.submit("/notes", **FIELDS["/notes"]).status_code == 302


@pytest.mark.parametrize(("room", "status"), [(1, 422), (2, 302)])
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


def test_a_key_answers_the_person_alone_who_sent_it(app: Flask, alice: User, bob: User) -> None:
    bobs = note_key(bob.id, "k", "/notes", b"bob's")
    notes.create_note(bob.id, "bob's", "", bobs)
    notes.create_notes(bob.id, [("bob's", "")], bobs)
    before = row_counts()["notes"]
    note_key(alice.id, "another", "/notes", b"alice's")
    alices = note_key(alice.id, "k", "/notes", b"alice's")
    assert note_key(alice.id, "k", "/notes", b"alice's") == (alices.row_key, True)
    used = Key(bobs.row_key, is_used=True)
    with pytest.raises(DeletedSince):
        notes.create_note(alice.id, "alice's", "", used)
    with pytest.raises(DeletedSince):
        notes.create_notes(alice.id, [("alice's", "")], used)
    assert row_counts()["notes"] == before


def test_many_at_once_exceed_a_quota_by_their_number_at_most(migrated: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    alice_id = accounts.sign_up("alice@example.com", "alice", PASSWORD).id
    monkeypatch.setattr(notes.QUOTA, "most", 3)
    stored = len(won(migrated, lambda _: notes.create_note(alice_id, "one", ""), range(AT_ONCE), QuotaReached))
    assert stored == db.session.scalar(select(func.count()).select_from(Note))
    assert 3 <= stored <= 3 + AT_ONCE
    with pytest.raises(QuotaReached):
        notes.create_note(alice_id, "one", "")


def test_my_page_says_how_few_more_fit(monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User) -> None:
    for path in FIELDS:
        add(path, alice.id, 30)
    for most, said in ((34, None), (33, 3), (30, 0), (29, 0)):
        for path in FIELDS:
            monkeypatch.setattr(PORTABLE[path].quota, "most", most)
        rooms = re.findall(r": room for (\d+) more\.", signed_in.get("/mypage").text)
        assert rooms == ([] if said is None else [f"{said}"] * len(FIELDS)), most


def test_at_the_quota_of_the_documentation_one_more_is_refused(app: Flask, alice: User) -> None:
    assert (notes.QUOTA.most, todos.QUOTA.most) == (100_000, 20_000)
    notes.create_note(alice.id, "one", "")
    db.session.execute(text("UPDATE figures SET notes_stored = :count"), {"count": notes.QUOTA.most - 1})
    notes.create_note(alice.id, "the last one", "")
    with pytest.raises(QuotaReached):
        notes.create_note(alice.id, "one more", "")


def test_rows_without_a_kept_figure_are_counted_by_owner(app: Flask, alice: User, bob: User) -> None:
    browser_of(app, alice)
    browser_of(app, alice)
    browser_of(app, bob)
    Quota(UserSession, 2).enforce(alice.id)
    with pytest.raises(QuotaReached):
        Quota(UserSession, 1).enforce(alice.id)
    Quota(UserSession, 1).enforce(bob.id)
