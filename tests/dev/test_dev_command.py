"""`flask dev` from outside: a process that is started, signalled and looked after. Needs the whole application."""

import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from app.dev import ports, postgres, s3
from app.dev.commands import is_worth_a_line
from app.dev.processes import read_pid
from config import DevelopmentConfig
from tests.databases import Environment, upgrade
from tests.dev.dev_runs import ROOT, Place, copy_data

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def migrated_data(server_environment: Environment, path_of_module: Path) -> Path:
    """Make the data of PostgreSQL as a first run leaves them, for tests of what comes later."""
    directory = path_of_module / "postgres"
    [port] = ports.find_free(1)
    server = postgres.start(directory, port, durable=False)
    try:
        upgrade({**server_environment, "DATABASE_URL": postgres.url(port)})
    finally:
        server.stop()
    return directory


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    running = [run for run in place.runs if run.process.poll() is None]
    for run in running:  # the test has failed
        run.kill()
    assert running or place.left_behind() == []


@pytest.mark.smoke
def test_it_runs_everything_until_ctrl_c(place: Place) -> None:
    first = place.start()
    address = first.wait_until_it_serves()
    assert urllib3.request("GET", f"{address}/readyz", timeout=10).status == 200
    place.wait_for_a_job()
    known = place.ports
    assert f"PostgreSQL is on 127.0.0.1:{known['postgres']}, its data in {place.instance / 'postgres'}" in first.said
    assert f"S3 is on http://127.0.0.1:{known['s3']}, its data in {place.instance / 's3'}" in first.said
    assert first.said.splitlines()[-1] == f"Semicircle is on {address} (Ctrl-C stops everything)"
    assert not re.search("Context impl|Debug mode|Debugger is active|CTRL|GET /", first.said)

    first.process.send_signal(signal.SIGINT)
    first.wait_for("Stopping")
    first.process.send_signal(signal.SIGINT)  # an impatient second Ctrl-C
    assert first.end() == 0
    assert place.left_behind() == []
    assert not any(path.exists() for path in s3.sockets(s3.ports_from(known["s3"])))


def test_a_second_run_is_refused_takes_over_from_a_killed_one_and_ends_when_a_child_does(
    place: Place, migrated_data: Path
) -> None:
    copy_data(migrated_data, place.instance / "postgres")
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


def test_a_signal_while_starting_stops_what_was_started(place: Place) -> None:
    run = place.start()
    run.wait_for("Applying migrations")
    run.process.send_signal(signal.SIGHUP)
    assert run.end() == 0
    assert "Semicircle is on" not in run.said


def test_a_migration_that_fails_stops_what_was_started(place: Place) -> None:
    wrong = f"postgresql+psycopg2://semicircle:wrong@127.0.0.1:{DevelopmentConfig.NOBODY}/semicircle"
    run = place.start(MIGRATION_DATABASE_URI=wrong, EMBEDDED_S3=False)
    assert run.end() == 1
    assert "PostgreSQL is on" in run.said
    assert "Error: flask db upgrade exited with code 1; what it said is above." in run.said


def test_a_server_that_cannot_start_stops_the_others(place: Place) -> None:
    data = place.instance / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("15\n")
    for path in (data, data / "PG_VERSION"):
        os.chown(path, postgres.owner(), -1)
    data.chmod(0o700)
    run = place.start()
    assert run.end() == 1
    assert "Error: PostgreSQL exited with code" in run.said
    assert "Semicircle is on" not in run.said


def test_the_settings_of_development_are_those_of_the_embedded_servers(tmp_path: Path) -> None:
    class Elsewhere(DevelopmentConfig):
        PORTS_FILE = tmp_path / "ports.json"

    Elsewhere.PORTS_FILE.write_text('{"postgres": 12345, "s3": 12350}')
    config = Elsewhere({})
    assert config.SQLALCHEMY_DATABASE_URI.replace("+psycopg2", "").partition("?")[0] == postgres.url(12345)
    assert s3.endpoint(s3.ports_from(12350)) == config.S3_ENDPOINT_URL
    assert (config.S3_ACCESS_KEY_ID, config.S3_SECRET_ACCESS_KEY) == (s3.ACCESS_KEY, s3.SECRET_KEY)


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
    assert not worth("Context impl %s.", "PostgresqlImpl")
    assert not worth(" * Debugger PIN: %s", "123-456-789")
    assert worth("Running upgrade %s -> %s", "0001", "0002")
