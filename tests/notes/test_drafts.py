"""The server's part in drafts: whose draft it is, and that only an accepted form discards it."""

import pytest

from app.accounts.models import User
from app.notes import service
from tests.visitor import Visitor


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "Books", "three")


def test_the_forms_say_whose_draft_they_keep(signed_in: Visitor, alice: User, note_id: int) -> None:
    owner = f'data-owner="{alice.id}"'
    assert f'data-draft="notes.new" {owner} data-saved' in signed_in.get("/notes").text
    assert f'data-draft="notes.{note_id}" {owner} data-saved' in signed_in.get(f"/notes/{note_id}/edit").text


def test_an_accepted_form_discards_its_draft(signed_in: Visitor, note_id: int) -> None:
    cookies = signed_in.submit("/notes", title="t", content="c").headers.getlist("Set-Cookie")
    [named] = [cookie for cookie in cookies if cookie.startswith("accepted=")]
    assert named.startswith("accepted=notes.new;")
    assert "HttpOnly" not in named
    signed_in.submit(f"/notes/{note_id}", title="t", content="c", version="1")
    named_next = signed_in.get_cookie("accepted")
    assert named_next
    assert named_next.value == f"notes.{note_id}"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"title": "x" * 51, "version": "1"}, 422),
        ({"title": "t", "version": ""}, 422),
        ({"title": "t", "version": "0"}, 409),
    ],
)
def test_a_refused_form_keeps_its_draft(signed_in: Visitor, note_id: int, fields: dict[str, str], status: int) -> None:
    answer = signed_in.submit(f"/notes/{note_id}", content="typed", **fields)
    assert answer.status_code == status
    assert "data-refused" in answer.text
    assert signed_in.get_cookie("accepted") is None


def test_a_refused_new_note_keeps_its_draft(signed_in: Visitor) -> None:
    assert "data-refused" in signed_in.submit("/notes", title="", content="").text
    assert signed_in.get_cookie("accepted") is None


def test_a_form_without_a_session_keeps_its_draft(signed_in: Visitor, alice: User) -> None:
    signed_in.submit("/sign-out")
    assert signed_in.submit("/notes", title="t", content="c").location.startswith("/sign-in")
    assert signed_in.get_cookie("accepted") is None


def test_no_field_cuts_what_is_typed(signed_in: Visitor, note_id: int) -> None:
    for path in ("/notes", f"/notes/{note_id}/edit"):
        page = signed_in.get(path).text
        assert "maxlength" not in page
        assert "Up to 2,000 characters" in page
