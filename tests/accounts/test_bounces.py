"""Mail to an account that is refused for good is noted, its owner is told, and nobody else can have it noted."""

from contextlib import suppress

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import letters
from app.accounts.letters import MAX_SIZE, NotAReport, read_report
from app.accounts.models import User
from app.extensions import db
from app.jobs.queue import queue
from app.mail.message import TAG
from app.mail.smtp import MailUnavailable, RelayRefused
from tests.accounts.conftest import Post
from tests.conftest import PASSWORD
from tests.mail.bounced import SERVERS, report
from tests.queued import queued
from tests.visitor import Visitor

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


def test_notices_are_sent_no_more_but_what_the_owner_asks_for_is(
    post: Post, client: Visitor, signed_in: Visitor, alice: User
) -> None:
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
    reports = [report(server, "1.abc", *other) for server in SERVERS for other in others]
    assert [raw for raw in reports if read_report(raw).is_about_mailbox] == []


def test_a_report_that_a_stranger_wrote_or_of_something_else_changes_nothing(
    app: Flask, alice: User, bob: User
) -> None:
    of_bob = tag(app, bob).partition(".")[2]
    own = ["", f".{'0' * 32}", ".\u0660", f".{of_bob}"]
    for forged in ["", "1", *(f"{alice.id}{end}" for end in own), f"{'9' * 30}.{'0' * 32}", "-1.x"]:
        with app.app_context(), pytest.raises(letters.UnknownTag):
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
    db.session.execute(update(User).values(email="new@example.com", email_refused_at=None))
    db.session.commit()
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
        with pytest.raises(NotAReport):
            read_report(raw)


def test_a_report_that_is_cut_off_anywhere_is_read_or_refused() -> None:
    for whole in (report(server, "1.abc") for server in SERVERS):
        for length in range(0, len(whole), 7):
            with suppress(NotAReport):
                read_report(whole[:length])
