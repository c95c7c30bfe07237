"""Settings of a role or a database: neither a page nor a release minds them, or they are refused.

A database that cannot hold every text is refused; what a connection can put right, such as an encoding, it does.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager

import psycopg2
import pytest
from click.testing import Result
from sqlalchemy import make_url, text

from app import create_app
from app.accounts import hashing
from app.accounts import service as accounts
from app.extensions import db
from app.release import boot_gate, doctor
from app.release.connection import direct_connection, direct_engine
from app.release.errors import ReleaseError
from config import TestingConfig
from tests.conftest import CHEAP_HASHER, PASSWORD
from tests.databases import Environment, copied_database, empty_database, migrated_database, upgrade
from tests.pgbouncer import PGBOUNCER, pooler
from tests.samples import samples
from tests.test_bad_values import flask
from tests.visitor import Visitor
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import endpoints

# Each is legal for any role, and some image, provider or administrator has it. What cannot be right at once is apart.
SETTINGS = {
    "formats": (
        *("bytea_output = escape", "DateStyle = 'German, DMY'", "IntervalStyle = iso_8601"),
        "TimeZone = 'Asia/Kolkata'",
        *("extra_float_digits = -15", "backslash_quote = on", "array_nulls = off", "quote_all_identifiers = on"),
        *("transform_null_equals = on", "row_security = off", "client_min_messages = debug5"),
    ),
    "other formats": (
        *("DateStyle = 'SQL, MDY'", "IntervalStyle = sql_standard", "TimeZone = '-5:45'"),
        "client_min_messages = error",
        *("default_text_search_config = simple", "gin_fuzzy_search_limit = 1", "plan_cache_mode = force_generic_plan"),
        *("check_function_bodies = off", "client_encoding = LATIN1"),
    ),
    "transactions": (
        *("lock_timeout = '10s'", "statement_timeout = '1h'", "idle_in_transaction_session_timeout = '1h'"),
        *("idle_session_timeout = '2s'", "synchronous_commit = off", "default_transaction_deferrable = on"),
        "default_transaction_isolation = serializable",
    ),
}
WRITES = {
    *("notes.create", "todos.create", "accounts.sign_up", "accounts.change_nickname"),
    *(name for each in samples() for name in each.writes),
}
HARD = "C:\\temp\\new 'quoted' \"twice\" $1 %s %(x)s \\' 한국어 🦊 ñ #태그"
NEWEST = text("SELECT content, tags, now() - created_at < interval '10 minutes' FROM notes ORDER BY id DESC LIMIT 1")


@contextmanager
def site_with(environment: Environment, settings: Iterable[str]) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch, migrated_database(environment) as own:
        patch.setattr(hashing, "_hasher", CHEAP_HASHER)
        site = new_site(own)
        site.settings_of_database(*(f"SET {setting}" for setting in settings))
        yield site
        with site.app.app_context():
            db.session.remove()
            db.engine.dispose()


def walk(site: Site) -> dict[tuple[str, str], int]:
    """Visit every page, and save something of each kind; returns what was answered."""
    browser, token = site.browser()
    return {
        (method, name): visit(browser, token, method, path).status_code
        for method in ("GET", "POST")
        for name, path in endpoints(site.app, method)
        if method == "GET" or name in WRITES
    }


@pytest.fixture(scope="module")
def usual(server_environment: Environment) -> dict[tuple[str, str], int]:
    with site_with(server_environment, ()) as site:
        return walk(site)


@pytest.mark.minutes
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_pages_answer_as_ever_and_a_text_is_kept_as_it_was_written(
    server_environment: Environment, usual: dict[tuple[str, str], int], settings: Iterable[str]
) -> None:
    with site_with(server_environment, settings) as site:
        browser, token = site.browser()
        browser.post("/notes", data={"title": "제목", "content": HARD, "csrf_token": token})
        with site.app.app_context():
            assert tuple(db.session.execute(NEWEST).one()) == (HARD, ["태그"], True)
            db.session.rollback()
        assert walk(site) == usual


@pytest.mark.minutes
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_release_upgrades_and_finds_nothing_wrong(server_environment: Environment, settings: Iterable[str]) -> None:
    with empty_database(server_environment) as environment:
        site = Site(create_app(TestingConfig(environment)), environment, None)  # type: ignore[arg-type]
        site.settings_of_database(*(f"SET {setting}" for setting in settings))
        try:
            upgrade(environment)
            with site.app.app_context(), direct_connection(direct_engine()) as connection:
                assert [one.what for one in doctor.diagnose(connection, db.metadata)] == []
        finally:
            site.settings_of_database("RESET ALL")


KOREAN = "세미서클 🦊"


def upgraded(environment: Environment) -> Result:
    return flask("db", "upgrade", env={**environment, "APP_SETTINGS": "config.TestingConfig"})


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
