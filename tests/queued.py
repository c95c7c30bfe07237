"""The queue as a test sees it: in its own transaction, where no worker looks."""

from typing import Any

from flask import Flask
from procrastinate import JobContext
from procrastinate.jobs import Job
from sqlalchemy import text

from app.extensions import db
from app.jobs.queue import queue


def queued() -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the arguments of each job that waits."""
    rows = db.session.execute(text("SELECT task_name, args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"))
    return [(row.task_name, row.args) for row in rows]


def run_queued(app: Flask) -> None:
    """Do what waits, once, as a worker would; an error of a task is the test's, and its job is gone nevertheless."""
    rows = db.session.execute(text("DELETE FROM procrastinate_jobs WHERE status = 'todo' RETURNING *")).mappings().all()
    db.session.commit()
    for row in rows:
        run(app, Job.from_row(dict(row)))


def run(app: Flask, job: Job) -> None:
    task = queue.tasks[job.task_name]
    context = JobContext(app=queue, job=job, start_timestamp=0, abort_reason=lambda: None)
    arguments = [context] if task.pass_context else []
    with app.app_context():
        task(*arguments, **job.task_kwargs)
