"""Delivery of letters: what the mail server does not take for now is tried again; what it refuses for good is not."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from procrastinate.jobs import Job
from sqlalchemy import text

from app.accounts import tasks
from app.accounts.models import User
from app.extensions import db
from app.jobs.queue import MOST_ATTEMPTS, queue
from app.mail.smtp import MailUnavailable, RelayRefused
from tests.accounts.conftest import Post, path_in
from tests.conftest import PASSWORD
from tests.queued import queued
from tests.visitor import Visitor

ALICE, NEW = "alice@example.com", "new@example.com"
A_NIGHT_AGO = "created_at = created_at - interval '19 hours', expires_at = expires_at - interval '19 hours'"
LETTERS = [name for name in queue.tasks if name.startswith("accounts.send_")]


def seconds_until_retry(task: str, error: Exception, attempts: int) -> float | None:
    job = Job(queue="q", lock=None, queueing_lock=None, task_name=task, attempts=attempts)
    strategy = queue.tasks[task].retry_strategy
    assert strategy
    decision = strategy.get_retry_decision(exception=error, job=job)
    if decision is None or decision.retry_at is None:
        return None
    return round((decision.retry_at - datetime.now(UTC)).total_seconds())


def sign_up(browser: Visitor) -> object:
    return browser.submit("/sign-up", email=NEW)


def change_email(browser: Visitor) -> object:
    return browser.submit("/mypage/email", new_email=NEW, password_for_email=PASSWORD)


@pytest.mark.parametrize("task", LETTERS)
@pytest.mark.parametrize("error", [MailUnavailable, RelayRefused])
def test_a_letter_that_is_not_taken_is_tried_again_for_a_day(task: str, error: type[Exception]) -> None:
    """As long as a daily limit lasts, and in as many attempts as any job has."""
    pauses = [seconds_until_retry(task, error(), attempt) for attempt in range(9)]
    assert pauses == [4, 16, 64, 256, 1024, 4096, 16384, 65536, None]
    assert sum(filter(None, pauses)) >= timedelta(days=1).total_seconds()
    assert len(pauses) <= MOST_ATTEMPTS


def test_a_temporary_refusal_ends_the_job_with_an_error_that_is_retried(
    post: Post, client: Visitor, alice: User
) -> None:
    client.submit("/forgot-password", email=ALICE)
    post.mailbox.at_data = f"451 {ALICE} later"
    with pytest.raises(MailUnavailable):
        post.deliver()


def test_a_permanent_refusal_ends_the_job_for_good(
    post: Post, client: Visitor, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    client.submit("/forgot-password", email=ALICE)
    post.mailbox.at_data = f"554 5.6.0 {ALICE}: message malformed"
    assert post.deliver() == []
    assert queued() == []
    assert "refused for good: this letter will never be taken at DATA, code 554 5.6.0" in caplog.text
    assert ALICE not in caplog.text


@pytest.mark.parametrize("asks", [sign_up, change_email])
def test_a_night_between_two_attempts_loses_no_letter(
    post: Post, signed_in: Visitor, asks: Callable[[Visitor], object]
) -> None:
    """Each attempt draws the link, which expires before the next one."""
    asks(signed_in)
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
    sign_up(client)
    db.session.execute(text("DELETE FROM sign_up_links"))
    db.session.commit()
    assert post.deliver() == []
    assert "not worth sending any more" in caplog.text


def test_a_letter_that_is_sent_again_has_a_link_that_works(post: Post, client: Visitor, alice: User) -> None:
    client.submit("/forgot-password", email=ALICE)
    [(task, arguments)] = queued()
    first = post.link(ALICE)
    with post.app.app_context():
        queue.tasks[task](**arguments)  # as when the worker died after the letter was taken
    second = path_in(post.mailbox.messages[-1])
    assert client.get(first).status_code == 200
    assert client.get(second).status_code == 200
