"""The address of an account: a new one counts once its link is opened, and an old one is confirmed by a link.

Mail that it refuses for good is noted, its owner is told, and nobody else can have it noted.
"""

import itertools
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import letters
from app.accounts import service as accounts
from app.accounts.letters import MAX_SIZE, NothingNoted, read_report
from app.accounts.models import User
from app.extensions import db
from app.jobs.queue import queue
from app.mail.message import TAG
from app.mail.smtp import MailUnavailable, RelayRefused
from tests.accounts.conftest import CAROL, Post, path_in
from tests.conftest import PASSWORD, browser_of
from tests.database import commit, same_row_counts
from tests.mail.bounced import SERVERS, report
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


ALICE = "alice@example.com"
COMES_BACK = "Our email to you bounces"
REFUSED = "550 5.1.1 no such user"
NO_REPORT = bytes(range(256)) * 100


def is_noted() -> bool:
    return db.session.scalar(select(func.count()).select_from(User).where(User.email_refused_at.is_not(None))) == 1


def note(user: User) -> None:
    letters.note_refusal(user.id, user.email)


def pipe(app: Flask, raw: bytes, exit_code: int = 0) -> str:
    ran = app.test_cli_runner().invoke(args=["mail", "bounced"], input=raw)
    assert ran.exit_code == exit_code, ran.output
    return ran.output


def tag(app: Flask, user: User) -> str:
    with app.app_context():
        return letters.tags(user.id, user.email)[0]


def test_a_recipient_that_the_server_refuses_for_good_is_noted_and_the_owner_is_told(
    post: Post, client: Visitor, signed_in: Visitor, alice: User
) -> None:
    assert COMES_BACK not in signed_in.get("/mypage").text
    client.submit("/forgot-password", email=ALICE)
    post.mailbox.at_recipient = REFUSED
    assert post.deliver() == []
    assert is_noted()
    assert queued() == []
    page = signed_in.get("/mypage").text
    assert COMES_BACK in page
    assert 'href="/mypage/edit#email-title"' in page
    assert 'id="email-title"' in signed_in.get("/mypage/edit").text


def test_a_refusal_of_us_says_nothing_of_the_mailbox(post: Post, client: Visitor, alice: User) -> None:
    """tests/mail/test_replies.py has what servers say."""
    for reply, raised in (("550 relay not permitted", RelayRefused), ("451 later", MailUnavailable)):
        client.submit("/forgot-password", email=ALICE)
        post.mailbox.at_recipient = reply
        with pytest.raises(raised):
            post.deliver()
    assert not is_noted()


def test_a_refused_letter_to_another_address_says_nothing_of_the_accounts(post: Post, signed_in: Visitor) -> None:
    signed_in.submit("/mypage/email", new_email="typo@example.com", password_for_email=PASSWORD)
    [_notice, (task, arguments)] = queued()
    assert list(post.letters()) == [ALICE, "typo@example.com"]
    post.mailbox.at_recipient = REFUSED
    with post.app.app_context():
        queue.tasks[task](**arguments)
    signed_in.submit("/sign-up", email="nobody@example.com")
    assert post.deliver() == []
    assert not is_noted()


def test_no_notice_is_sent_but_what_is_asked_for(post: Post, client: Visitor, signed_in: Visitor, alice: User) -> None:
    note(alice)
    fields = {"current_password": PASSWORD, "new_password": "another long enough sentence"}
    assert signed_in.submit("/mypage/password", **fields).status_code == 302
    assert post.letters() == {}
    client.submit("/forgot-password", email=ALICE)
    assert list(post.letters()) == [ALICE]
    signed_in.submit("/mypage/confirm-email")
    assert list(post.letters()) == [ALICE]


def test_a_link_that_is_opened_a_new_password_by_mail_or_a_new_address_clears_the_note(
    post: Post, client: Visitor, signed_in: Visitor, alice: User
) -> None:
    note(alice)
    signed_in.submit("/mypage/confirm-email")
    signed_in.submit(post.link(ALICE))
    assert not is_noted()
    assert COMES_BACK not in signed_in.get("/mypage").text
    note(alice)
    signed_in.submit("/mypage/email", new_email="new@example.com", password_for_email=PASSWORD)
    signed_in.submit(post.link("new@example.com"))
    assert not is_noted()
    note(alice)  # a notice to the address of before
    assert not is_noted()
    letters.note_refusal(alice.id, "new@example.com")
    assert is_noted()
    client.submit("/forgot-password", email="new@example.com")
    client.submit(post.link("new@example.com"), new_password="another long enough sentence")
    assert not is_noted()


def test_a_report_of_a_permanent_failure_is_noted(post: Post, client: Visitor, alice: User, bob: User) -> None:
    client.submit("/forgot-password", email=ALICE)
    tag_of_letter = str(post.letters()[ALICE][TAG])
    for server in SERVERS:
        db.session.execute(update(User).values(email_refused_at=None))
        assert "Noted" in pipe(post.app, report(server, tag_of_letter)), server
        assert list(db.session.scalars(select(User.id).where(User.email_refused_at.is_not(None)))) == [alice.id]


def test_any_other_report_is_not_about_the_mailbox() -> None:
    others = [("delivered", "2.0.0"), ("failed", "4.2.2"), ("failed", "5.7.1"), ("delayed", "5.1.1"),
              ("failed", ""), ("", "5.1.1"), ("failed", "5"), ("failed", "55.1.1")]  # fmt: skip
    for server, other in itertools.product(SERVERS, others):
        with pytest.raises(NothingNoted, match="for no fault of the mailbox"):
            read_report(report(server, "1.abc", *other))


def test_a_report_by_a_stranger_or_of_something_else_changes_nothing(app: Flask, alice: User, bob: User) -> None:
    of_bob = tag(app, bob).partition(".")[2]
    own = ["", f".{'0' * 32}", ".\u0660", f".{of_bob}"]
    for forged in ["", "1", *(f"{alice.id}{end}" for end in own), f"{'9' * 30}.{'0' * 32}", "-1.x"]:
        with app.app_context(), pytest.raises(NothingNoted):
            letters.note_bounce(forged)
    of_alice = tag(app, alice)
    assert "it is not about a mail of ours" in pipe(app, report("postfix", "1"))
    assert "may still be" in pipe(app, report("postfix", of_alice, "delayed", "4.4.1"))
    assert "not a delivery status notification" in pipe(app, NO_REPORT)
    assert "larger than" in pipe(app, report("postfix", of_alice) + b"\r\n" * MAX_SIZE, exit_code=1)
    assert not is_noted()


def test_a_tag_counts_after_the_secret_key_was_changed_and_not_after_the_address_was(
    app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_before = tag(app, alice)
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [app.config["SECRET_KEY"]])
    monkeypatch.setitem(app.config, "SECRET_KEY", "k" * 40)
    assert "Noted" in pipe(app, report("postfix", of_before))
    commit(update(User).values(email="new@example.com", email_refused_at=None))
    assert "Nothing was noted" in pipe(app, report("gmail", of_before))
    assert not is_noted()


def test_what_is_no_report_is_refused() -> None:
    inner = b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n'
    for raw in (
        b"",
        NO_REPORT,
        b"Content-Type: multipart/report\r\n\r\nAction: failed\r\nStatus: 5.1.1",  # without a boundary
        b"".join(inner % (depth, depth) for depth in range(5000)),
        b"Content-Type: message/rfc822\r\n\r\n" * 5000,
        b"X: " + b"a " * 450_000,
        b'Content-Type: text/plain; charset="no-such"\r\n\r\nx',
    ):
        with pytest.raises(NothingNoted, match="not a delivery status notification"):
            read_report(raw)


def test_a_report_that_is_cut_off_anywhere_is_read_or_refused() -> None:
    for whole in (report(server, "1.abc") for server in SERVERS):
        for length in range(0, len(whole), 7):
            with suppress(NothingNoted):
                read_report(whole[:length])
