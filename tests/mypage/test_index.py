"""My page, as its owner sees it."""

from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from tests.visitor import Visitor


def test_my_page_shows_the_initial_the_escaped_nickname_the_email_and_the_month_of_sign_up(
    signed_in: Visitor, alice: User
) -> None:
    db.session.execute(text("UPDATE users SET created_at = '2026-03-31 20:00+00', nickname = 'a<b>&'"))
    db.session.commit()
    page = signed_in.get("/mypage").text
    assert "<h1><bdi>a&lt;b&gt;&amp;</bdi></h1>" in page
    assert "a<b>" not in page
    assert f'<span class="portrait colour-{alice.id % 6}" aria-hidden="true">A</span>' in page
    assert "alice@example.com" in page
    assert "With us since March 2026" in page


def test_the_month_of_sign_up_is_in_the_readers_time_zone(signed_in: Visitor, alice: User) -> None:
    """20:00 UTC on 31 March is already April in Seoul."""
    db.session.execute(text("UPDATE users SET created_at = '2026-03-31 20:00+00', language = 'ko'"))
    db.session.commit()
    assert "2026년 4월부터 함께했어요" in signed_in.get("/mypage").text
