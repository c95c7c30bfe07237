"""Results in each status, as the worker stores them, and the job that counts a page, as tests run it."""

import uuid
from collections.abc import Callable
from typing import Any

from flask import Flask
from procrastinate.jobs import Job
from sqlalchemy import func, text, update

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.models import DONE, FAILED, Result
from tests.queued import queued, run
from tests.wordcounts.page_server import page

URL = "https://example.com/moon"
COUNTED: dict[str, Any] = {
    "final_url": "https://example.com/moon/",
    "title": "Half moon",
    "result_all": {"the": 5, "moon": 3, "반달": 2},
    "result_no_stop_words": {"moon": 3, "반달": 2},
    "phrases": {"2": {"the moon": 3}, "3": {"of the moon": 2}},
    "total_words": 10, "unique_words": 3, "content_words": 5, "characters": 1234, "reading_seconds": 61,
}  # fmt: skip
PAGES = {
    "/": page("<title>반달</title><p>The moon. 달이 달이".encode()),
    "/text": page(b"<b>not</b> markup", "Content-Type: text/plain"),
    "/empty": page(b"<title>nothing</title>"),
    "/404": page(b"", status="404 Not Found"),
    "/500": page(b"sorry", status="500 Internal Server Error"),
    "/pdf": page(b"%PDF-1.7", "Content-Type: application/pdf"),
}

Ask = Callable[[str], uuid.UUID]


def waiting(user: User, url: str = URL, **values: Any) -> uuid.UUID:
    """Store an unfinished result. Return its public id, as the functions below do."""
    public_id = service.ask(user.id, url)
    if values:
        change(public_id, **values)
    return public_id


def done(user: User, url: str = URL, **values: Any) -> uuid.UUID:
    return waiting(user, url, status=DONE, finished_at=func.now(), **{**COUNTED, **values})


def failed(user: User, error: str, url: str = URL) -> uuid.UUID:
    return waiting(user, url, status=FAILED, finished_at=func.now(), error=error)


def shared(user: User, **values: Any) -> uuid.UUID:
    return done(user, shared=True, **values)


def change(public_id: uuid.UUID, **values: Any) -> None:
    db.session.execute(update(Result).where(Result.public_id == public_id).values(**values))
    db.session.commit()


def stored(columns: str = "*") -> dict[str, Any]:
    return dict(db.session.execute(text(f"SELECT {columns} FROM results")).mappings().one())


def status() -> tuple[str, str | None]:
    row = stored("status, error")
    return row["status"], row["error"]


def run_at_attempt(app: Flask, attempts: int) -> None:
    """Run the one queued job, as a worker does after so many attempts before."""
    [(name, arguments)] = queued()
    job = Job(id=1, queue="default", lock=None, queueing_lock=None, task_name=name, task_kwargs=arguments)
    run(app, job.evolve(attempts=attempts))
