"""The job that counts a page, as tests run it, and what it stores."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Flask
from procrastinate.jobs import Job
from sqlalchemy import text

from app.extensions import db
from tests.queued import queued, run
from tests.wordcounts.page_server import page

PAGES = {
    "/": page("<title>반달</title><p>The moon. 달이 달이".encode()),
    "/text": page(b"<b>not</b> markup", "Content-Type: text/plain"),
    "/empty": page(b"<title>nothing</title>"),
    "/404": page(b"", status="404 Not Found"),
    "/500": page(b"sorry", status="500 Internal Server Error"),
    "/pdf": page(b"%PDF-1.7", "Content-Type: application/pdf"),
}

Ask = Callable[[str], UUID]


def stored(columns: str = "*") -> dict[str, Any]:
    return dict(db.session.execute(text(f"SELECT {columns} FROM results")).mappings().one())


def status() -> tuple[str, str | None]:
    row = stored("status, error")
    return row["status"], row["error"]


def run_at_attempt(app: Flask, attempts: int) -> None:
    """Run the one queued job, as a worker does after so many attempts before."""
    [(name, arguments)] = queued()
    run(
        app,
        Job(
            id=1,
            queue="default",
            lock=None,
            queueing_lock=None,
            task_name=name,
            task_kwargs=arguments,
            attempts=attempts,
        ),
    )
