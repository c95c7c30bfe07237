"""Workers as a platform runs them: the Procfile's line in a process, configured by its environment."""

import os
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
from app.extensions import db
from config import TestingConfig
from tests.databases import Environment
from tests.live.conftest import ROOT, running
from tests.waiting import wait_until

WORKERS = "SELECT id FROM procrastinate_workers"
NEXT_JOB = text("""INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    VALUES ('next', 'jobs.requeue_stalled_jobs', '{"timestamp": 0}')""")
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
def running_queue(environment: Environment, folder: Path) -> Iterator[Queue]:
    given = {**environment, "APP_SETTINGS": "config.TestingConfig"}
    app = create_app(TestingConfig(given))
    yield Queue(app, given, folder)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
