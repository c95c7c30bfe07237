"""`flask dev` from outside: a process that is started, signalled and looked after. Needs the whole application."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
import pytest
import urllib3

from app.dev import ports, postgres, s3
from app.dev.processes import read_pid
from config import DevelopmentConfig
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
JOB = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
    " VALUES ('default', 'jobs.requeue_stalled_jobs', '{\"timestamp\": 0}')"
)
PATIENCE = 120  # seconds until a `flask dev` that hangs is killed, which fails its test

# The application of a developer, but for its ports and the folder of its data, which are the test's own.
FACTORY = """
from app import create_app
from config import DevelopmentConfig

config = DevelopmentConfig({{"DATABASE_URL": {database_url!r}}})
config.EMBEDDED_POSTGRES = True
config.S3_ENDPOINT_URL = {s3_endpoint!r}
for name, value in {settings}.items():
    setattr(config, name, value)
app = create_app(config)
app.instance_path = {instance!r}
"""


@dataclass
class Place:
    """A folder of data and ports, where one `flask dev` after another can run."""

    folder: Path
    port: int
    postgres_port: int
    s3_ports: s3.Ports

    @property
    def instance(self) -> Path:
        return self.folder / "instance"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, **settings: object) -> "Run":
        """Start `flask dev` with some settings changed."""
        factory = self.folder / "dev_app.py"
        factory.write_text(
            FACTORY.format(
                database_url=postgres.url(self.postgres_port),
                s3_endpoint=s3.endpoint(self.s3_ports),
                settings=json.dumps(settings).replace("false", "False"),
                instance=str(self.instance),
            )
        )
        command = [sys.executable, "-m", "flask", "dev", "--port", str(self.port)]
        env = {**os.environ, "FLASK_APP": f"{factory}:app", "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return Run(process)

    def wait_for_a_job(self) -> None:
        """Give the worker a job, and wait until it is done, which is when it is deleted."""
        with closing(psycopg2.connect(postgres.url(self.postgres_port))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(JOB)
            cursor.execute("SELECT lastval()")
            number = cursor.fetchone()

            def is_done() -> bool:
                cursor.execute("SELECT FROM procrastinate_jobs WHERE id = %s", number)
                return cursor.fetchone() is None

            wait_until(is_done, "the worker does the job")

    def left_behind(self) -> list[str]:
        """The commands of processes that a run here started and that are still there."""
        return [
            " ".join(process.info["cmdline"])
            for process in psutil.process_iter(["pid", "cwd", "cmdline"])
            if (process.info["cwd"] or "").startswith(str(self.instance))
            or (process.info["cwd"] == str(ROOT) and str(self.port) in process.info["cmdline"])
            or process.info["pid"] == read_pid(self.instance / "worker.pid")
        ]


class Run:
    """One `flask dev`, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self.watchdog = threading.Timer(PATIENCE, process.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def wait_for(self, words: str) -> None:
        """Read on until it has said a line with `words`."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return
        raise AssertionError(f"it ended without saying {words!r}: {self.said}")

    def end(self) -> int:
        """Its exit code; what it still says is read."""
        with self.process:
            assert self.process.stdout
            self.said += self.process.stdout.read()
        self.watchdog.cancel()
        return self.process.returncode


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    web, database = ports.find_free(2)
    place = Place(tmp_path, web, database, s3.free_ports())
    yield place
    assert place.left_behind() == []


def test_it_runs_everything_until_ctrl_c(place: Place) -> None:
    first = place.start(EMBEDDED_S3=False)
    first.wait_for(f"Semicircle is on {place.url} (Ctrl-C stops everything)")
    assert urllib3.request("GET", f"{place.url}/readyz", timeout=10).status == 200
    place.wait_for_a_job()
    assert f"PostgreSQL is on 127.0.0.1:{place.postgres_port}, its data in {place.instance / 'postgres'}" in first.said

    second = place.start()
    assert second.end() == 1
    assert f"Semicircle already runs in {ROOT} as process {first.process.pid}; stop that one first." in second.said

    first.process.send_signal(signal.SIGINT)
    first.wait_for("Stopping")
    first.process.send_signal(signal.SIGINT)  # an impatient second Ctrl-C
    assert first.end() == 0
    assert place.left_behind() == []


def test_it_takes_over_from_a_killed_run_and_ends_when_a_child_does(place: Place) -> None:
    killed = place.start()
    killed.wait_for("Semicircle is on")
    assert f"S3 is on {s3.endpoint(place.s3_ports)}, its data in {place.instance / 's3'}" in killed.said
    killed.process.kill()
    killed.process.wait()
    assert place.left_behind()

    run = place.start()
    run.wait_for("Semicircle is on")
    for name in ("web", "worker", "PostgreSQL", "S3"):
        assert f"Stopping {name} (process" in run.said
    assert killed.end() == -signal.SIGKILL
    server = read_pid(place.instance / "postgres" / "postmaster.pid")
    assert server
    os.kill(server, signal.SIGKILL)
    assert run.end() == 1
    assert "PostgreSQL was ended by SIGKILL; the last that" in run.said


@pytest.mark.parametrize(
    ("words", "number"),
    [(" is on ", signal.SIGHUP), ("Applying migrations", signal.SIGTERM)],
    ids=["SIGHUP", "SIGTERM"],
)
def test_a_signal_while_starting_stops_what_was_started(place: Place, words: str, number: signal.Signals) -> None:
    run = place.start(EMBEDDED_S3=False)
    run.wait_for(words)
    run.process.send_signal(number)
    assert run.end() == 0
    assert "Semicircle is on" not in run.said


def test_a_migration_that_fails_stops_what_was_started(place: Place) -> None:
    wrong = f"postgresql+psycopg2://semicircle:wrong@127.0.0.1:{place.postgres_port}/semicircle"
    run = place.start(MIGRATION_DATABASE_URI=wrong, EMBEDDED_S3=False)
    assert run.end() == 1
    assert "PostgreSQL is on" in run.said
    assert "Error: flask db upgrade exited with code 1; what it said is above." in run.said


def test_a_server_that_cannot_start_stops_the_others(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.s3_ports.volume + s3.GRPC)):
        run = place.start()
        assert run.end() == 1
    assert "PostgreSQL is on" in run.said
    assert f"Error: Port {place.s3_ports.volume + s3.GRPC} is in use by" in run.said


def test_it_names_a_port_in_use_and_the_way_out(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        run = place.start()
        assert run.end() == 1
    assert f"Error: Port {place.port} is in use by {psutil.Process().name()} (process {os.getpid()})" in run.said
    assert f"choose another: make dev PORT={place.port + 1}." in run.said
    assert not (place.instance / "postgres").exists()


def test_the_settings_of_development_are_those_of_the_embedded_servers() -> None:
    config = DevelopmentConfig({})
    assert config.SQLALCHEMY_DATABASE_URI.replace("+psycopg2", "") == postgres.url(54329)
    assert s3.endpoint(s3.ports_from(8333)) == config.S3_ENDPOINT_URL
    assert (config.S3_ACCESS_KEY_ID, config.S3_SECRET_ACCESS_KEY) == (s3.ACCESS_KEY, s3.SECRET_KEY)
