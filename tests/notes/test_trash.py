"""A note in the trash has its page still: to read it, to restore it, to delete it for good."""

import pytest
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.models import Note
from tests.database import row_counts
from tests.notes.test_delete import age
from tests.visitor import Visitor


@pytest.fixture
def note_id(alice: User) -> int:
    """Of a note in alice's trash."""
    note_id = service.create_note(alice.id, "Books", "three **or** four")
    service.delete_note(alice.id, note_id)
    return note_id


def test_it_can_be_read_and_says_where_it_is(signed_in: Visitor, note_id: int) -> None:
    age(note_id, days=10)
    answer = signed_in.get(f"/notes/{note_id}")
    assert answer.status_code == 200
    assert "<h1><bdi>Books</bdi></h1>" in answer.text
    assert "<strong>or</strong>" in answer.text
    assert "This note is in the trash. Days until it is deleted for good: 20." in answer.text


def test_its_page_changes_nothing_but_where_it_is(signed_in: Visitor, note_id: int) -> None:
    page = signed_in.get(f"/notes/{note_id}").text
    for action in ("edit", "pin", "delete"):
        assert f'/notes/{note_id}/{action}"' not in page
        assert f"/notes/{note_id}/{action}?" not in page
    restore = f"/notes/{note_id}/restore?next=/notes/{note_id}"
    assert f'action="{restore}"' in page
    assert signed_in.submit(restore).location == f"/notes/{note_id}"
    assert "in the trash" not in signed_in.get(f"/notes/{note_id}").text


def test_the_editor_leads_to_its_page(signed_in: Visitor, note_id: int) -> None:
    assert signed_in.get(f"/notes/{note_id}/edit").location == f"/notes/{note_id}"


def test_the_trash_leads_to_it_and_it_leads_back(signed_in: Visitor, note_id: int) -> None:
    assert f'<a href="/notes/{note_id}"><bdi>Books</bdi></a>' in signed_in.get("/notes/trash").text
    assert '<a class="back" href="/notes/trash">' in signed_in.get(f"/notes/{note_id}").text


def test_deleting_it_for_good_asks_first_also_without_javascript(signed_in: Visitor, note_id: int) -> None:
    page = signed_in.get(f"/notes/{note_id}").text
    action = f"/notes/{note_id}/delete-for-good"
    assert page.index("<summary") < page.index(f'action="{action}"') < page.index("</details>")
    assert signed_in.get(action).status_code == 405


def test_deleting_it_for_good_deletes_it_alone(signed_in: Visitor, alice: User, note_id: int) -> None:
    others = [service.create_note(alice.id, "kept", ""), service.create_note(alice.id, "deleted too", "")]
    service.delete_note(alice.id, others[1])
    assert signed_in.submit(f"/notes/{note_id}/delete-for-good").location == "/notes/trash"
    assert sorted(db.session.scalars(select(Note.id))) == others
    assert "“Books” deleted for good." in signed_in.get("/notes/trash").text


def test_what_is_not_in_ones_own_trash_is_not_deleted_for_good(
    signed_in: Visitor, alice: User, bob: User, note_id: int
) -> None:
    foreign = service.create_note(bob.id, "foreign", "")
    service.delete_note(bob.id, foreign)
    age(note_id, days=31)
    before = row_counts()
    for other in (service.create_note(alice.id, "not deleted", ""), foreign, note_id, 9_000_000_000):
        assert signed_in.submit(f"/notes/{other}/delete-for-good").status_code == 404
    assert row_counts() == before | {"notes": before["notes"] + 1}


def test_a_foreign_an_unknown_and_an_expired_one_are_404(signed_in: Visitor, bob: User, note_id: int) -> None:
    foreign = service.create_note(bob.id, "foreign", "")
    service.delete_note(bob.id, foreign)
    age(note_id, days=31)
    for other in (foreign, note_id, 9_000_000_000):
        for path in (f"/notes/{other}", f"/notes/{other}/edit"):
            answer = signed_in.get(path)
            assert answer.status_code == 404
            assert "trash" not in answer.text


def test_a_link_of_the_session_without_a_csrf_token_deletes_nothing(signed_in: Visitor, note_id: int) -> None:
    assert signed_in.post(f"/notes/{note_id}/delete-for-good").status_code == 400
    assert db.session.scalars(select(Note.id)).all() == [note_id]
