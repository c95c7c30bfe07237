"""My page, as its owner sees it."""

from flask import Flask
from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from tests.conftest import browser_of
from tests.visitor import Visitor


def test_my_page_shows_the_nickname_email_and_month_of_sign_up(signed_in: Visitor, alice: User) -> None:
    db.session.execute(text("UPDATE users SET created_at = '2026-03-31 20:00+00'"))
    db.session.commit()
    page = signed_in.get("/mypage").text
    assert "<h1><bdi>alice</bdi></h1>" in page
    assert "alice@example.com" in page
    assert "With us since March 2026" in page


def test_the_month_of_sign_up_is_in_the_readers_time_zone(signed_in: Visitor, alice: User) -> None:
    """20:00 UTC on 31 March is already April in Seoul."""
    db.session.execute(text("UPDATE users SET created_at = '2026-03-31 20:00+00', language = 'ko'"))
    db.session.commit()
    assert "2026년 4월부터 함께했어요" in signed_in.get("/mypage").text


def test_without_a_photo_the_initial_is_shown_on_the_users_colour(app: Flask, alice: User, bob: User) -> None:
    for user, initial in ((alice, "A"), (bob, "B")):
        page = browser_of(app, user).get("/mypage").text
        assert f'<span class="portrait colour-{user.id % 6}" aria-hidden="true">{initial}</span>' in page


def test_the_nickname_is_escaped(app: Flask, alice: User) -> None:
    alice.nickname = '<b>"&'
    db.session.commit()
    page = browser_of(app, alice).get("/mypage").text
    assert "<b>&#34;" not in page
    assert "&lt;b&gt;&#34;&amp;" in page
