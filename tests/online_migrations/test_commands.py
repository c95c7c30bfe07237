"""Type `flask release …`, and read what it prints and logs; set a project up for it."""

import json
import logging
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import MetaData, text

from app import create_app
from app.extensions import Base
from config import TestingConfig
from online_migrations import init_app, options
from online_migrations.connection import direct_engine
from online_migrations.doctor import CHECKS
from online_migrations.errors import ReleaseError
from online_migrations.locks import lock_key
from online_migrations.options import Options
from online_migrations.runner import LIBRARY, show_log
from tests.databases import HEAD, OUR_HISTORY, Environment
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.migrating import LOCK_KEY, Database, release

STATUS = {
    *("state", "code_head", "database_revision", "pending", "ahead_by"),
    *("live", "migrator", "project", "backfills", "next"),
}
LINT_FINDING = {"revision", "place", "rule", "what", "instead"}


@pytest.fixture
def environment(migrated_environment: Environment) -> Environment:
    return migrated_environment


def answer(runner: FlaskCliRunner, *arguments: str) -> Any:
    return json.loads(release(runner, *arguments, "--json").stdout)


@pytest.mark.smoke
def test_an_empty_database(runner: FlaskCliRunner, database: Database) -> None:
    database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    revisions = sorted(script.revision for script in OUR_HISTORY.walk_revisions())
    status = answer(runner, "status")
    assert set(status) == STATUS
    assert (status["state"], status["code_head"], status["database_revision"]) == ("behind", HEAD, None)
    assert [step["revision"] for step in status["pending"]] == revisions
    assert status["pending"][0] == {"revision": "0001", "title": "Create users.", "phase": "expand"}
    no_queue = "none: the migration that creates it has not run"
    assert (status["next"], status["project"]) == ("flask release plan", {"queue": no_queue})
    assert f"\nqueue              {no_queue}\n" in release(runner, "status").stdout

    plan = answer(runner, "plan")
    assert [revision["revision"] for revision in plan["revisions"]] == revisions
    assert plan["revisions"][0]["sql"].startswith("BEGIN;\n\nCREATE TABLE users")
    printed = release(runner, "plan").stdout
    assert "\n    CREATE TABLE users" in printed
    assert printed.endswith("Apply it with: flask db upgrade\n")


def test_a_healthy_database_at_the_head(runner: FlaskCliRunner) -> None:
    status = answer(runner, "status")
    assert (status["state"], status["pending"], status["migrator"], status["next"]) == ("at_head", [], None, None)
    printed = release(runner, "status").stdout
    assert "at_head" in printed
    assert "none is running" in printed

    assert release(runner, "plan").stdout == f"Nothing pending: the database is at {HEAD}.\n"

    ended = release(runner, "doctor")
    assert (ended.exit_code, ended.stdout) == (0, "Nothing is wrong.\n")
    assert answer(runner, "doctor") == {"ok": True, "findings": []}


def test_status_tells_how_many_jobs_wait_and_how_long_the_first_has(database: Database, runner: FlaskCliRunner) -> None:
    assert answer(runner, "status")["project"]["queue"] == "no job waits"
    database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at)"
        " VALUES ('default', 'a', NULL), ('default', 'b', NULL), ('default', 'c', now() + interval '1 hour')"
    )
    database.execute("UPDATE procrastinate_events SET at = at - interval '90 seconds' WHERE job_id = 1")
    assert re.search(r"\nqueue +jobs waiting: 2, the first for 9\d s\n", release(runner, "status").stdout)


def test_status_tells_how_many_jobs_failed_and_why(database: Database, runner: FlaskCliRunner) -> None:
    """A mail server that refuses us is seen at once, and not a day later."""
    assert answer(runner, "status")["project"]["failed jobs"] == "none"
    database.execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, status, attempts, scheduled_at)"
        " VALUES (7, 'default', 'a', 'todo', 1, now() + interval '1 hour'), (8, 'default', 'b', 'todo', 0, NULL)"
    )
    database.execute("INSERT INTO job_records (id, error, failed_at) VALUES (7, 'E: why', '2026-01-02 03:04Z')")
    newest = "job 7, a, 2026-01-02 03:04 UTC: E: why"
    assert f"\nfailed jobs        0, and 1 to be tried again, the newest: {newest}" in release(runner, "status").stdout
    database.execute("UPDATE procrastinate_jobs SET status = 'failed'")
    database.execute("INSERT INTO job_records (id, error, failed_at) VALUES (8, 'E: before', '2026-01-01 03:04Z')")
    assert f"\nfailed jobs        2, the newest: {newest}" in release(runner, "status").stdout
    database.execute("DELETE FROM job_records")
    assert answer(runner, "status")["project"]["failed jobs"] == "2, the newest: job 8, b: no cause is known"


def test_a_migration_that_runs_is_told_and_no_error(database: Database, runner: FlaskCliRunner) -> None:
    with database.engine.connect() as other:
        other.execute(text(f"SELECT pg_advisory_lock({LOCK_KEY})"))
        assert "A migration is running" in answer(runner, "status")["migrator"]
        ended = release(runner, "doctor")
    assert (ended.exit_code, "running-migrator" in ended.stdout) == (0, True)


def test_status_tells_which_release_is_live_since_when(database: Database, runner: FlaskCliRunner) -> None:
    assert answer(runner, "status")["live"] is None
    assert "unknown: no release has reported in" in release(runner, "status").stdout
    database.goes_live(Base.metadata, HEAD)
    since = database.scalar("SELECT live_at FROM schema_releases")
    live = answer(runner, "status")["live"]
    assert live["code_head"] == HEAD
    assert datetime.fromisoformat(live["since"]) == since.replace(microsecond=0)
    assert f"{HEAD}, which began to serve {live['since']}" in release(runner, "status").stdout


def test_without_a_database_it_is_one_sentence(server_environment: Environment) -> None:
    nowhere = {**server_environment, "DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/nothing"}
    runner = create_app(TestingConfig(nowhere)).test_cli_runner()
    for command in ("status", "plan", "doctor", "lint"):
        ended = release(runner, command, "--json")
        assert (ended.exit_code, ended.stdout) == (1, "")
        assert ended.stderr.startswith("Error: ")
        assert "Traceback" not in ended.stderr
        assert "secret" not in ended.stderr


def test_lint_ends_with_1_for_an_unsafe_revision(checkout: OwnHistory) -> None:
    checkout.write_revision(1, 'op.execute("CREATE TABLE notes (id bigint)")')
    checkout.write_revision(2, 'op.execute("UPDATE notes SET id = 1")')
    ended = checkout.flask("release", "lint")
    assert ended.returncode == 1
    assert "0002_step.py:14: unsafe: writes-many-rows" in ended.stdout
    assert ended.stdout.endswith("1 unsafe.\n")
    assert "\x1b" not in ended.stdout
    found = json.loads(checkout.flask("release", "lint", "0002", "--json").stdout)
    assert found["ok"] is False
    assert set(found["findings"][0]) == LINT_FINDING
    assert checkout.flask("release", "lint", "0001").returncode == 0


def test_the_lock_has_the_key_that_earlier_releases_take(server_environment: Environment) -> None:
    """With another one, two releases would migrate at once. Two projects do not wait for each other."""
    with create_app(TestingConfig(server_environment)).app_context():
        assert options.current().name == "semicircle"
    assert [lock_key(name) for name in ("shop", "notebook")] == [894936958, 1739822044]


def test_another_project_is_told_when_it_is_not_set_up_and_uses_psycopg2_whatever_it_names() -> None:
    app = Flask("shop")
    with app.app_context(), pytest.raises(ReleaseError, match=r"call online_migrations\.init_app\(app, Options"):
        options.current()
    for driver in ("postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
        init_app(app, Options(metadata=MetaData(), url=f"{driver}://u:p@192.0.2.1/n", name="shop"))
        with app.app_context():
            assert (direct_engine().url.drivername, direct_engine().url.host) == ("postgresql+psycopg2", "192.0.2.1")


OURS, ALEMBIC = (logging.getLogger(name) for name in (LIBRARY, "alembic"))


def shown_as_python_begins(monkeypatch: pytest.MonkeyPatch, *handlers: logging.Handler) -> None:
    """Show them where nobody has set up logging, or just with these handlers. Alembic has one that prints nothing.

    Not a fixture: pytest adds its own handlers when the test begins.
    """
    monkeypatch.setattr(logging.getLogger(), "handlers", [*handlers])
    for logger, own in ((OURS, []), (ALEMBIC, [logging.NullHandler()])):
        for name, value in (("handlers", own), ("propagate", logger.propagate), ("level", logger.level)):
            monkeypatch.setattr(logger, name, value)
    show_log()


def test_by_itself_it_logs_to_stderr_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a second run nor the handler that Flask adds to the application prints a line twice."""
    monkeypatch.setattr(logging.getLogger("app"), "handlers", [logging.StreamHandler()])
    shown_as_python_begins(monkeypatch)
    show_log()
    logging.getLogger(f"{LIBRARY}.runner").info("the database is at 0001")
    logging.getLogger("alembic.runtime").info("Running upgrade")
    logging.getLogger("alembic.runtime.migration").info("Context impl %s.", "PostgresqlImpl")
    logging.getLogger("alembic.ddl.postgresql").info("Detected sequence named '%s'", "users_id_seq")
    said = "INFO [online_migrations.runner] the database is at 0001\nINFO [alembic.runtime] Running upgrade\n"
    assert capsys.readouterr() == ("", said)


def test_a_project_may_set_up_its_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown_as_python_begins(monkeypatch, logging.NullHandler())
    OURS.info("not wanted")
    assert (capsys.readouterr().err, OURS.handlers) == ("", [])


def test_every_rule_of_the_doctor_is_explained_in_the_runbook() -> None:
    page = Path("docs/operations.md").read_text()
    code = "".join(path.read_text() for path in Path("online_migrations/doctor").glob("*.py"))
    rules = [*CHECKS, *re.findall(r'\b(?:ERROR|WARNING|NOTE), "([\w-]+)"', code)]
    assert len(rules) > 30
    assert [rule for rule in rules if f"`{rule}`" not in page] == []
