"""Workers as a platform runs them: the Procfile's line in a process, configured by its environment."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import text

from app import create_app
from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from config import TestingConfig
from tests.databases import Environment
from tests.live.conftest import ROOT, running
from tests.waiting import wait_until
from tests.wordcounts.page_server import PageServer

WORKERS = "SELECT id FROM procrastinate_workers"
STATUSES = "SELECT status, count(*) FROM results GROUP BY status"
NEXT_JOB = text(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
    " VALUES ('next', 'jobs.requeue_stalled_jobs', '{\"timestamp\": 0}')"
)
LEFT = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'next'"


@dataclass(frozen=True)
class Queue:
    """Hold a database with a queue, and the environment of its workers."""

    app: Flask
    environment: Environment
    folder: Path

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self.app.app_context():
            found = [tuple(row) for row in db.session.execute(text(query), parameters)]
            db.session.commit()
            return found

    def ask(self, *urls: str) -> None:
        """Ask for counts of these pages, as one user per five pages."""
        with self.app.app_context():
            for start in range(0, len(urls), service.MAX_UNFINISHED):
                name = f"reader-{secrets.token_hex(4)}"
                reader = User(email=f"{name}@example.com", nickname=name, nickname_key=name, password_hash="")
                db.session.add(reader)
                db.session.commit()
                for url in urls[start : start + service.MAX_UNFINISHED]:
                    service.ask(reader.id, url)

    def has_counted(self, number: int) -> bool:
        """Tell whether so many pages were asked for, and all are counted."""
        return self.rows(STATUSES) == [("done", number)]

    def defer_next(self) -> None:
        """Defer a job that any worker does at once."""
        with self.app.app_context():
            db.session.execute(NEXT_JOB)
            db.session.commit()

    def has_done_the_next(self) -> bool:
        return self.rows(LEFT) == [(0,)]

    @contextmanager
    def worker(self, preparation: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """Yield a worker that is ready. It is stopped at the end if it still runs.

        Args:
            preparation: Python code that it runs before it creates the app.
        """
        before = self.rows(WORKERS)
        log = self.folder / f"worker-{len(list(self.folder.glob('worker-*.log')))}.log"
        factory = log.with_suffix(".py")
        factory.write_text(f"from app import create_app\n{preparation}\napp = create_app()\n")
        env = {
            **self.environment,
            "FLASK_APP": f"{factory}:app",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        with running("worker", env, log) as process:
            wait_until(lambda: set(self.rows(WORKERS)) - set(before), "the worker is ready")
            yield process


@contextmanager
def running_queue(environment: Environment, folder: Path, pages: PageServer) -> Iterator[Queue]:
    given = {
        **environment,
        "APP_SETTINGS": "config.TestingConfig",
        "TEST_PAGE_SERVERS": f"127.0.0.1:{pages.port}",
    }
    app = create_app(TestingConfig(given))
    yield Queue(app, given, folder)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
