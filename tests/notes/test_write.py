"""Creating and reading a note: what is stored as it was typed, and what is refused."""

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db
from app.notes import listing, service
from app.notes.models import Note
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor, token_of


def test_it_works(signed_in: Visitor) -> None:
    assert signed_in.submit("/notes", title="Books", content="Three of them").location == "/notes#new-note"
    assert "Three of them" in signed_in.get("/notes").text


@pytest.mark.parametrize(
    ("title", "content"),
    [
        ("x" * 51, "text"),
        ("title", "x" * 2001),
        ("", ""),
        ("  ", " \n "),
        ("ti\x00tle", "text"),
        ("title", "te\x00xt"),
        ("title", "te\x1bxt"),
        ("two\nlines", "text"),
    ],
)
def test_it_refuses_and_keeps_what_was_typed(signed_in: Visitor, title: str, content: str) -> None:
    before = row_counts()
    answer = signed_in.submit("/notes", title=title, content=content)
    assert answer.status_code == 422
    assert 'class="error"' in answer.text
    assert content.strip()[:10] in answer.text
    assert row_counts() == before


def test_the_empty_form_holds_nothing_of_the_reader_who_saw_it_first(app: Flask, alice: User, bob: User) -> None:
    """It is compiled into the page with the first request of a process, here a refused form."""
    app.jinja_env.__dict__.pop("overlays", None)  # as if the process had just started
    first, second = browser_of(app, alice), browser_of(app, bob)
    refused = first.submit("/notes", title="alice's title" * 9, content="alice's text")
    assert refused.status_code == 422
    page = second.get("/notes").text
    assert "alice" not in page
    assert token_of(page) not in refused.text
    assert page.count('name="csrf_token"') == refused.text.count('name="csrf_token"')
    assert 'name="title" placeholder="Title" type="text" value=""' in page


@pytest.mark.parametrize(("title", "content"), [("only a title", ""), ("", "only a text")])
def test_one_of_title_and_text_is_enough(signed_in: Visitor, title: str, content: str) -> None:
    assert signed_in.submit("/notes", title=title, content=content).status_code == 302


@pytest.mark.parametrize(
    ("title", "content"),
    [("제목" * 25, "가" * 2000), ("😀" * 50, "😀" * 2000), ("x" * 50, "line\r\n" * 400)],
)
def test_lengths_are_counted_in_code_points_with_line_feeds(signed_in: Visitor, title: str, content: str) -> None:
    assert signed_in.submit("/notes", title=title, content=content).status_code == 302


def test_decomposed_hangul_is_stored_composed_and_counted_so(signed_in: Visitor) -> None:
    assert signed_in.submit("/notes", title="\u1103\u1161\u11af" * 50, content="").status_code == 302
    assert db.session.query(Note.title).scalar() == "달" * 50


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "{{ 7*7 }}", "'; DROP TABLE users; --", "\u202eright to left", "a\u200bb",
     "%s %d %(x)s", "\\x00", "\uffff", "ﷺ", "line one\n\n  line two", "&lt;b&gt;", "\t tab"],
)  # fmt: skip
def test_any_visible_text_is_stored_as_it_was_typed_and_is_no_xss(signed_in: Visitor, alice: User, text: str) -> None:
    assert signed_in.submit("/notes", title="t", content=text).status_code == 302
    [note] = listing.list_notes(alice.id).notes
    assert service.get_note(alice.id, note.id).content == text
    page = signed_in.get(f"/notes/{note.id}").text
    assert "<script>" not in page
    assert ">49<" not in page


def test_a_note_of_a_deleted_account_is_refused(alice: User) -> None:
    db.session.delete(alice)
    db.session.commit()
    with pytest.raises(AccountGone):
        service.create_note(alice.id, "late", "")
    assert row_counts()["notes"] == 0


def test_another_violated_constraint_surfaces_and_signs_nobody_out(signed_in: Visitor, alice: User) -> None:
    db.session.execute(text("ALTER TABLE notes ADD CONSTRAINT fk_notes_title_users CHECK (title <> 'wrong') NOT VALID"))
    before = row_counts()
    with pytest.raises(IntegrityError, match="fk_notes_title_users"):
        service.create_note(alice.id, "wrong", "")
    assert row_counts() == before
    assert signed_in.get("/notes").status_code == 200


def test_another_users_note_is_not_found(app: Flask, alice: User, bob: User) -> None:
    note_id = service.create_note(alice.id, "secret", "text")
    stranger = browser_of(app, bob)
    assert stranger.get(f"/notes/{note_id}").status_code == 404
    assert stranger.get(f"/notes/{note_id}/edit").status_code == 404
    assert "secret" not in stranger.get("/notes").text
