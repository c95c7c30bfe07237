"""Confirmation of an address: the link of the mail after sign-up. Without it nothing is closed."""

from sqlalchemy import func, select, text, update

from app import rate_limits
from app.accounts import tokens
from app.accounts.models import AccountToken, User
from app.extensions import db
from tests.accounts.conftest import Post
from tests.conftest import PASSWORD
from tests.database import row_counts
from tests.queued import queued
from tests.visitor import Visitor

CAROL = {"email": "carol@example.com", "nickname": "carol", "password": PASSWORD}
NOT_CONFIRMED = "not confirmed yet"


def is_confirmed() -> bool:
    return db.session.scalar(select(User.email_confirmed_at)) is not None


def test_signing_up_sends_a_link_that_confirms_the_address(post: Post, client: Visitor) -> None:
    assert client.submit("/sign-up", **CAROL).location == "/notes"
    assert NOT_CONFIRMED in client.get("/mypage").text
    link = post.link(CAROL["email"])
    assert CAROL["email"] in client.get(link).text
    assert not is_confirmed()
    assert client.submit(link).location == "/mypage"
    assert is_confirmed()
    assert NOT_CONFIRMED not in client.get("/mypage").text


def test_looking_at_the_page_confirms_nothing(post: Post, client: Visitor) -> None:
    client.submit("/sign-up", **CAROL)
    link = post.link(CAROL["email"])
    before = row_counts()
    assert [client.get(link).status_code, client.head(link).status_code] == [200, 200]
    assert not is_confirmed()
    assert row_counts() == before


def test_the_link_needs_no_session_and_makes_none(post: Post, client: Visitor) -> None:
    """A mail is often opened on the phone."""
    client.submit("/sign-up", **CAROL)
    link = post.link(CAROL["email"])
    phone = Visitor(client.application)
    assert phone.submit(link).location == "/sign-in"
    assert is_confirmed()
    assert phone.get("/notes").status_code == 302


def test_the_link_works_once_and_for_half_an_hour(post: Post, client: Visitor) -> None:
    client.submit("/sign-up", **CAROL)
    link = post.link(CAROL["email"])
    db.session.execute(update(AccountToken).values(expires_at=func.now()))
    db.session.commit()
    assert client.submit(link).status_code == 410
    assert not is_confirmed()
    db.session.execute(update(AccountToken).values(expires_at=func.now() + tokens.LIFETIME))
    db.session.commit()
    assert client.submit(link).status_code == 302
    assert client.submit(link).status_code == 410


def test_a_new_link_can_be_asked_for(post: Post, client: Visitor) -> None:
    client.submit("/sign-up", **CAROL)
    db.session.execute(text("DELETE FROM procrastinate_jobs"))
    db.session.commit()
    assert client.submit("/mypage/confirm-email").location == "/mypage"
    client.submit(post.link(CAROL["email"]))
    assert is_confirmed()


def test_a_sign_up_that_is_refused_sends_nothing(post: Post, client: Visitor, alice: User) -> None:
    assert client.submit("/sign-up", **{**CAROL, "nickname": "alice"}).status_code == 422
    assert client.submit("/sign-up", **{**CAROL, "email": "alice@example.com"}).status_code == 422
    assert queued() == []


def test_an_account_that_never_confirmed_can_do_everything(post: Post, client: Visitor) -> None:
    client.submit("/sign-up", **CAROL)
    assert client.submit("/notes", title="a note", content="").status_code == 302
    assert client.submit("/mypage/nickname", nickname="Carolina").location == "/mypage"
    assert client.submit("/mypage/delete", password=PASSWORD).location == "/"


def test_without_mail_nothing_asks_for_a_confirmation(client: Visitor, signed_in: Visitor) -> None:
    assert NOT_CONFIRMED not in signed_in.get("/mypage").text
    assert signed_in.submit("/mypage/confirm-email").status_code == 404
    assert queued() == []


def test_the_link_is_sent_again_only_so_often(post: Post, client: Visitor) -> None:
    client.submit("/sign-up", **CAROL)
    for _ in range(rate_limits.MAILS_TO.capacity):
        assert client.submit("/mypage/confirm-email").location == "/mypage"
    waiting = queued()
    assert client.submit("/mypage/confirm-email").status_code == 429
    assert queued() == waiting
