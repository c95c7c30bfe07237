"""Changing the address: the new one counts once its link is opened; the old one is told at once."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.limits import rate_limits
from tests.accounts.conftest import Post, path_in
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.mail.smtp_server import text_of
from tests.queued import queued
from tests.visitor import Visitor

OLD, NEW = "alice@example.com", "new@example.com"


def ask(browser: Visitor, new: str = NEW) -> None:
    answer = browser.submit("/mypage/email", new_email=new, password_for_email=PASSWORD)
    assert answer.location == "/mypage"


def address_of(user: User) -> str | None:
    return db.session.scalar(select(User.email).where(User.id == user.id))


def test_the_address_changes_when_the_link_is_used(post: Post, signed_in: Visitor, alice: User) -> None:
    ask(signed_in)
    link = post.link(NEW)
    assert NEW in signed_in.get(link).text
    assert address_of(alice) == OLD
    assert signed_in.submit(link).location == "/mypage"
    assert address_of(alice) == NEW
    assert db.session.scalar(select(User.email_confirmed_at)) is not None


def test_the_old_address_is_told_before_anything_has_changed(post: Post, signed_in: Visitor, alice: User) -> None:
    ask(signed_in)
    letters = post.letters()
    assert letters.keys() == {OLD, NEW}
    assert letters[OLD]["Subject"] == "Your email address is about to change"
    assert NEW not in text_of(letters[OLD])
    assert path_in(letters[OLD]) == "/forgot-password"


def test_other_sessions_end_and_this_one_stays(
    app: Flask, post: Post, signed_in: Visitor, alice: User, bob: User
) -> None:
    phone, bobs = browser_of(app, alice), browser_of(app, bob)
    ask(signed_in)
    signed_in.submit(post.link(NEW))
    assert signed_in.get("/notes").status_code == 200
    assert phone.get("/notes").status_code == 302
    assert bobs.get("/notes").status_code == 200


def test_the_link_works_without_a_session_and_then_ends_them_all(
    post: Post, client: Visitor, signed_in: Visitor, alice: User
) -> None:
    ask(signed_in)
    link = post.link(NEW)
    assert client.submit(link).location == "/sign-in"
    assert address_of(alice) == NEW
    assert signed_in.get("/notes").status_code == 302


def test_of_two_links_the_one_that_is_used_counts_and_voids_the_other(
    post: Post, signed_in: Visitor, alice: User
) -> None:
    ask(signed_in)
    first = post.link(NEW)
    ask(signed_in, "other@example.com")
    second = post.link("other@example.com")
    assert signed_in.submit(second).status_code == 302
    assert signed_in.submit(first).status_code == 410
    assert address_of(alice) == "other@example.com"


def test_a_new_password_calls_the_change_off(post: Post, client: Visitor, signed_in: Visitor, alice: User) -> None:
    """What the letter to the old address promises."""
    ask(signed_in)
    link = post.link(NEW)
    client.submit("/forgot-password", email=OLD)
    client.submit(post.link(OLD), new_password="quite another sentence")
    assert client.submit(link).status_code == 410
    assert address_of(alice) == OLD


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
    before = row_counts()
    assert signed_in.submit(link).location == "/mypage"
    assert "Another account uses this address now" in signed_in.get("/mypage").text
    assert (address_of(alice), address_of(bob)) == (OLD, NEW)
    assert phone.get("/notes").status_code == 200
    assert row_counts() == before


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"new_email": NEW, "password_for_email": "not my password"}, "isn&#39;t your password"),
        ({"new_email": NEW, "password_for_email": ""}, "enter your password"),
        ({"new_email": "", "password_for_email": PASSWORD}, "enter your email"),
        ({"new_email": "new@", "password_for_email": PASSWORD}, "full email"),
        ({"new_email": "a@example.com\r\nBcc: b@example.com", "password_for_email": PASSWORD}, "full email"),
        ({"new_email": "=?utf-8?q?a=2Cb?=@x.example", "password_for_email": PASSWORD}, "full email"),
    ],
)
def test_an_invalid_form_is_refused_and_sends_nothing(
    post: Post, signed_in: Visitor, alice: User, fields: dict[str, str], sentence: str
) -> None:
    before = row_counts()
    answer = signed_in.submit("/mypage/email", **fields)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert row_counts() == before
    assert queued() == []


def test_without_mail_nothing_is_offered(signed_in: Visitor, alice: User) -> None:
    assert "/mypage/email" not in signed_in.get("/mypage/edit").text
    answer = signed_in.submit("/mypage/email", new_email=NEW, password_for_email=PASSWORD)
    assert answer.status_code == 404
    assert queued() == []


def test_only_so_many_wrong_passwords_are_tried(post: Post, signed_in: Visitor, alice: User) -> None:
    for number in range(rate_limits.PASSWORD_BY_PERSON.capacity):
        fields = {"new_email": f"{number}@example.com", "password_for_email": "another sentence"}
        assert signed_in.submit("/mypage/email", **fields).status_code == 422
    answer = signed_in.submit("/mypage/email", new_email=NEW, password_for_email=PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "360")
    assert f'value="{NEW}"' in answer.text
    assert queued() == []


def test_one_person_sends_only_so_many_links(post: Post, signed_in: Visitor, alice: User) -> None:
    for _ in range(rate_limits.EMAIL_CHANGES.capacity):
        ask(signed_in)
    waiting = queued()
    assert signed_in.submit("/mypage/email", new_email=NEW, password_for_email=PASSWORD).status_code == 429
    assert queued() == waiting
