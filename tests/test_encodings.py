"""Encodings: what a connection can put right it does, and a database that cannot hold every text is refused."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url, text

from app import create_app
from app.accounts import service as accounts
from app.extensions import db
from app.release import boot_gate
from app.release.connection import direct_connection, direct_engine
from app.release.errors import ReleaseError
from config import TestingConfig
from tests.conftest import PASSWORD
from tests.databases import Environment, copied_database, migrated_database
from tests.pgbouncer import PGBOUNCER, pooler
from tests.visitor import Visitor

ROOT = Path(__file__).parents[1]
KOREAN = "세미서클 🦊"
ENCODINGS = ["SQL_ASCII", "LATIN1", "EUC_KR"]


@pytest.fixture(params=ENCODINGS)
def strange(request: pytest.FixtureRequest, server_environment: Environment) -> Iterator[Environment]:
    """An environment whose database has this encoding."""
    with copied_database(server_environment, "template0", f"ENCODING '{request.param}' LOCALE 'C'") as environment:
        yield environment


def flask(environment: Environment, *command: str) -> subprocess.CompletedProcess[str]:
    env = {**environment, "APP_SETTINGS": "config.TestingConfig", "FLASK_APP": "app", "PATH": "/usr/bin:/bin"}
    ran = [sys.executable, "-m", "flask", *command]
    return subprocess.run(ran, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_release_refuses_a_database_that_does_not_hold_every_text(strange: Environment) -> None:
    told = flask(strange, "db", "upgrade")
    assert told.returncode == 1
    assert "ENCODING 'UTF8' TEMPLATE template0" in told.stderr.splitlines()[-1]
    assert "Traceback" not in told.stderr
    with closing(psycopg2.connect(strange["DATABASE_URL"].replace("+psycopg2", ""))) as left, left.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        assert cursor.fetchall() == [(0,)]


def test_neither_web_nor_worker_serves_it(strange: Environment, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(TestingConfig(strange))
    app.test_client_class = Visitor
    assert not boot_gate.may_work(app)
    assert "ENCODING 'UTF8' TEMPLATE template0" in caplog.text
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.get_json()) == (503, {"state": "unusable", "commit": None})
    assert app.test_client().get("/sign-in").status_code == 503
    with app.app_context():
        db.engine.dispose()


def test_a_dump_is_not_restored_into_it(strange: Environment, migrated_environment: Environment) -> None:
    with (
        create_app(TestingConfig(migrated_environment)).app_context(),
        pytest.raises(ReleaseError, match="ENCODING 'UTF8'"),
        direct_connection(direct_engine(url=strange["DATABASE_URL"])),
    ):
        pass


def test_strings_that_are_not_standard_are_refused_too(migrated_environment: Environment) -> None:
    app = create_app(TestingConfig(having_set(migrated_environment, "standard_conforming_strings = off")))
    assert not boot_gate.may_work(app)
    told = flask(migrated_environment, "db", "upgrade")
    assert (told.returncode, "RESET standard_conforming_strings" in told.stderr.splitlines()[-1]) == (1, True)
    with app.app_context():
        db.engine.dispose()


def having_set(environment: Environment, setting: str) -> Environment:
    """For the database, which a session heeds as it does what is set for its role."""
    url = make_url(environment["DATABASE_URL"]).set(drivername="postgresql")
    with closing(psycopg2.connect(url.render_as_string(hide_password=False))) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"ALTER DATABASE {url.database} SET {setting}")
    return environment


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("where", ["database", "PGCLIENTENCODING", "options of the URL", "behind a pooler"])
def test_a_client_encoding_that_somebody_has_set_changes_nothing(
    server_environment: Environment, monkeypatch: pytest.MonkeyPatch, where: str, encoding: str
) -> None:
    with migrated_database(server_environment) as own:
        if where == "behind a pooler":
            if not PGBOUNCER:
                pytest.skip("pgbouncer is not installed")
            having_set(own, f"client_encoding = {encoding}")
            with pooler(own, sessions=1) as pooled:
                keeps_korean(pooled)
        elif where == "database":
            keeps_korean(having_set(own, f"client_encoding = {encoding}"))
        elif where == "PGCLIENTENCODING":
            monkeypatch.setenv("PGCLIENTENCODING", encoding)
            keeps_korean(own)
        else:
            url = make_url(own["DATABASE_URL"]).update_query_dict({"options": f"-c client_encoding={encoding}"})
            keeps_korean({**own, "DATABASE_URL": url.render_as_string(hide_password=False)})


def keeps_korean(environment: Environment) -> None:
    """By the engine of pages and jobs, and by the connection of a release."""
    app = create_app(TestingConfig(environment))
    with app.app_context():
        accounts.sign_up("a@example.com", KOREAN, PASSWORD)
        assert db.session.scalars(text("SELECT nickname FROM users")).all() == [KOREAN]
        db.session.remove()
        db.engine.dispose()
        with direct_connection(direct_engine()) as connection:
            assert connection.scalar(text("SELECT nickname FROM users")) == KOREAN
