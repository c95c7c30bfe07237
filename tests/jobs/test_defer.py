"""Deferring a job in the transaction of the rows that it is about: it exists exactly when they do."""

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import InternalError
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.extensions import db
from app.jobs.queue import NIGHTLY, defer, queue
from tests.queued import queued, run_queued
from tests.test_architecture import FEATURES
from tests.visitor import Visitor


def test_it_is_queued_when_its_row_is_committed(app: Flask, alice: User) -> None:
    alice.nickname = "someone else"
    defer("storage.delete", key="photos/x.webp")
    db.session.commit()
    db.session.rollback()
    assert queued() == [("storage.delete", {"key": "photos/x.webp"})]


def test_it_does_not_exist_when_its_row_is_rolled_back(app: Flask, alice: User) -> None:
    alice.nickname = "someone else"
    defer("storage.delete", key="photos/x.webp")
    db.session.rollback()
    assert queued() == []


def test_a_request_that_fails_after_deferring_leaves_neither_row_nor_job(
    app: Flask, signed_in: Visitor, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the connection is lost at the commit."""
    url = f"{app.config['S3_PUBLIC_URL']}/photos/{'0' * 32}.webp"
    db.session.execute(update(User).values(image_url=url))
    db.session.commit()
    deferred = []
    commit = Session.commit

    def fail(session: Session) -> None:
        if not queued():  # a commit of the request's rate limit, which comes first
            commit(session)
            return
        deferred.extend(queued())
        raise ConnectionError

    token = signed_in.csrf_token()
    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", fail)
        with pytest.raises(ConnectionError):
            signed_in.post("/mypage/photo/delete", data={"csrf_token": token})
    assert [name for name, _ in deferred] == ["storage.delete"]
    assert queued() == []
    assert db.session.scalar(select(User.image_url)) == url


def test_an_unknown_task_is_refused(app: Flask) -> None:
    with pytest.raises(KeyError):
        defer("mypage.delete_foto", key="photos/x.webp")
    assert queued() == []


def test_a_database_error_is_raised_as_by_any_other_statement(app: Flask) -> None:
    db.session.execute(text("SAVEPOINT before"))
    with pytest.raises(Exception, match="no_such_table"):
        db.session.execute(text("SELECT FROM no_such_table"))
    with pytest.raises(InternalError, match="transaction is aborted"):
        defer("storage.delete", key="photos/x.webp")
    db.session.execute(text("ROLLBACK TO before"))


def test_every_task_has_a_name_that_says_its_feature() -> None:
    ours = {name for name in queue.tasks if "builtin" not in name}
    assert {name.partition(".")[0] for name in ours} <= {
        *FEATURES,
        "figures",
        "follower",
        "idempotency",
        "jobs",
        "rate_limits",
        "release",
        "storage",
    }


def test_the_nightly_tasks_run(app: Flask) -> None:
    """Every nightly task runs with the arguments that it is deferred with, on a database in which it finds nothing."""
    nightly = [task for task in queue.periodic_registry.periodic_tasks.values() if task.cron == NIGHTLY]
    names = {task.task.name for task in nightly}
    assert {name.partition(".")[0] for name in names} >= {"accounts", "jobs", "notes", "photos", "todos", "wordcounts"}
    for name in names - {"jobs.purge_failed_jobs"}:  # async, and procrastinate's own
        defer(name, timestamp=0)
    run_queued(app)
    assert queued() == []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("jobs.put_back", "jobs.requeue_stalled_jobs"),
        ("jobs.remove_old", "jobs.purge_failed_jobs"),
        ("wordcounts.remove_deleted", "wordcounts.purge_deleted"),
    ],
)
def test_a_job_that_the_release_before_deferred_finds_its_task(before: str, now: str) -> None:
    assert queue.tasks[before] is queue.tasks[now]
