"""Error reports to Sentry: only where a DSN is set, and nothing in them of who asked for what."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from environment.values import ConfigError
from tests.databases import Environment
from tests.test_config import config

ROOT = Path(__file__).parents[1]

# A request and a job that fail, without a DSN and then with one; and two jobs that Sentry need not know of.
FAILING = """
import os, sys
from procrastinate import JobContext
from procrastinate.jobs import Job
from app import create_app
from app.jobs.worker import in_context
from app.jobs.queue import JobRequeued
from app.storage import StorageUnavailable
from app.web.access import public
from config import TestingConfig

@public
def unforeseen(number):
    variable = os.environ["ADDRESS"]  # a report has the lines of the code
    raise ValueError(f"unforeseen of {variable}")

def fail(error):
    raise error

def run(dsn):
    app = create_app(TestingConfig({**os.environ, "SENTRY_DSN": dsn}))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/unforeseen/<id:number>", view_func=unforeseen)
    headers = {"X-Request-ID": "0123456789-failed-0123456789", "Cookie": "hidden=1", "User-Agent": "hidden"}
    answer = app.test_client().get("/unforeseen/4711?q=hidden", headers=headers)
    assert answer.status_code == 500, answer.status
    given = {"key": "hidden"}
    job = Job(id=None, queue="q", lock=None, queueing_lock=None, task_name="storage.delete", task_kwargs=given)
    context = JobContext(app=None, job=job, start_timestamp=0, abort_reason=lambda: None)
    for error in (StorageUnavailable("is tried again"), JobRequeued(), KeyError("of a job")):
        try:
            in_context(app)(lambda: fail(error), context, None)
        except type(error):
            pass

run("")
assert "sentry_sdk" not in sys.modules
run(sys.argv[1])
"""


@pytest.fixture
def sentry() -> Iterator[tuple[str, list[bytes]]]:
    """Run a server that takes envelopes. Yield its DSN, and what it was sent."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://0123456789abcdef@127.0.0.1:{server.server_port}/1", received
        server.shutdown()
        thread.join()


def events(received: list[bytes]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for envelope in received for line in envelope.splitlines()]
    return [line for line in lines if "exception" in line]


def test_what_nobody_foresaw_is_reported_without_a_word_of_who_asked_and_nothing_is_loaded_without_a_dsn(
    migrated_environment: Environment, sentry: tuple[str, list[bytes]]
) -> None:
    dsn, received = sentry
    given = {**migrated_environment, "ADDRESS": "hidden@example.com"}
    command = [sys.executable, "-c", FAILING, dsn]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = [
        (event["exception"]["values"][-1]["type"], event["exception"]["values"][-1]["value"], event["tags"])
        for event in events(received)
    ]
    request = {"process": "web", "request_id": "0123456789-failed-0123456789", "route": "/unforeseen/<id:number>"}
    job = {"process": "worker", "request_id": "-", "route": "storage.delete"}
    assert told == [("ValueError", "unforeseen of (not logged)", request), ("KeyError", "'of a job'", job)]
    for event in events(received):
        assert not {"request", "user", "modules", "extra"} & {name for name in event if event[name]}
        assert event["breadcrumbs"] == {"values": []}
        frames = [frame for error in event["exception"]["values"] for frame in error["stacktrace"]["frames"]]
        assert not [frame for frame in frames if "vars" in frame]
    sent = b"\n".join(received).decode()
    for secret in ("hidden@", "hidden=1", "q=hidden", "4711", "User-Agent", migrated_environment["SECRET_KEY"]):
        assert secret not in sent


def test_a_dsn_as_sentry_shows_it_is_taken_and_another_one_stops_the_start_by_name_and_is_not_told() -> None:
    for dsn in ("https://k@o1.ingest.sentry.io/1", "https://k@sentry.example.com:9000/a/7", "http://k@127.0.0.1:9/1"):
        assert dsn == config(SENTRY_DSN=dsn).SENTRY_DSN
    strange = ("hidden", "https://hidden@{}/name", "https://hidden:secret@{}/1", "https://hidden@{}:port/1")
    for dsn in (*strange, "https://{}/1", "http://hidden@{}/1"):
        with pytest.raises(ConfigError, match="SENTRY_DSN") as refused:
            config(SENTRY_DSN=dsn.format("sentry.example.com"))
        assert "hidden" not in refused.value.message
