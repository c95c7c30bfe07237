"""Delivery of letters: what the mail server does not take for now is tried again; what it refuses for good is not."""

from datetime import UTC, datetime

import pytest
from procrastinate.jobs import Job

from app.accounts.models import User
from app.jobs import queue
from app.smtp import MailUnavailable
from tests.accounts.conftest import Post, path_in
from tests.queued import queued
from tests.visitor import Visitor

ALICE = "alice@example.com"
LETTERS = [name for name in queue.tasks if name.startswith("accounts.send_")]


def seconds_until_retry(task: str, error: Exception, attempts: int) -> float | None:
    job = Job(queue="q", lock=None, queueing_lock=None, task_name=task, attempts=attempts)
    strategy = queue.tasks[task].retry_strategy
    assert strategy
    decision = strategy.get_retry_decision(exception=error, job=job)
    if decision is None or decision.retry_at is None:
        return None
    return round((decision.retry_at - datetime.now(UTC)).total_seconds())


@pytest.mark.parametrize("task", LETTERS)
def test_a_letter_that_is_not_taken_for_now_is_tried_again_for_an_hour_and_a_half(task: str) -> None:
    pauses = [seconds_until_retry(task, MailUnavailable(), attempt) for attempt in range(7)]
    assert pauses == [4, 16, 64, 256, 1024, 4096, None]


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


def test_a_letter_that_is_sent_again_has_a_link_that_works(post: Post, client: Visitor, alice: User) -> None:
    client.submit("/forgot-password", email=ALICE)
    [(task, arguments)] = queued()
    first = post.link(ALICE)
    with post.app.app_context():
        queue.tasks[task](**arguments)  # as when the worker died after the letter was taken
    second = path_in(post.mailbox.messages[-1])
    assert client.get(first).status_code == 200
    assert client.get(second).status_code == 200
