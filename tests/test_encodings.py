"""Encodings: what a connection can put right it does, and a database that cannot hold every text is refused."""

import os
from contextlib import ExitStack, closing

import psycopg2
import pytest
from click.testing import CliRunner, Result
from flask.cli import FlaskGroup
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

FLASK = FlaskGroup(create_app=create_app, load_dotenv=False, set_debug_flag=False)
KOREAN = "세미서클 🦊"


def upgraded(environment: Environment) -> Result:
    """Run `flask db upgrade` in this environment only."""
    unset: dict[str, str | None] = dict.fromkeys(os.environ)
    env = {**unset, **environment, "APP_SETTINGS": "config.TestingConfig"}
    return CliRunner().invoke(FLASK, ["db", "upgrade"], env=env)


def test_a_database_that_does_not_hold_every_text_is_neither_migrated_nor_served_nor_restored_into(
    server_environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    with copied_database(server_environment, "template0", "ENCODING 'SQL_ASCII' LOCALE 'C'") as strange:
        told = upgraded(strange)
        assert told.exit_code == 1
        assert "ENCODING 'UTF8' TEMPLATE template0" in told.stderr.splitlines()[-1]
        with closing(psycopg2.connect(strange["DATABASE_URL"].replace("+psycopg2", ""))) as left:
            cursor = left.cursor()
            cursor.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
            assert cursor.fetchall() == [(0,)]

        app = create_app(TestingConfig(strange))
        app.test_client_class = Visitor
        assert not boot_gate.may_work(app)
        assert "ENCODING 'UTF8' TEMPLATE template0" in caplog.text
        ready = app.test_client().get("/readyz")
        assert (ready.status_code, ready.get_json()) == (503, {"state": "unusable", "commit": None})
        assert app.test_client().get("/sign-in").status_code == 503
        with app.app_context():
            with pytest.raises(ReleaseError, match="ENCODING 'UTF8'"), direct_connection(direct_engine()):
                pass
            db.engine.dispose()


def test_strings_that_are_not_standard_are_refused_too(migrated_environment: Environment) -> None:
    app = create_app(TestingConfig(having_set(migrated_environment, "standard_conforming_strings = off")))
    assert not boot_gate.may_work(app)
    told = upgraded(migrated_environment)
    assert (told.exit_code, "RESET standard_conforming_strings" in told.stderr.splitlines()[-1]) == (1, True)
    with app.app_context():
        db.engine.dispose()


def having_set(environment: Environment, setting: str) -> Environment:
    """Set it for the database, which a session heeds as it does what is set for its role."""
    url = make_url(environment["DATABASE_URL"]).set(drivername="postgresql")
    with closing(psycopg2.connect(url.render_as_string(hide_password=False))) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"ALTER DATABASE {url.database} SET {setting}")
    return environment


@pytest.mark.parametrize(
    ("where", "encoding"),
    [
        *(("database", "SQL_ASCII"), ("PGCLIENTENCODING", "LATIN1")),
        *(("options of the URL", "EUC_KR"), ("behind a pooler", "LATIN1")),
    ],
)
def test_a_client_encoding_that_somebody_has_set_changes_nothing(
    server_environment: Environment, monkeypatch: pytest.MonkeyPatch, where: str, encoding: str
) -> None:
    if where == "behind a pooler" and not PGBOUNCER:
        pytest.skip("pgbouncer is not installed")
    with migrated_database(server_environment) as own, ExitStack() as stack:
        if where in ("database", "behind a pooler"):
            having_set(own, f"client_encoding = {encoding}")
        if where == "behind a pooler":
            own = stack.enter_context(pooler(own, sessions=1))
        if where == "PGCLIENTENCODING":
            monkeypatch.setenv("PGCLIENTENCODING", encoding)
        if where == "options of the URL":
            url = make_url(own["DATABASE_URL"]).update_query_dict({"options": f"-c client_encoding={encoding}"})
            own = {**own, "DATABASE_URL": url.render_as_string(hide_password=False)}
        keeps_korean(own)


def keeps_korean(environment: Environment) -> None:
    """Write and read by the engine of pages and jobs, and read by the connection of a release."""
    app = create_app(TestingConfig(environment))
    with app.app_context():
        accounts.sign_up("a@example.com", KOREAN, PASSWORD)
        assert db.session.scalars(text("SELECT nickname FROM users")).all() == [KOREAN]
        db.session.remove()
        db.engine.dispose()
        with direct_connection(direct_engine()) as connection:
            assert connection.scalar(text("SELECT nickname FROM users")) == KOREAN
