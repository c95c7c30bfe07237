"""The address of an account: a new one counts once its link is opened, and an old one is confirmed by a link."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from tests.accounts.conftest import CAROL, Post, path_in
from tests.conftest import PASSWORD, browser_of
from tests.database import same_row_counts
from tests.mail.smtp_server import text_of
from tests.queued import queued
from tests.visitor import Visitor

OLD, NEW = "alice@example.com", "new@example.com"
NOT_CONFIRMED = "confirmed yet"


def ask(browser: Visitor, new: str = NEW) -> None:
    assert browser.submit("/mypage/email", new_email=new, password_for_email=PASSWORD).location == "/mypage"


def address_of(user: User) -> str | None:
    return db.session.scalar(select(User.email).where(User.id == user.id))


@pytest.fixture
def carol(app: Flask) -> Visitor:
    """Return the browser of somebody whose account is from before mail was sent."""
    return browser_of(app, accounts.sign_up(CAROL, "carol", PASSWORD))


def is_confirmed() -> bool:
    return db.session.scalar(select(User.email_confirmed_at)) is not None


def test_the_address_changes_when_the_link_is_used_and_other_sessions_end(
    app: Flask, post: Post, signed_in: Visitor, alice: User, bob: User
) -> None:
    phone, bobs = browser_of(app, alice), browser_of(app, bob)
    ask(signed_in)
    letters = post.letters()
    assert letters[OLD]["Subject"] == "Your email address is about to change"
    assert NEW not in text_of(letters[OLD])
    assert path_in(letters[OLD]) == "/forgot-password"
    link = path_in(letters[NEW])
    assert NEW in signed_in.get(link).text
    assert address_of(alice) == OLD
    assert signed_in.submit(link).location == "/mypage"
    assert address_of(alice) == NEW
    assert db.session.scalar(select(User.email_confirmed_at).where(User.id == alice.id)) is not None
    assert [browser.get("/notes").status_code for browser in (signed_in, phone, bobs)] == [200, 302, 200]


def test_a_link_works_without_a_session_ends_them_all_and_voids_the_other_link(
    post: Post, client: Visitor, signed_in: Visitor, alice: User
) -> None:
    ask(signed_in)
    first = post.link(NEW)
    ask(signed_in, "other@example.com")
    assert client.submit(post.link("other@example.com")).location == "/sign-in"
    assert client.submit(first).status_code == 410
    assert address_of(alice) == "other@example.com"
    assert signed_in.get("/notes").status_code == 302


def test_a_new_password_calls_off_what_no_worker_has_sent_yet(post: Post, signed_in: Visitor, alice: User) -> None:
    ask(signed_in)
    signed_in.submit("/mypage/password", current_password=PASSWORD, new_password="quite another sentence")
    assert {address for address, _letter in post.deliver()} == {OLD}


def test_an_address_that_has_an_account_gets_no_link_and_the_asker_is_not_told(
    post: Post, signed_in: Visitor, alice: User, bob: User
) -> None:
    ask(signed_in, "bob@example.com")
    letter = post.letters()["bob@example.com"]
    assert letter["Subject"] == "This address already has an account"
    assert path_in(letter) == "/sign-in"


def test_an_address_that_was_taken_meanwhile_is_refused_and_changes_nothing(
    app: Flask, post: Post, signed_in: Visitor, alice: User, bob: User
) -> None:
    """The unique constraint decides."""
    phone = browser_of(app, alice)
    ask(signed_in)
    link = post.link(NEW)
    bobs = browser_of(app, bob)
    ask(bobs)
    bobs.submit(post.link(NEW))
    with same_row_counts():
        assert signed_in.submit(link).location == "/mypage"
        assert "Another account uses this address now" in signed_in.get("/mypage").text
        assert (address_of(alice), address_of(bob)) == (OLD, NEW)
        assert phone.get("/notes").status_code == 200


def test_an_invalid_form_is_refused_and_sends_nothing(post: Post, signed_in: Visitor, alice: User) -> None:
    with same_row_counts():
        for new_email, password, sentence in (
            (NEW, "not my password", "isn&#39;t your password"),
            ("new@", PASSWORD, "full email"),
            ("=?utf-8?q?a=2Cb?=@x.example", PASSWORD, "full email"),
        ):
            answer = signed_in.submit("/mypage/email", new_email=new_email, password_for_email=password)
            assert (answer.status_code, sentence in answer.text) == (422, True), new_email
    assert queued() == []


def test_a_link_confirms_the_address(post: Post, carol: Visitor) -> None:
    carol.submit("/mypage/confirm-email")
    assert NOT_CONFIRMED in carol.get("/mypage").text
    link = post.link(CAROL)
    with same_row_counts():
        assert CAROL in carol.get(link).text
        assert carol.head(link).status_code == 200
    assert not is_confirmed()
    assert carol.submit(link).location == "/mypage"
    assert is_confirmed()
    assert NOT_CONFIRMED not in carol.get("/mypage").text


def test_in_development_signing_up_sends_the_mail_that_my_page_speaks_of(
    app: Flask, client: Visitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(app.config, "MAIL_FOLDER", tmp_path)
    assert client.submit("/sign-up", email=CAROL, nickname="carol", password=PASSWORD).location == "/notes"
    assert "Open the link in our email" in client.get("/mypage").text
    assert [task for task, _ in queued()] == ["accounts.send_confirmation"]


def test_the_link_needs_no_session_and_makes_none(post: Post, carol: Visitor) -> None:
    """A mail is often opened on the phone."""
    carol.submit("/mypage/confirm-email")
    link = post.link(CAROL)
    phone = Visitor(carol.application)
    assert phone.submit(link).location == "/sign-in"
    assert is_confirmed()
    assert phone.get("/notes").status_code == 302
