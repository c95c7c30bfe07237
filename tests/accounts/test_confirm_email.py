"""Confirmation of the address of an account from before mail was sent. Without it nothing is closed."""

import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import service as accounts
from app.accounts import tokens
from app.accounts.models import AccountToken, User
from app.extensions import db
from app.limits import rate_limits
from tests.accounts.conftest import Post
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.mail.smtp_server import text_of
from tests.queued import queued, run_queued
from tests.visitor import Visitor

CAROL = "carol@example.com"
NOT_CONFIRMED = "confirmed yet"


@pytest.fixture
def carol(app: Flask) -> Visitor:
    """Her browser. Her account is from before mail was sent."""
    return browser_of(app, accounts.sign_up(CAROL, "carol", PASSWORD))


def is_confirmed() -> bool:
    return db.session.scalar(select(User.email_confirmed_at)) is not None


def test_a_link_confirms_the_address(post: Post, carol: Visitor) -> None:
    carol.submit("/mypage/confirm-email")
    assert NOT_CONFIRMED in carol.get("/mypage").text
    link = post.link(CAROL)
    assert CAROL in carol.get(link).text
    assert not is_confirmed()
    assert carol.submit(link).location == "/mypage"
    assert is_confirmed()
    assert NOT_CONFIRMED not in carol.get("/mypage").text


def test_in_development_signing_up_writes_the_mail_that_my_page_speaks_of(
    app: Flask, client: Visitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(app.config, "MAIL_FOLDER", tmp_path / "mail")
    monkeypatch.setitem(app.config, "MAIL_FROM", "semicircle@localhost.localdomain")
    monkeypatch.setitem(app.config, "SITE_URL", "http://localhost:5000")
    assert client.submit("/sign-up", email=CAROL, nickname="carol", password=PASSWORD).location == "/notes"
    assert "Open the link in our email" in client.get("/mypage").text
    run_queued(app)
    [file] = (tmp_path / "mail").iterdir()
    letter = message_from_bytes(file.read_bytes(), policy=default)
    assert letter["To"] == CAROL
    [link] = re.findall(r"http://localhost:5000(/confirm-email/\S+)", text_of(letter))
    client.submit(link)
    assert is_confirmed()
    assert NOT_CONFIRMED not in client.get("/mypage").text


def test_where_no_mail_is_sent_signing_up_promises_none(app: Flask, client: Visitor) -> None:
    client.submit("/sign-up", email=CAROL, nickname="carol", password=PASSWORD)
    assert queued() == []
    assert NOT_CONFIRMED not in client.get("/mypage").text


def test_looking_at_the_page_confirms_nothing(post: Post, carol: Visitor) -> None:
    carol.submit("/mypage/confirm-email")
    link = post.link(CAROL)
    before = row_counts()
    assert [carol.get(link).status_code, carol.head(link).status_code] == [200, 200]
    assert not is_confirmed()
    assert row_counts() == before


def test_the_link_needs_no_session_and_makes_none(post: Post, carol: Visitor) -> None:
    """A mail is often opened on the phone."""
    carol.submit("/mypage/confirm-email")
    link = post.link(CAROL)
    phone = Visitor(carol.application)
    assert phone.submit(link).location == "/sign-in"
    assert is_confirmed()
    assert phone.get("/notes").status_code == 302


def test_the_link_works_once_and_for_half_an_hour(post: Post, carol: Visitor) -> None:
    carol.submit("/mypage/confirm-email")
    link = post.link(CAROL)
    db.session.execute(update(AccountToken).values(expires_at=func.now()))
    db.session.commit()
    assert carol.submit(link).status_code == 410
    assert not is_confirmed()
    db.session.execute(update(AccountToken).values(expires_at=func.now() + tokens.LIFETIME))
    db.session.commit()
    assert carol.submit(link).status_code == 302
    assert carol.submit(link).status_code == 410


def test_an_account_that_never_confirmed_can_do_everything(post: Post, carol: Visitor) -> None:
    assert carol.submit("/notes", title="a note", content="").status_code == 302
    assert carol.submit("/mypage/nickname", nickname="Carolina").location == "/mypage"
    assert carol.submit("/mypage/delete", password=PASSWORD).location == "/"


def test_without_mail_nothing_asks_for_a_confirmation(signed_in: Visitor) -> None:
    assert NOT_CONFIRMED not in signed_in.get("/mypage").text
    assert signed_in.submit("/mypage/confirm-email").status_code == 404
    assert queued() == []


def test_the_link_is_sent_again_only_so_often(post: Post, carol: Visitor) -> None:
    for _ in range(rate_limits.EMAIL_CONFIRMATIONS.capacity):
        assert carol.submit("/mypage/confirm-email").location == "/mypage"
    waiting = queued()
    assert carol.submit("/mypage/confirm-email").status_code == 429
    assert queued() == waiting
