"""Every command of the runbooks is run: on a database, a bucket and a log as they are when something is wrong.

A command is a line of an indented block. Words in capitals stand for a value, see `Place.given`. `heroku` and `aws` are
stand-ins that know the words and options of the real ones.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.accounts import service as accounts
from app.extensions import db
from app.jobs.queue import defer
from config import TestingConfig
from tests.conftest import PASSWORD
from tests.databases import Environment, migrated_database
from tests.deployment.stand_in_site import served
from tools.dev import postgres

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
PAGES = ("operations.md", "backups.md", "logs.md", "scaling.md", "connections.md")
NO_COMMANDS = ("at=", "level=", "#", "2 ×")  # lines of a log, comments, and a sum
CRON = re.compile(r"^([\d*]+ +){5}")
# Run where they are tested, since they take seconds.
IN_THEIR_ORDER = re.compile(r"\$(OLD|NEW)_|--moved")  # by tests/backups/test_next_version.py
ELSEWHERE = {
    "flask restore-drill": "tests/backups/test_restore_drill.py",
    "flask restore": "tests/backups/test_restore.py",
    'psql "$MAINTENANCE_URL"': "tests/backups/test_restore.py",
    "bin/rollback production": "tests/deployment/test_deploy.py",
    'psql "$DATABASE_URL" -c "DROP SCHEMA public': "tests/backups/test_identity.py",
}
EXIT_CODES = {
    "flask release plan --back": 2,  # unknown: no release is noted here
    "flask acknowledge-restore": 1,  # it was not restored
    "flask mail check": 1,  # no mail server is set here
}
LOG = """\
2026-11-25T00:00:00Z app[web.1]: at=request method=GET path="/notes" route="/notes" status=200 account=1 bytes=9 ms=1200 sql_count=2 sql_ms=1100.0 bucket_ms=0.0 request_id=6f1c
2026-11-25T00:00:00Z app[web.1]: level=warning logger=app.database.connection at=slow_statement ms=1100 rows=20 sql="SELECT 1"
2026-11-25T00:00:00Z app[web.1]: level=error logger=app.web.errors msg="StorageUnavailable: put_object failed"
2026-11-25T00:00:00Z app[web.1]: at=request method=GET path="/todos" route="/todos" status=500 account=1 bytes=9 ms=3 sql_count=1 sql_ms=1.0 bucket_ms=0.0 request_id=6f1d
2026-11-25T00:00:00Z heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="/notes" status=503
2026-11-25T00:00:00Z heroku[web.1]: Error R14 (Memory quota exceeded)
2026-11-25T00:00:00Z app[worker.1]: level=warning logger=app.jobs.worker msg="MailUnavailable"
"""  # noqa: E501 - lines of a log


def commands(page: str, section: str = "") -> Iterator[str]:
    """Yield those of a page, or of its section with this heading."""
    _, _, text = (ROOT / "docs" / page).read_text().partition(f"## {section}\n" if section else "\n")
    lines = iter(text.partition("\n## " if section else "\0")[0].splitlines())
    for line in lines:
        if not line.startswith("    ") or line.strip().startswith(NO_COMMANDS):
            continue
        command = CRON.sub("", line.strip()).replace(r"\%", "%")
        while command.endswith("\\"):
            command = command[:-1] + next(lines).strip()
        yield re.sub(r"\s+# .*", "", command)


ALL = [
    line for line in dict.fromkeys(line for page in PAGES for line in commands(page)) if not IN_THEIR_ORDER.search(line)
]


class Place:
    """Hold a service, and the environment of a shell beside it."""

    def __init__(self, app: Flask, environment: Environment, url: str, folder: Path) -> None:
        self._app = app
        self._folder = folder
        self._database = environment["DATABASE_URL"].replace("+psycopg2", "")
        self._env = {
            **environment,
            "APP_SETTINGS": "config.TestingConfig",
            "DATABASE_URL": self._database,
            "FOLLOWER_DATABASE_URL": self._database,
            "LOG": str(folder / "log"),
            "PATH": f"{folder}:{postgres.programs()}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        with app.app_context():
            defer("photos.delete_orphan", key="none")
            job = db.session.scalar(text("UPDATE procrastinate_jobs SET status = 'failed' RETURNING id"))
            db.session.commit()
        self._given = {
            "https://HOST": url,
            "/srv/backups": str(folder),
            "latest.dump": str(folder / "latest.dump"),
            "web.log": str(folder / "web.log"),
            "worker.log": str(folder / "web.log"),
            "6f1c…": "6f1c",
            "ID": str(job),
            "TIME": "2026-11-25",
            "NEW_PASSWORD": psycopg2.extensions.parse_dsn(self._database).get("password", ""),
        }

    def run(self, command: str) -> tuple[int, str]:
        """Return the exit code, and what was printed. A single `flask` command runs in this process."""
        with closing(psycopg2.connect(self._database)) as victim:
            for word, value in {**self._given, "PID": str(victim.info.backend_pid)}.items():
                command = re.sub(rf"(?<![\w$]){re.escape(word)}(?![\w=])", value.replace("\\", r"\\"), command)
            words = shlex.split(command)
            if words[0] == "flask" and "|" not in words:
                result = self._app.test_cli_runner().invoke(args=words[1:])
                return result.exit_code, result.output
            shell = ["/bin/bash", "-o", "pipefail", "-c", f"({command}) 2>&1 </dev/null"]
            done = subprocess.run(shell, cwd=ROOT, env=self._env, capture_output=True, text=True, timeout=60)
            return done.returncode, done.stdout


@pytest.fixture(scope="module")
def place(server_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("runbooks")
    (folder / "log").write_text(LOG)
    (folder / "web.log").write_text(re.sub(r"^.*?\]: ", "", LOG, flags=re.MULTILINE))  # without Logplex
    for name in ("heroku", "aws"):
        stand_in = folder / name
        stand_in.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -S "{Path(__file__).parent}/heroku_stand_in.py" {name} "$@"\n'
        )
        stand_in.chmod(0o755)
    with migrated_database(server_environment) as environment:
        app = create_app(TestingConfig(environment))
        with app.app_context():
            accounts.sign_up("alice@example.com", "alice", PASSWORD)
        with served(app) as url:
            yield Place(app, environment, url, folder)


def test_each_command_of_the_runbooks_works(place: Place) -> None:
    ran = {command: place.run(command) for command in ALL if not command.startswith(tuple(ELSEWHERE))}
    wrong = {command: said for command, said in ran.items() if said[0] != EXIT_CODES.get(command, 0)}
    assert wrong == {}


def test_commands_are_found_and_those_of_other_tests_are_in_them() -> None:
    assert len(ALL) > 50
    for command, path in ELSEWHERE.items():
        assert any(found.startswith(command) for found in ALL)
        assert re.split("[ /]", command)[1] in (ROOT / path).read_text()
