"""Editing a note, with optimistic locking: an edit never overwrites one that it has not seen."""

import pytest
from flask import Flask

from app.accounts.models import User
from app.notes import archive, service
from tests.conftest import browser_of
from tests.visitor import Visitor


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "Books", "three")


def stored(user: User, note_id: int) -> tuple[str, str, int]:
    note = service.get_note(user.id, note_id)
    return note.title, note.content, note.version


def test_it_works(signed_in: Visitor, alice: User, note_id: int) -> None:
    answer = signed_in.submit(f"/notes/{note_id}", title="Books", content="four", version="1")
    assert answer.location == "/notes"
    assert stored(alice, note_id) == ("Books", "four", 2)


def test_the_editor_holds_the_note_and_its_version(signed_in: Visitor, note_id: int) -> None:
    page = signed_in.get(f"/notes/{note_id}/edit").text
    assert 'value="Books"' in page
    assert ">three</textarea>" in page.replace("\r\n", "").replace("\n", "")
    assert 'name="version" type="hidden" value="1"' in page


def test_a_stale_version_is_409_with_both_texts_and_stores_nothing(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    service.update_note(alice.id, note_id, "Books", "the newer text", version=1)
    answer = signed_in.submit(f"/notes/{note_id}", title="Books", content="my own text", version="1")
    assert answer.status_code == 409
    assert "the newer text" in answer.text
    assert "my own text" in answer.text
    assert stored(alice, note_id) == ("Books", "the newer text", 2)


def test_the_conflict_page_saves_mine_over_the_version_it_showed(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.update_note(alice.id, note_id, "Books", "the newer text", version=1)
    page = signed_in.submit(f"/notes/{note_id}", title="Books", content="mine", version="1").text
    assert 'name="version" value="2"' in page
    signed_in.submit(f"/notes/{note_id}", title="Books", content="mine", version="2")
    assert stored(alice, note_id) == ("Books", "mine", 3)


def test_the_conflict_page_shows_what_differs_and_the_choices(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.update_note(alice.id, note_id, "Books", "same\ntheirs <b>", version=1)
    page = signed_in.submit(
        f"/notes/{note_id}", title="Book", content="same\r\nmine", version="1", next="/notes?q=b"
    ).text
    assert '<del><span class="visually-hidden">Only in the saved text: </span>theirs &lt;b&gt;</del>' in page
    assert '<ins><span class="visually-hidden">Only in your text: </span>mine</ins>' in page
    assert "<del><bdi>Books</bdi></del>" in page
    assert "<ins><bdi>Book</bdi></ins>" in page
    assert 'href="/notes?q=b">Keep the saved text' in page
    assert 'name="next" value="/notes?q=b"' in page
    assert "data-refused" in page  # the draft stays


def test_an_edit_of_a_note_that_is_in_the_trash_by_now_is_a_conflict_and_stores_nothing(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    service.delete_note(alice.id, note_id)
    answer = signed_in.submit(f"/notes/{note_id}", title="Books", content="my own text", version="1")
    assert answer.status_code == 409
    assert "my own text" in answer.text
    assert "This note is in the trash" in answer.text
    assert 'name="from_trash"' in answer.text
    note = service.get_note_or_deleted(alice.id, note_id)
    assert note.deleted_at
    assert (note.content, note.version) == ("three", 1)


def test_from_that_conflict_page_it_is_restored_with_my_text(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.delete_note(alice.id, note_id)
    fields = {"title": "Books", "content": "mine", "from_trash": "1"}
    assert signed_in.submit(f"/notes/{note_id}", version="2", **fields).status_code == 409  # another version
    assert signed_in.submit(f"/notes/{note_id}", version="1", **fields).status_code == 302
    assert stored(alice, note_id) == ("Books", "mine", 2)


def test_a_note_that_is_deleted_for_good_is_404(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.delete_note(alice.id, note_id)
    archive.empty_trash(alice.id)
    fields = {"title": "Books", "content": "mine", "version": "1", "from_trash": "1"}
    assert signed_in.submit(f"/notes/{note_id}", **fields).status_code == 404


def test_a_text_that_is_too_long_is_422_even_in_a_conflict(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.update_note(alice.id, note_id, "Books", "newer", version=1)
    assert signed_in.submit(f"/notes/{note_id}", title="t", content="x" * 2001, version="1").status_code == 422
    assert stored(alice, note_id) == ("Books", "newer", 2)


@pytest.mark.parametrize(
    ("back", "location"),
    [("/notes?q=b", "/notes?q=b"), ("//evil.example", None), ("https://evil.example", None), ("", None)],
)
def test_saving_returns_to_next_and_is_no_open_redirect(
    signed_in: Visitor, note_id: int, back: str, location: str | None
) -> None:
    answer = signed_in.submit(f"/notes/{note_id}", title="Books", content="four", version="1", next=back)
    assert answer.location == (location or "/notes")


def test_the_editor_keeps_next(signed_in: Visitor, note_id: int) -> None:
    page = signed_in.get(f"/notes/{note_id}/edit", query_string={"next": "/notes?tag=a&q=b"}).text
    assert 'name="next" value="/notes?tag=a&amp;q=b"' in page
    assert 'href="/notes?tag=a&amp;q=b">Cancel' in page


@pytest.mark.parametrize("version", ["", "x", "-1", "1.0", "١", str(2**31), "9" * 30, "9" * 5000])
def test_a_version_that_no_page_sent_is_422(signed_in: Visitor, alice: User, note_id: int, version: str) -> None:
    answer = signed_in.submit(f"/notes/{note_id}", title="t", content="c", version=version)
    assert answer.status_code == 422
    assert stored(alice, note_id) == ("Books", "three", 1)


def test_a_missing_version_is_422(signed_in: Visitor, alice: User, note_id: int) -> None:
    assert signed_in.submit(f"/notes/{note_id}", title="t", content="c").status_code == 422
    assert stored(alice, note_id) == ("Books", "three", 1)


def test_what_is_too_long_is_422_and_stays_in_the_editor(signed_in: Visitor, alice: User, note_id: int) -> None:
    answer = signed_in.submit(f"/notes/{note_id}", title="x" * 51, content="kept text", version="1")
    assert answer.status_code == 422
    assert "kept text" in answer.text
    assert stored(alice, note_id) == ("Books", "three", 1)


@pytest.mark.parametrize("action", ["", "/delete", "/restore", "/pin"])
def test_another_users_note_is_404_and_unchanged(app: Flask, alice: User, bob: User, note_id: int, action: str) -> None:
    answer = browser_of(app, bob).submit(f"/notes/{note_id}{action}", title="t", content="c", version="1", pinned="1")
    assert answer.status_code == 404
    assert stored(alice, note_id) == ("Books", "three", 1)
    assert not service.get_note(alice.id, note_id).pinned


def test_another_users_note_is_404_even_with_a_bad_form(app: Flask, bob: User, note_id: int) -> None:
    answer = browser_of(app, bob).submit(f"/notes/{note_id}", title="x" * 51, content="c", version="1")
    assert answer.status_code == 404
