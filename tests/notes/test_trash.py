"""Soft delete: a deleted note is in the trash, can be read and restored for 30 days, and is deleted for good."""

from datetime import timedelta

import pytest
from sqlalchemy import func, update

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.models import Note
from tests.visitor import Visitor


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "Books", "three")


def age(note_id: int, days: int) -> None:
    deleted_at = func.now() - timedelta(days=days)
    db.session.execute(update(Note).where(Note.id == note_id).values(deleted_at=deleted_at))
    db.session.commit()


def test_a_deleted_note_is_only_in_the_trash(signed_in: Visitor, note_id: int) -> None:
    assert signed_in.submit(f"/notes/{note_id}/delete").location == "/notes"
    for path in ("/notes", "/notes?q=Books"):
        assert f'id="note-{note_id}"' not in signed_in.get(path).text
    assert "Books" in signed_in.get("/notes/trash").text


def test_a_deleted_note_cannot_be_changed_and_another_one_not_restored(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    for action in ("restore", "delete-for-good"):
        assert signed_in.submit(f"/notes/{note_id}/{action}").status_code == 404
    service.delete_note(alice.id, note_id)
    for action in ("pin", "delete"):
        assert signed_in.submit(f"/notes/{note_id}/{action}", pinned="1").status_code == 404


def test_after_30_days_it_is_neither_shown_nor_restored(signed_in: Visitor, note_id: int) -> None:
    age(note_id, days=31)
    assert "Books" not in signed_in.get("/notes/trash").text
    for action in ("restore", "delete-for-good"):
        assert signed_in.submit(f"/notes/{note_id}/{action}").status_code == 404
    for path in (f"/notes/{note_id}", f"/notes/{note_id}/edit"):
        assert signed_in.get(path).status_code == 404


def test_emptying_the_trash_deletes_the_users_own_deleted_notes_alone(
    signed_in: Visitor, alice: User, bob: User, note_id: int
) -> None:
    kept = service.create_note(alice.id, "kept", "")
    foreign = service.create_note(bob.id, "foreign", "")
    service.delete_note(bob.id, foreign)
    age(note_id, days=31)
    service.delete_note(alice.id, service.create_note(alice.id, "fresh", ""))
    assert signed_in.submit("/notes/trash/empty").location == "/notes/trash"
    assert sorted(db.session.scalars(db.select(Note.id))) == [kept, foreign]


def test_undo_returns_to_the_page_that_deleted_and_its_message_escapes_the_name(
    signed_in: Visitor, alice: User
) -> None:
    note_id = service.create_note(alice.id, "<b>%s</b>", "")
    signed_in.submit(f"/notes/{note_id}/delete", next="/notes?q=b&tag=c")
    undo = f"/notes/{note_id}/restore?next=/notes?q%3Db%26tag%3Dc"
    page = signed_in.get("/notes").text
    assert "Moved “&lt;b&gt;%s&lt;/b&gt;” to the trash." in page
    assert f'action="{undo}"' in page
    assert undo not in signed_in.get("/notes").text  # it is offered once
    assert signed_in.submit(undo).location == "/notes?q=b&tag=c"


def test_the_trash_says_how_long_each_note_stays(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.delete_note(alice.id, note_id)
    for days, left in ((0, 30), (1, 29), (29, 1)):
        age(note_id, days)
        assert f"days left: {left}" in signed_in.get("/notes/trash").text


def test_deleting_for_good_asks_first_also_without_javascript(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.delete_note(alice.id, note_id)
    for place, action in (("trash", "trash/empty"), (f"{note_id}", f"{note_id}/delete-for-good")):
        page = signed_in.get(f"/notes/{place}").text
        assert page.index("<summary") < page.index(f'action="/notes/{action}"') < page.index("</details>")
        assert signed_in.get(f"/notes/{action}").status_code == 405
    assert service.list_trash(alice.id)


@pytest.fixture
def deleted_id(alice: User) -> int:
    """Return the id of a note in alice's trash."""
    deleted_id = service.create_note(alice.id, "Books", "three **or** four")
    service.delete_note(alice.id, deleted_id)
    return deleted_id


def test_it_can_be_read_and_says_where_it_is(signed_in: Visitor, deleted_id: int) -> None:
    age(deleted_id, days=10)
    answer = signed_in.get(f"/notes/{deleted_id}")
    assert answer.status_code == 200
    assert "<h1><bdi>Books</bdi></h1>" in answer.text
    assert "<strong>or</strong>" in answer.text
    assert "This note is in the trash. Days until it is deleted for good: 20." in answer.text


def test_its_page_changes_nothing_but_where_it_is(signed_in: Visitor, deleted_id: int) -> None:
    page = signed_in.get(f"/notes/{deleted_id}").text
    for action in ("edit", "pin", "delete"):
        assert f'/notes/{deleted_id}/{action}"' not in page
        assert f"/notes/{deleted_id}/{action}?" not in page
    restore = f"/notes/{deleted_id}/restore?next=/notes/{deleted_id}"
    assert f'action="{restore}"' in page
    assert signed_in.submit(restore).location == f"/notes/{deleted_id}"
    assert "in the trash" not in signed_in.get(f"/notes/{deleted_id}").text


def test_the_trash_and_the_editor_lead_to_it_and_it_leads_back(signed_in: Visitor, deleted_id: int) -> None:
    assert signed_in.get(f"/notes/{deleted_id}/edit").location == f"/notes/{deleted_id}"
    assert f'<a href="/notes/{deleted_id}"><bdi>Books</bdi></a>' in signed_in.get("/notes/trash").text
    assert '<a class="back" href="/notes/trash">' in signed_in.get(f"/notes/{deleted_id}").text


def test_deleting_it_for_good_deletes_it_alone(signed_in: Visitor, alice: User, deleted_id: int) -> None:
    others = [service.create_note(alice.id, "kept", ""), service.create_note(alice.id, "deleted too", "")]
    service.delete_note(alice.id, others[1])
    assert signed_in.submit(f"/notes/{deleted_id}/delete-for-good").location == "/notes/trash"
    assert sorted(db.session.scalars(db.select(Note.id))) == others
    assert "“Books” deleted for good." in signed_in.get("/notes/trash").text
