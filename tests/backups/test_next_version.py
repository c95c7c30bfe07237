"""The runbook for the next major version of PostgreSQL, line by line: from 16 to 18, by a dump and by replication."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backups.conftest import COUNT, PROGRAMS, ROOT, ROWS, SESSION, as_superuser, own_server
from tests.databases import Environment, run, upgrade
from tests.docs.test_operations import commands
from tests.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.database]

LINES = list(commands("operations.md", "The next major version of PostgreSQL"))
WRITE = "INSERT INTO notes (user_id, title, content) VALUES (1, 'since', '#책') RETURNING id"


class Move:
    """Hold two databases on two servers, and a shell in which the lines of the page are typed."""

    def __init__(self, old: str, new: str, environment: Environment, folder: Path) -> None:
        self.old, self.new, self._folder = old, new, folder
        server = as_superuser(new).replace("/semicircle", "/postgres")
        run(server, "DROP DATABASE semicircle")
        urls = {"OLD_URL": old, "NEW_URL": new, "NEW_SERVER_URL": server}
        urls |= {"OLD_ADMIN_URL": as_superuser(old), "NEW_ADMIN_URL": as_superuser(new), "DATABASE_URL": old}
        path = f"{PROGRAMS[18]}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        of_app = {"APP_SETTINGS": "config.TestingConfig"}
        self.shell = {**environment, **urls, **of_app, "PATH": path}

    def type(self, beginning: str) -> str:
        """Type the lines of the page that begin so, and return what was printed."""
        script = "\n".join(["set -e -o pipefail", *(line for line in LINES if line.startswith(beginning))])
        assert "\n" in script, f"the page has no line {beginning}"
        command = ["/bin/bash", "-c", script.replace("latest.dump", f"'{self._folder}/latest.dump'")]
        done = subprocess.run(command, cwd=ROOT, env=self.shell, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def ends_at_the_new_server(self, notes: int, last_id: int) -> None:
        self.shell["DATABASE_URL"] = self.new
        assert "restored" in self.type("flask release doctor")
        self.type("flask acknowledge-restore")
        assert self.type("flask release doctor") == "Nothing is wrong."
        assert run(self.new, COUNT) == [(notes,)]
        assert run(self.new, "SELECT count(*) FROM user_sessions") == [(1,)]
        assert run(self.new, "SELECT notes_stored FROM figures WHERE user_id = 1") == [(notes,)]
        assert run(self.new, WRITE) == [(last_id + 1,)]


@pytest.fixture(scope="module")
def servers(server_environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield the URLs of the old database, with rows, and of the new server's."""
    with own_server(16, "wal_level=logical") as old, own_server(18) as new:
        upgrade({**server_environment, "DATABASE_URL": old})
        run(old, *ROWS, SESSION)
        yield old, new


@pytest.fixture
def move(servers: tuple[str, str], server_environment: Environment, tmp_path: Path) -> Move:
    return Move(*servers, server_environment, tmp_path)


def test_by_a_dump(move: Move) -> None:
    move.type("createdb")
    move.type("TZ=UTC pg_dump")
    assert "notes: 20 rows, 0 lost" in move.type("flask restore")
    move.ends_at_the_new_server(20, last_id=20)


def test_by_logical_replication_what_is_written_meanwhile_comes_along(move: Move) -> None:
    move.type("createdb")
    move.type("pg_dump --schema-only")
    move.type('psql "$OLD_ADMIN_URL" -c "CREATE PUBLICATION')
    move.type('psql "$NEW_ADMIN_URL" -c "CREATE SUBSCRIPTION')
    run(move.old, WRITE, "UPDATE users SET nickname = 'b' WHERE id = 1", "DELETE FROM notes WHERE id = 1", WRITE)
    wait_until(lambda: "(0 rows)" in move.type('psql "$NEW_ADMIN_URL" -c "SELECT srrelid'), "the tables are copied")
    wait_until(lambda: move.type('psql "$OLD_ADMIN_URL" -Atc "SELECT bool_and') == "t", "the new server is level")
    move.type('psql "$OLD_URL" -Atc "SELECT format')
    move.type('psql "$NEW_ADMIN_URL" -c "DROP SUBSCRIPTION')
    move.type('psql "$NEW_URL" -c "ANALYZE')
    assert run(move.new, "SELECT nickname FROM users") == [("b",)]
    move.ends_at_the_new_server(21, last_id=22)
