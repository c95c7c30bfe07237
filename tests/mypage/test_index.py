"""My page as one sees it."""

from flask import Flask
from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from tests.conftest import PASSWORD, browser_of
from tests.visitor import Visitor


def test_it_shows_who_one_is_and_since_when(signed_in: Visitor, alice: User) -> None:
    db.session.execute(text("UPDATE users SET created_at = '2026-03-31 20:00+00'"))
    db.session.commit()
    page = signed_in.get("/mypage").text
    assert "<h1><bdi>alice</bdi></h1>" in page
    assert "alice@example.com" in page
    assert "With us since March 2026" in page


def test_the_month_is_the_readers(signed_in: Visitor, alice: User) -> None:
    """In Seoul it was April already."""
    db.session.execute(text("UPDATE users SET created_at = '2026-03-31 20:00+00', language = 'ko'"))
    db.session.commit()
    assert "2026년 4월부터 함께했어요" in signed_in.get("/mypage").text


def test_without_a_photo_the_initial_stands_on_a_colour_of_ones_own(app: Flask, alice: User, bob: User) -> None:
    for user, initial in ((alice, "A"), (bob, "B")):
        page = browser_of(app, user).get("/mypage").text
        assert f'<span class="portrait colour-{user.id % 6}" aria-hidden="true">{initial}</span>' in page


def test_a_nickname_is_text(app: Flask, alice: User) -> None:
    alice.nickname = '<b>"&'
    db.session.commit()
    page = browser_of(app, alice).get("/mypage").text
    assert "<b>&#34;" not in page
    assert "&lt;b&gt;&#34;&amp;" in page


def test_one_can_sign_out_there(signed_in: Visitor) -> None:
    assert 'action="/sign-out"' in signed_in.get("/mypage").text.partition("<main")[2].partition("</main>")[0]


def test_a_stranger_sees_nothing(client: Visitor, alice: User) -> None:
    for path in ("/mypage", "/mypage/edit"):
        assert client.get(path).location == f"/sign-in?next={path}"
    assert client.sign_in("alice@example.com", PASSWORD + "x").status_code == 422
    assert client.get("/mypage").status_code == 302
