"""Account recovery: a link in a mail sets a new password, once, for half an hour. Nobody learns who has an account."""

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import service as accounts
from app.accounts import tokens
from app.accounts.models import AccountToken, User, UserSession
from app.extensions import db
from app.limits import rate_limits
from tests.accounts.conftest import Post
from tests.accounts.test_password import NEW, password_is
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.mail.smtp_server import text_of
from tests.queued import queued
from tests.visitor import TOKEN, Visitor

ALICE = "alice@example.com"


def ask(client: Visitor, post: Post) -> str:
    """The path of a link for alice."""
    assert client.submit("/forgot-password", email=ALICE).status_code == 200
    return post.link(ALICE)


def test_the_link_sets_a_new_password(post: Post, client: Visitor, alice: User) -> None:
    link = ask(client, post)
    assert ALICE in client.get(link).text
    answer = client.submit(link, new_password=NEW)
    assert answer.location == "/sign-in"
    assert password_is(alice, NEW)
    assert client.sign_in(ALICE, NEW).location == "/notes"


def test_the_link_works_once(post: Post, client: Visitor, alice: User) -> None:
    link = ask(client, post)
    client.submit(link, new_password=NEW)
    again = client.submit(link, new_password="a third long sentence")
    assert again.status_code == 410
    assert "Request a new link" in again.text
    assert password_is(alice, NEW)


def test_looking_at_the_page_uses_nothing_up(post: Post, client: Visitor, alice: User) -> None:
    """Programs that look for malware open every link of a mail."""
    link = ask(client, post)
    before = row_counts()
    assert [client.get(link).status_code for _ in range(3)] == [200, 200, 200]
    assert client.head(link).status_code == 200
    assert row_counts() == before
    assert password_is(alice, PASSWORD)


def test_a_new_password_ends_all_sessions_and_all_other_links_of_the_account_only(
    app: Flask, post: Post, client: Visitor, alice: User, bob: User
) -> None:
    phone, bobs = browser_of(app, alice), browser_of(app, bob)
    older, link = ask(client, post), ask(client, post)
    client.submit("/forgot-password", email="bob@example.com")
    bobs_link = post.link("bob@example.com")
    client.submit(link, new_password=NEW)
    assert phone.get("/notes").status_code == 302
    assert bobs.get("/notes").status_code == 200
    assert client.get(older).status_code == 410
    assert client.get(bobs_link).status_code == 200


def test_a_new_password_signs_nobody_in(post: Post, client: Visitor, alice: User) -> None:
    client.submit(ask(client, post), new_password=NEW)
    assert client.get("/notes").status_code == 302
    assert db.session.scalar(select(func.count()).select_from(UserSession)) == 0


def test_the_owner_is_told_that_the_password_was_changed(post: Post, client: Visitor, alice: User) -> None:
    client.submit(ask(client, post), new_password=NEW)
    [(address, letter)] = post.letters().items()
    assert address == ALICE
    assert letter["Subject"] == "Your password was changed"


def test_a_link_that_was_used_confirms_the_address(post: Post, client: Visitor, alice: User) -> None:
    client.submit(ask(client, post), new_password=NEW)
    assert db.session.scalar(select(User.email_confirmed_at).where(User.id == alice.id)) is not None


@pytest.mark.parametrize("password", ["", "short", "1234567890", "x1" * 65])
def test_a_password_that_the_policy_refuses_leaves_the_link_usable(
    post: Post, client: Visitor, alice: User, password: str
) -> None:
    link = ask(client, post)
    assert client.submit(link, new_password=password).status_code == 422
    assert password_is(alice, PASSWORD)
    assert client.get(link).status_code == 200


def test_an_expired_link_is_refused(post: Post, client: Visitor, alice: User) -> None:
    link = ask(client, post)
    db.session.execute(update(AccountToken).values(expires_at=func.now()))
    db.session.commit()
    assert client.get(link).status_code == 410
    assert client.submit(link, new_password=NEW).status_code == 410
    assert password_is(alice, PASSWORD)


@pytest.mark.parametrize("token", ["x", "A" * 43, "x" * 5000, "%00", "%EB%B0%98", "..%2f"])
def test_a_token_that_was_never_drawn_is_refused(post: Post, client: Visitor, alice: User, token: str) -> None:
    ask(client, post)
    assert client.get(f"/new-password/{token}").status_code in (404, 410)
    assert client.submit(f"/new-password/{token}", new_password=NEW).status_code in (404, 410)
    assert password_is(alice, PASSWORD)


def test_a_link_lives_for_half_an_hour_of_the_databases_clock(post: Post, client: Visitor, alice: User) -> None:
    ask(client, post)
    assert db.session.scalar(select(AccountToken.expires_at - func.now())) == tokens.LIFETIME


def test_a_known_and_an_unknown_address_get_the_same_answer_and_leave_the_same_job(
    post: Post, client: Visitor, alice: User
) -> None:
    known = client.submit("/forgot-password", email=ALICE)
    unknown = client.submit("/forgot-password", email="nobody@example.com")
    assert known.status_code == unknown.status_code == 200
    assert TOKEN.sub("", known.text) == TOKEN.sub("", unknown.text)
    assert [(task, sorted(arguments)) for task, arguments in queued()] == [
        ("accounts.send_reset_link", ["language", "user_id"])
    ] * 2
    assert list(post.letters()) == [ALICE]


def test_neither_the_queue_nor_the_table_holds_a_secret(post: Post, client: Visitor, alice: User) -> None:
    client.submit("/forgot-password", email=ALICE)
    assert ALICE not in str(queued())
    token = post.link(ALICE).rpartition("/")[2]
    stored = db.session.execute(text("SELECT account_tokens::text FROM account_tokens")).scalar_one()
    assert len(token) == 43
    assert token not in stored


@pytest.mark.parametrize(
    "email", ["", "alice", "alice@example.com\r\nBcc: bob@example.com", "=?utf-8?q?a=2Cb?=@x.example"]
)
def test_what_is_no_address_is_refused(post: Post, client: Visitor, alice: User, email: str) -> None:
    answer = client.submit("/forgot-password", email=email)
    assert answer.status_code == 422
    assert queued() == []


def test_the_letter_is_in_the_language_of_the_account_else_of_the_page(
    post: Post, client: Visitor, alice: User, bob: User
) -> None:
    db.session.execute(update(User).where(User.id == bob.id).values(language="en"))
    db.session.commit()
    client.set_cookie("language", "ko")
    for name in ("alice", "bob"):
        client.submit("/forgot-password", email=f"{name}@example.com")
    letters = post.letters()
    assert letters[ALICE]["Subject"] == "세미서클 비밀번호를 재설정해 주세요"
    assert letters["bob@example.com"]["Subject"] == "Reset your Semicircle password"


@pytest.mark.parametrize(
    "nickname", ["win at evil.example", "=?utf-8?q?a=2Cevil=40x.example?=", "a\r\nBcc: evil@x.example"]
)
def test_a_letter_holds_no_text_of_a_user(app: Flask, post: Post, client: Visitor, nickname: str) -> None:
    """A nickname may be an advertisement, or the line of a header."""
    accounts.sign_up("victim@example.com", nickname, PASSWORD)
    client.submit("/forgot-password", email="victim@example.com")
    [letter] = post.letters().values()
    assert "evil" not in letter.as_string()
    assert "evil" not in text_of(letter, "html")


def test_the_link_leads_to_our_site_whatever_host_was_asked(post: Post, client: Visitor, alice: User) -> None:
    token = client.csrf_token()
    client.post(
        "/forgot-password", data={"csrf_token": token, "email": ALICE}, headers={"X-Forwarded-Host": "evil.example"}
    )
    assert "evil" not in str(post.letters()[ALICE])


def test_a_job_that_comes_after_the_account_was_deleted_sends_nothing(post: Post, client: Visitor, alice: User) -> None:
    client.submit("/forgot-password", email=ALICE)
    db.session.execute(text("DELETE FROM users"))
    db.session.commit()
    assert post.letters() == {}


def test_without_mail_nothing_is_offered(client: Visitor, alice: User) -> None:
    assert "/forgot-password" not in client.get("/sign-in").text
    assert client.get("/forgot-password").status_code == 404
    assert client.submit("/forgot-password", email=ALICE).status_code == 404
    assert queued() == []


@pytest.mark.parametrize("email", [ALICE, "nobody@example.com"])
def test_one_mailbox_gets_only_so_many_links_whether_it_is_known_or_not(
    post: Post, client: Visitor, alice: User, email: str
) -> None:
    for _ in range(rate_limits.RESETS_TO.capacity):
        assert client.submit("/forgot-password", email=email).status_code == 200
    waiting = queued()
    answer = client.submit("/forgot-password", email=email)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "720")
    assert f'value="{email}"' in answer.text
    assert queued() == waiting
    assert client.submit("/forgot-password", email="bob@example.com").status_code == 200


def test_one_network_asks_for_only_so_many_links(post: Post, client: Visitor) -> None:
    for number in range(rate_limits.MAILS_BY_ADDRESS.capacity):
        client.submit("/forgot-password", email=f"{number}@example.com")
    waiting = queued()
    assert client.submit("/forgot-password", email=ALICE).status_code == 429
    assert queued() == waiting


def test_the_new_password_is_not_the_address(post: Post, client: Visitor, alice: User) -> None:
    answer = client.submit(ask(client, post), new_password=f"{ALICE}1")
    assert answer.status_code == 422
    assert "easy to guess" in answer.text
    assert password_is(alice, PASSWORD)
