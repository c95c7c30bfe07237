"""A new password: changed, or set by a link in a mail (password reset). Tokens are single use."""

from itertools import product

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import changes, hashing, tokens
from app.accounts import service as accounts
from app.accounts.models import AccountToken, User, UserSession
from app.accounts.tokens import TokenExpired
from app.extensions import db
from tests.accounts.conftest import AT_ONCE, Post, won
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.database import commit, right_before, row_counts, same_row_counts
from tests.mail.smtp_server import text_of
from tests.queued import queued
from tests.visitor import TOKEN, Visitor

NEW = "quite another sentence"
ALICE = "alice@example.com"


def password_is(user: User, password: str) -> bool:
    return hashing.matches(password, db.session.scalar(select(User.password_hash).where(User.id == user.id)))


def ask(client: Visitor, post: Post) -> str:
    assert client.submit("/forgot-password", email=ALICE).status_code == 200
    return post.link(ALICE)


def drawn(user: User) -> str:
    return tokens.draw(tokens.reserve(user.id, tokens.RESET_PASSWORD, user.email))[0]


def test_changing_the_password_ends_the_users_other_sessions_only_and_rotates_this_one(
    app: Flask, client: Visitor, alice: User, bob: User
) -> None:
    client.sign_in(ALICE, PASSWORD, remember="y")
    old = db.session.query(UserSession.token_hash).scalar()
    phone, bobs = browser_of(app, alice), browser_of(app, bob)
    assert client.submit("/mypage/password", current_password=PASSWORD, new_password=NEW).location == "/mypage"
    assert password_is(alice, NEW)
    assert [browser.get("/notes").status_code for browser in (client, phone, bobs)] == [200, 302, 200]
    row = db.session.query(UserSession).filter(UserSession.user_id == alice.id).one()
    assert row.token_hash != old
    assert (row.expires_at - row.created_at).days == 30, "with the lifetime of before"


def test_an_invalid_password_change_is_refused_and_ends_no_session(app: Flask, signed_in: Visitor, alice: User) -> None:
    phone = browser_of(app, alice)
    for current, new, sentence in (
        ("not my password", NEW, "isn&#39;t your current password"),
        (PASSWORD, "", "choose a password"),
        (PASSWORD, "short", "10 to 128"),
        (PASSWORD, "alice-2026!", "Others know this name"),
        ("x" * 200, NEW, "at most 128"),
    ):
        answer = signed_in.submit("/mypage/password", current_password=current, new_password=new)
        assert (answer.status_code, sentence in answer.text) == (422, True), sentence
    assert password_is(alice, PASSWORD)
    assert phone.get("/notes").status_code == 200


def test_the_link_sets_a_new_password_once_confirms_the_address_and_signs_nobody_in(
    post: Post, client: Visitor, alice: User
) -> None:
    link = ask(client, post)
    with same_row_counts():  # programs that look for malware open every link of a mail
        assert ALICE in client.get(link).text
        assert client.head(link).status_code == 200
    assert client.submit(link, new_password=NEW).location == "/sign-in"
    assert password_is(alice, NEW)
    assert client.get("/notes").status_code == 302
    assert db.session.scalar(select(func.count()).select_from(UserSession)) == 0
    assert db.session.scalar(select(User.email_confirmed_at).where(User.id == alice.id)) is not None
    [(address, letter)] = post.letters().items()
    assert (address, letter["Subject"]) == (ALICE, "Your password was changed")
    assert client.sign_in(ALICE, NEW).location == "/notes"
    again = client.submit(link, new_password="a third long sentence")
    assert (again.status_code, "Request a new link" in again.text, password_is(alice, NEW)) == (410, True, True)


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


def test_a_link_works_for_half_an_hour_also_after_a_refused_password(post: Post, client: Visitor, alice: User) -> None:
    """By the clock of the database. A token that nobody drew never works."""
    link = ask(client, post)
    stored = db.session.scalars(text("SELECT account_tokens::text FROM account_tokens")).one()
    assert link.rpartition("/")[2] not in stored
    assert db.session.scalar(select(AccountToken.expires_at - func.now())) == tokens.LIFETIME
    for password in ("short", f"{ALICE}1"):
        assert client.submit(link, new_password=password).status_code == 422, password
    assert client.get(link).status_code == 200
    commit(update(AccountToken).values(expires_at=func.now()))
    for path in (link, *(f"/new-password/{token}" for token in ("A" * 43, "x" * 5000, "%00", "..%2f"))):
        assert client.get(path).status_code in (404, 410), path
        assert client.submit(path, new_password=NEW).status_code in (404, 410), path
    assert password_is(alice, PASSWORD)


def test_a_known_and_an_unknown_or_deleted_address_get_the_same_answer_and_leave_the_same_job(
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
    client.submit("/forgot-password", email=ALICE)
    commit(text("DELETE FROM users"))
    assert post.letters() == {}


def test_the_letter_is_in_the_language_of_the_account_else_of_the_page(
    post: Post, client: Visitor, alice: User, bob: User
) -> None:
    commit(update(User).where(User.id == bob.id).values(language="en"))
    client.set_cookie("language", "ko")
    for name in ("alice", "bob"):
        client.submit("/forgot-password", email=f"{name}@example.com")
    letters = post.letters()
    assert letters[ALICE]["Subject"] == "세미서클 비밀번호를 재설정해 주세요"
    assert letters["bob@example.com"]["Subject"] == "Reset your Semicircle password"


def test_a_letter_holds_no_text_of_a_user_and_leads_to_our_site_whatever_the_host(post: Post, client: Visitor) -> None:
    """A nickname may be an advertisement, or the line of a header."""
    for email, nickname in ((ALICE, "win at evil.example"), ("bob@example.com", "a\r\nBcc: evil@x.example")):
        accounts.sign_up(email, nickname, PASSWORD)
        form = {"csrf_token": client.csrf_token(), "email": email}
        client.post("/forgot-password", data=form, headers={"X-Forwarded-Host": "evil.example"})
        [letter] = post.letters().values()
        assert "evil" not in letter.as_string() + text_of(letter, "html")


def test_of_concurrent_requests_one_uses_the_token(migrated: Flask) -> None:
    alice = accounts.sign_up(ALICE, "alice", PASSWORD)
    token, alice_id = drawn(alice), alice.id

    def try_it(number: int) -> None:
        changes.reset_password(token, f"sentence number {number}", "en", CLIENT)

    [winner] = won(migrated, try_it, range(AT_ONCE), TokenExpired)
    assert accounts.authenticate(ALICE, f"sentence number {winner}").id == alice_id


def test_a_token_serves_its_purpose_alone_until_it_is_drawn_again(app: Flask, alice: User) -> None:
    """The job runs again when the worker died between the letter and its end."""
    claim, token_id = (alice.id, alice.email), tokens.reserve(alice.id, tokens.CONFIRM_EMAIL, alice.email)
    first, token = (tokens.draw(token_id)[0] for _ in range(2))
    with pytest.raises(TokenExpired):
        tokens.read(first, tokens.CONFIRM_EMAIL)
    for purpose, act in product((tokens.RESET_PASSWORD, tokens.CHANGE_EMAIL), (tokens.read, tokens.use)):
        with pytest.raises(TokenExpired):
            act(token, purpose)
    assert tokens.read(token, tokens.CONFIRM_EMAIL) == claim


@pytest.mark.parametrize(
    ("step", "happens"),
    [(" FOR UPDATE", "DELETE FROM users"), ("DELETE FROM account_tokens", "DELETE FROM account_tokens")],
    ids=["the account is deleted", "the link is used"],
)
def test_a_link_that_ends_while_it_is_opened_does_nothing(alice: User, step: str, happens: str) -> None:
    token, before = drawn(alice), row_counts()
    with right_before(step, happens), pytest.raises(TokenExpired):
        tokens.use(token, tokens.RESET_PASSWORD)
    assert row_counts() == before
    assert tokens.read(token, tokens.RESET_PASSWORD) == (alice.id, ALICE), "the act was rolled back"


def test_a_link_to_an_address_that_was_changed_meanwhile_sets_no_password(app: Flask, alice: User) -> None:
    token, user_id = drawn(alice), alice.id
    commit(update(User).values(email="new@example.com"))
    with app.app_context(), pytest.raises(TokenExpired):
        changes.reset_password(token, "quite another sentence", "en", CLIENT)
    assert accounts.authenticate("new@example.com", PASSWORD).id == user_id
