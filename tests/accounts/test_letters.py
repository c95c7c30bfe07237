"""Letters: delivery and retries, notices to the old address, and rate limits of mails with a link."""

import logging
from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import service as accounts
from app.accounts import tasks, tokens
from app.accounts.models import Notice, User
from app.extensions import db
from app.jobs.queue import MOST_ATTEMPTS, queue
from app.limits import rate_limits
from app.mail.smtp import MailUnavailable, RelayRefused
from tests.accounts.conftest import CAROL, LINK, Post, path_in, use_up
from tests.conftest import PASSWORD, browser_of
from tests.database import commit, right_before, row_counts
from tests.jobs.test_queue import seconds_until_retry
from tests.mail.smtp_server import text_of
from tests.queued import queued
from tests.visitor import Visitor

A_NIGHT_AGO = "created_at = created_at - interval '19 hours', expires_at = expires_at - interval '19 hours'"
LETTERS = [name for name in queue.tasks if name.startswith("accounts.send_")]
NEW_PASSWORD = "another long enough sentence"
ALICE, MALLORY, NEW = "alice@example.com", "mallory@example.com", "new@example.com"
WRONG = "not the password"
Ask = Callable[[Visitor, str], int]


def change_password(browser: Visitor) -> None:
    fields = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert browser.submit("/mypage/password", **fields).location == "/mypage"


def forgot_password(browser: Visitor, mailbox: str) -> int:
    return browser.submit("/forgot-password", email=mailbox).status_code


def sign_up(browser: Visitor, mailbox: str) -> int:
    return browser.submit("/sign-up", email=mailbox).status_code


def change_email(browser: Visitor, mailbox: str, password: str = PASSWORD) -> int:
    return browser.submit("/mypage/email", new_email=mailbox, password_for_email=password).status_code


def guess_password(browser: Visitor, mailbox: str) -> int:
    return change_email(browser, mailbox, WRONG)


def until_refused(ask: Ask, app: Flask, number: int, mailbox: str) -> None:
    """Let a stranger, with an account and a network of their own, ask again and again."""
    mallory = browser_of(app, accounts.sign_up(f"mallory{number}@example.com", f"mallory{number}", PASSWORD))
    mallory.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
    assert any(ask(mallory, mailbox) == 429 for _ in range(3))


def links_that_work(post: Post, browser: Visitor, mailbox: str) -> set[str]:
    """Return where the links in the mailbox lead, of those whose page is shown."""
    letters = [letter for address, letter in post.deliver() if address == mailbox]
    links = [link for letter in letters for link in LINK.findall(text_of(letter))]
    return {link.split("/")[1] for link in links if browser.get(link).status_code == 200}


STRANGERS_DOORS = [forgot_password, sign_up, change_email, guess_password]


def test_a_letter_that_is_not_taken_is_tried_again_for_a_day() -> None:
    """As long as a daily limit lasts, and in as many attempts as any job has."""
    assert LETTERS
    assert [name for name in LETTERS if queue.tasks[name].retry_strategy is not tasks.DELIVERY] == []
    for error in (MailUnavailable(), RelayRefused()):
        pauses = [seconds_until_retry(error, attempt, tasks.DELIVERY) for attempt in range(9)]
        assert pauses == [4, 16, 64, 256, 1024, 4096, 16384, 65536, None]
        assert sum(filter(None, pauses)) >= timedelta(days=1).total_seconds()
        assert len(pauses) <= MOST_ATTEMPTS


def test_a_permanent_refusal_ends_the_job_for_good(
    post: Post, client: Visitor, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    client.submit("/forgot-password", email=ALICE)
    post.mailbox.at_data = f"554 5.6.0 {ALICE}: message malformed"
    assert post.deliver() == []
    assert queued() == []
    assert "refused for good: this letter will never be taken at DATA, code 554 5.6.0" in caplog.text
    assert ALICE not in caplog.text
    assert db.session.scalar(select(User.email_refused_at)) is None  # which says nothing of the mailbox


@pytest.mark.parametrize("asks", [sign_up, change_email])
def test_a_night_between_two_attempts_loses_no_letter(post: Post, signed_in: Visitor, asks: Ask) -> None:
    """Each attempt draws the link, which expires before the next one."""
    asks(signed_in, NEW)
    (task, arguments) = queued()[-1]
    post.mailbox.at_data = "451 4.3.0 later"
    with post.app.app_context(), pytest.raises(MailUnavailable):
        queue.tasks[task](**arguments)
    for table in ("sign_up_links", "account_tokens"):
        db.session.execute(text(f"UPDATE {table} SET {A_NIGHT_AGO}"))
    db.session.commit()
    tasks.purge_expired_tokens(0)
    post.mailbox.at_data = "250 OK"
    with post.app.app_context():
        queue.tasks[task](**arguments)
    assert post.mailbox.recipients == [NEW]
    assert signed_in.get(path_in(post.mailbox.messages[-1])).status_code == 200


def test_a_letter_whose_link_is_gone_says_so(post: Post, client: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "app")
    sign_up(client, NEW)
    commit(text("DELETE FROM sign_up_links"))
    assert post.deliver() == []
    assert "not worth sending any more" in caplog.text


@pytest.mark.parametrize("happens", [lambda browser: change_email(browser, MALLORY), change_password])
def test_a_notice_that_is_tried_again_goes_to_the_old_address_and_not_to_the_new_one(
    post: Post, signed_in: Visitor, alice: User, bob: User, happens: Callable[[Visitor], object]
) -> None:
    happens(signed_in)
    assert "@" not in str(queued())
    (task, arguments) = queued()[0]
    change_password(browser_of(post.app, bob))
    post.mailbox.at_data = "451 later"
    with post.app.app_context(), pytest.raises(MailUnavailable):
        queue.tasks[task](**arguments)
    commit(update(User).filter_by(id=alice.id).values(email=MALLORY))
    post.mailbox.at_data = "250 OK"
    with post.app.app_context():
        queue.tasks[task](**arguments)
    assert post.mailbox.recipients == [ALICE]
    assert path_in(post.mailbox.messages[0]) == "/forgot-password"
    assert db.session.scalars(select(Notice.user_id)).all() == [bob.id]


def test_a_notice_is_sent_once_and_not_after_the_account_is_gone(post: Post, signed_in: Visitor, alice: User) -> None:
    change_password(signed_in)
    [(task, arguments)] = queued()
    assert list(post.letters()) == [ALICE]
    with post.app.app_context():
        queue.tasks[task](**arguments)
    assert post.mailbox.recipients == [ALICE]
    assert signed_in.submit("/mypage/password", current_password=NEW_PASSWORD, new_password=PASSWORD).status_code == 302
    commit(text("DELETE FROM users"))
    assert post.letters() == {}


def test_a_link_for_an_account_deleted_before_it_is_drawn_is_not_sent(post: Post, client: Visitor, alice: User) -> None:
    forgot_password(client, ALICE)
    with right_before("INSERT INTO account_tokens", "DELETE FROM users"):
        assert post.letters() == {}
    assert (queued(), row_counts()["account_tokens"]) == ([], 0)


def test_without_mail_nothing_is_offered_stored_or_asked_for(signed_in: Visitor, client: Visitor, alice: User) -> None:
    assert "/forgot-password" not in client.get("/sign-in").text
    assert [client.get("/forgot-password").status_code, forgot_password(client, ALICE)] == [404, 404]
    assert "confirmed yet" not in signed_in.get("/mypage").text
    assert "/mypage/email" not in signed_in.get("/mypage/edit").text
    assert change_email(signed_in, NEW) == signed_in.submit("/mypage/confirm-email").status_code == 404
    change_password(signed_in)
    assert queued() == []
    assert db.session.scalar(select(func.count()).select_from(Notice)) == 0


def test_a_stranger_keeps_nobody_from_a_new_password_an_account_or_another_address(
    app: Flask, post: Post, client: Visitor, signed_in: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RESETS_TO", "SIGN_UPS_TO", "EMAIL_CHANGES", "PASSWORD_BY_PERSON"):
        monkeypatch.setattr(rate_limits, name, getattr(rate_limits, name)._replace(capacity=2))
    strangers = count(1)
    for ask, browser, mailbox, link in (
        (forgot_password, client, ALICE, "new-password"),
        (sign_up, client, CAROL, "sign-up"),
        (change_email, signed_in, NEW, "new-email"),
    ):
        for door in STRANGERS_DOORS:
            if door is not ask:
                until_refused(door, app, next(strangers), mailbox)
        db.session.execute(text("DELETE FROM procrastinate_jobs"))  # the letters of strangers
        assert ask(browser, mailbox) in (200, 302)
        assert link in links_that_work(post, browser, mailbox)
        until_refused(ask, app, next(strangers), mailbox)
        # Only the owner can change an address, so nobody else uses up this limit. Any other mailbox has a link.
        assert ask(browser, mailbox) == 302 or ask is not change_email
        assert link in links_that_work(post, browser, mailbox)


def test_an_account_with_somebody_elses_address_keeps_them_from_nothing(
    app: Flask, post: Post, client: Visitor, alice: User
) -> None:
    """It was opened where no mail was sent, so nobody has shown that the mailbox is theirs."""
    plant = browser_of(app, alice)
    use_up(app, rate_limits.EMAIL_CONFIRMATIONS, alice.id, left=1)
    assert [plant.submit("/mypage/confirm-email").status_code for _ in range(2)] == [302, 429]
    post.deliver()
    assert forgot_password(client, ALICE) == 200
    assert links_that_work(post, client, ALICE) == {"new-password"}


def test_a_wrong_password_sends_no_letter_and_takes_nobodys(post: Post, signed_in: Visitor, alice: User) -> None:
    assert rate_limits.EMAIL_CHANGES.capacity == 5
    use_up(post.app, rate_limits.EMAIL_CHANGES, alice.id, left=1)
    assert guess_password(signed_in, NEW) == 422
    assert queued() == []
    assert [change_email(signed_in, NEW) for _ in range(2)] == [302, 429]


def test_one_network_asks_for_only_so_many_links_from_however_many_accounts(
    app: Flask, post: Post, sign_up: Callable[[str], User]
) -> None:
    use_up(app, rate_limits.MAILS_BY_ADDRESS, "127.0.0.1", left=2)
    browsers = [browser_of(app, sign_up(f"mallory{number}")) for number in range(2)]
    assert [change_email(browsers[0], ALICE), forgot_password(browsers[0], ALICE)] == [302, 200]
    waiting = queued()
    assert [change_email(browsers[1], ALICE), forgot_password(browsers[1], ALICE)] == [429, 429]
    assert queued() == waiting


def test_where_a_mailbox_is_refused_its_last_link_still_works() -> None:
    """An empty bucket has given its last token within one refill, so the letter is no older."""
    assert max(rate_limits.RESETS_TO.refill, rate_limits.SIGN_UPS_TO.refill) < tokens.LIFETIME
