"""`make dev` from outside: a process that is started, signalled and looked after. Needs the whole application."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg2
import pytest
import urllib3

from config import DevelopmentConfig
from tests.waiting import wait_until
from tools.dev import postgres, s3
from tools.dev.commands import is_worth_a_line
from tools.dev.processes import read_pid

ROOT = Path(__file__).parents[2]
JOB = """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    VALUES ('default', 'jobs.requeue_stalled_jobs', '{"timestamp": 0}')"""
PATIENCE = 120.0  # seconds; a `make dev` that hangs fails its test, and is killed with its family

# The application of a developer, but for the folder of its data and its ports.
FACTORY = """
from pathlib import Path

from app import create_app
from config import DevelopmentConfig
from tools.dev.commands import for_developers


class Elsewhere(DevelopmentConfig):
    PORTS_FILE = Path({instance!r}) / "ports.json"


config = Elsewhere({{}})
for name, value in {settings!r}.items():
    setattr(config, name, value)
app = for_developers(create_app(config))
app.instance_path = {instance!r}
"""


class Run(NamedTuple):
    """Hold one `make dev`. What it says goes to a file: a pipe would be held open by whatever it leaves behind."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.said or self.process.poll() is not None, words, PATIENCE)
        assert words in self.said, f"it ended without saying {words!r}: {self.said}"

    def wait_until_it_serves(self) -> str:
        """Return its address."""
        self.wait_for("Ctrl-C stops everything")
        [address] = re.findall(r"Semicircle is on (http://localhost:\d+) \(Ctrl-C stops everything\)", self.said)
        return str(address)

    def end(self) -> int:
        """Return its exit code."""
        return self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """End it and everything that it started."""
        if self.process.poll() is None:
            leader = psutil.Process(self.process.pid)
            for process in (*leader.children(recursive=True), leader):
                process.kill()
        self.process.wait()


class Place:
    """Hold a folder of data, where one `make dev` after another can run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: list[Run] = []

    @property
    def instance(self) -> Path:
        return self.folder / "instance"

    @property
    def ports(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.instance / "ports.json").read_text())
        return found

    def start(self, **settings: object) -> Run:
        """Start `make dev` with some settings changed."""
        factory = self.folder / "dev_app.py"
        factory.write_text(FACTORY.format(settings=settings, instance=str(self.instance)))
        log = self.folder / f"run-{len(self.runs)}.log"
        env = {**os.environ, "FLASK_APP": f"{factory}:app", "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "flask", "dev"]
        with log.open("wb") as output:
            heeded = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output, preexec_fn=heeded)
        self.runs.append(Run(process, log))
        return self.runs[-1]

    def wait_for_a_job(self) -> None:
        """Give the worker a job, and wait until it is done, which is when it is deleted."""
        with closing(psycopg2.connect(postgres.url(self.ports["postgres"]))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(JOB)

            def is_done() -> bool:
                cursor.execute("SELECT FROM procrastinate_jobs WHERE id = lastval()")
                return cursor.fetchone() is None

            wait_until(is_done, "the worker does the job")

    def left_behind(self) -> list[str]:
        """List processes that a run here started and that are still there, and files that it should have removed."""
        ours = [read_pid(self.instance / f"{name}.pid") for name in ("web", "worker", "s3")]
        processes = [
            " ".join(process.info["cmdline"] or ["one that is ending"])
            for process in psutil.process_iter(["pid", "cwd", "cmdline"])
            if (process.info["cwd"] or "").startswith(str(self.instance)) or process.info["pid"] in ours
        ]
        return [*processes, *map(str, self.instance.glob("*.pid")), *map(str, self.instance.glob("s3/*.sock"))]


pytestmark = pytest.mark.servers


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    running = [run for run in place.runs if run.process.poll() is None]
    for run in running:  # the test has failed
        run.kill()
    assert running or place.left_behind() == []


def test_it_runs_everything_until_ctrl_c(place: Place) -> None:
    first = place.start()
    address = first.wait_until_it_serves()
    assert urllib3.request("GET", f"{address}/readyz", timeout=10).status == 200
    place.wait_for_a_job()
    known = place.ports
    assert f"PostgreSQL is on 127.0.0.1:{known['postgres']}, its data in {place.instance / 'postgres'}" in first.said
    assert f"S3 is on http://127.0.0.1:{known['s3']}, its data in {place.instance / 's3'}" in first.said
    own = [line for line in first.said.splitlines() if not line.startswith("level=")]  # a job may be done any time
    assert own[-1] == f"Semicircle is on {address} (Ctrl-C stops everything)"
    assert re.search(r"^\d+ migrations ran$", first.said, re.MULTILINE)
    noise = "Running upgrade|Detected sequence|Context impl|Debug mode|Debugger is active|CTRL|GET /"
    assert not re.search(noise, first.said)

    first.process.send_signal(signal.SIGINT)
    first.wait_for("Stopping")
    first.process.send_signal(signal.SIGINT)  # an impatient second Ctrl-C
    assert first.end() == 0
    assert place.left_behind() == []
    assert not any(path.exists() for path in s3.sockets(known["s3"]))


def test_a_second_run_is_refused_takes_over_from_a_killed_one_and_ends_when_a_child_does(place: Place) -> None:
    killed = place.start()
    address = killed.wait_until_it_serves()
    second = place.start()
    assert second.end() == 1
    assert f"Semicircle already runs in {ROOT} as process {killed.process.pid}; stop that one first." in second.said
    killed.process.kill()
    killed.process.wait()
    assert place.left_behind()

    run = place.start()
    assert run.wait_until_it_serves() == address
    for name in ("web", "worker", "PostgreSQL", "S3"):
        assert f"Stopping {name} (process" in run.said
    assert "Applying migrations" not in run.said
    server = read_pid(place.instance / "postgres" / "postmaster.pid")
    assert server
    os.kill(server, signal.SIGKILL)
    assert run.end() == 1
    assert "PostgreSQL was ended by SIGKILL; the last that" in run.said


def test_a_signal_while_starting_and_a_migration_that_fails_stop_what_was_started(place: Place) -> None:
    run = place.start()
    run.wait_for("Applying migrations")
    run.process.send_signal(signal.SIGHUP)
    assert run.end() == 0
    assert "Semicircle is on" not in run.said
    assert place.left_behind() == []
    wrong = f"postgresql+psycopg2://semicircle:wrong@127.0.0.1:{DevelopmentConfig.NOBODY}/semicircle"
    run = place.start(MIGRATION_DATABASE_URI=wrong, EMBEDDED_S3=False)
    assert run.end() == 1
    assert "PostgreSQL is on" in run.said
    assert "Error: flask db upgrade exited with code 1; what it said is above." in run.said


def worth(message: str, *args: object) -> bool:
    return is_worth_a_line(logging.LogRecord("werkzeug", logging.INFO, "", 0, message, args, None))


def test_the_log_leaves_out_what_every_page_and_every_start_repeats() -> None:
    request = '127.0.0.1 - - [22/Nov/2026 10:00:00] "%s" %s %s'
    for line, status, is_shown in (
        ("GET /notes HTTP/1.1", "200", True),
        ("GET /static/css/gone.css HTTP/1.1", "404", True),
        ("GET /readyz HTTP/1.1", "503", True),
        ("GET /notes?next=/static/ HTTP/1.1", "200", True),
        ("GET /static/css/base.0123abcd.css HTTP/1.1", "304", False),
        ("\x1b[36mGET /readyz HTTP/1.0\x1b[0m", "200", False),
    ):
        assert worth(request, line, status, "-") == is_shown, line
    assert not worth(" * Debugger PIN: %s", "123-456-789")
    assert not worth("Running %s %s -> %s", "upgrade", "0001", "0002")
    assert worth("the database is at %s", "0002")
