"""Settings of a role or a database: neither a page nor a release minds them, or they are refused.

A database that cannot hold every text is refused; what a connection can put right, such as an encoding, it does.
"""

from collections.abc import Iterable
from contextlib import closing

import psycopg2
import pytest
from click.testing import Result
from sqlalchemy import make_url, text

from app import create_app
from app.accounts import service as accounts
from app.extensions import db
from config import TestingConfig
from online_migrations import boot_gate
from online_migrations.connection import direct_connection, direct_engine
from online_migrations.doctor import diagnose
from online_migrations.errors import ReleaseError
from tests.conftest import PASSWORD
from tests.databases import Environment, copied_database, empty_database, migrated_database, upgrade
from tests.pgbouncer import needs_pgbouncer, pooler
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
WRITES = ("accounts.sign_up", "accounts.change_nickname")  # and what stores a row of a feature
HARD = "C:\\temp\\new 'quoted' \"twice\" $1 %s %(x)s \\' 한국어 🦊 ñ #태그"
NEWEST = text("SELECT content, tags, now() - created_at < interval '10 minutes' FROM notes ORDER BY id DESC LIMIT 1")


def walk(site: Site) -> dict[tuple[str, str], int]:
    """Visit every page, and save something of each kind; returns what was answered."""
    browser, token = site.browser()
    return {
        (method, name): visit(browser, token, method, path).status_code
        for method in ("GET", "POST")
        for name, path in endpoints(site.app, method)
        if method == "GET" or name in WRITES or name.endswith(".create")
    }


@pytest.fixture(scope="module")
def usual(server_environment: Environment) -> dict[tuple[str, str], int]:
    with migrated_database(server_environment) as own:
        return walk(new_site(own))


@pytest.mark.minutes
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_release_upgrades_pages_answer_as_ever_and_a_text_is_kept_as_it_was_written(
    server_environment: Environment, usual: dict[tuple[str, str], int], settings: Iterable[str]
) -> None:
    with empty_database(server_environment) as environment:
        administrator = Site(create_app(TestingConfig(environment)), environment, None)  # type: ignore[arg-type]
        administrator.settings_of_database(*(f"SET {setting}" for setting in settings))
        try:
            upgrade(environment)
            site = new_site(environment)
            with site.app.app_context(), direct_connection(direct_engine()) as connection:
                assert [one.what for one in diagnose(connection, db.metadata)] == []
            browser, token = site.browser()
            browser.post("/notes", data={"title": "제목", "content": HARD, "csrf_token": token})
            with site.app.app_context():
                assert tuple(db.session.execute(NEWEST).one()) == (HARD, ["태그"], True)
            assert walk(site) == usual
        finally:
            administrator.settings_of_database("RESET ALL")


KOREAN = "세미서클 🦊"


def upgraded(environment: Environment) -> Result:
    return flask("db", "upgrade", env={**environment, "APP_SETTINGS": "config.TestingConfig"})


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_KR"])
def test_a_database_that_does_not_hold_every_text_is_neither_migrated_nor_served_nor_restored_into(
    server_environment: Environment, caplog: pytest.LogCaptureFixture, encoding: str
) -> None:
    options = f"ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'"
    with copied_database(server_environment, "template0", options) as strange:
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
        refused = pytest.raises(ReleaseError, match="ENCODING 'UTF8'")
        with app.app_context(), refused, direct_connection(direct_engine()):
            pass


def test_strings_that_are_not_standard_are_refused_too(migrated_environment: Environment) -> None:
    app = create_app(TestingConfig(having_set(migrated_environment, "standard_conforming_strings = off")))
    assert not boot_gate.may_work(app)
    told = upgraded(migrated_environment)
    assert (told.exit_code, "RESET standard_conforming_strings" in told.stderr.splitlines()[-1]) == (1, True)


def test_a_search_path_without_a_schema_is_refused_and_the_command_that_mends_it_told(
    migrated_environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(TestingConfig(having_set(migrated_environment, "search_path = ''")))
    mends = f"ALTER DATABASE {make_url(migrated_environment['DATABASE_URL']).database} RESET search_path"
    assert not boot_gate.may_work(app)
    assert mends in caplog.text
    assert app.test_client().get("/readyz").get_json()["state"] == "unusable"
    for told in (upgraded(migrated_environment), doctor(migrated_environment)):
        assert (told.exit_code, mends in told.stderr.splitlines()[-1]) == (1, True)


def doctor(environment: Environment) -> Result:
    return flask("release", "doctor", env={**environment, "APP_SETTINGS": "config.TestingConfig"})


def test_a_locale_that_knows_ascii_alone_is_told_at_start_at_release_and_by_the_doctor_and_all_go_on(
    server_environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    options = "ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'"
    told = "(C), lower() does not make é, я and i of É, Я and I"
    with copied_database(server_environment, "template0", options) as plain:
        assert upgraded(plain).exit_code == 0
        assert caplog.text.count(told) == 1
        assert boot_gate.may_work(create_app(TestingConfig(plain)))
        assert caplog.text.count(told) == 2
        found = doctor(plain)
        assert (found.exit_code, found.stdout.count(told)) == (0, 1)
        assert "_new ENCODING 'UTF8' TEMPLATE template0 LOCALE 'C.UTF-8'" in found.stdout


def having_set(environment: Environment, setting: str) -> Environment:
    """Set it for the database, which a session heeds as it does what is set for its role."""
    url = make_url(environment["DATABASE_URL"]).set(drivername="postgresql")
    with closing(psycopg2.connect(url.render_as_string(hide_password=False))) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"ALTER DATABASE {url.database} SET {setting}")
    return environment


def test_a_client_encoding_that_somebody_has_set_changes_nothing(
    server_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the database, for the machine, and by the options of the URL."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with migrated_database(server_environment) as own:
        having_set(own, "client_encoding = SQL_ASCII")
        url = make_url(own["DATABASE_URL"]).update_query_dict({"options": "-c client_encoding=EUC_KR"})
        keeps_korean({**own, "DATABASE_URL": url.render_as_string(hide_password=False)})


@needs_pgbouncer
def test_it_changes_nothing_behind_a_pooler(server_environment: Environment) -> None:
    with migrated_database(server_environment) as own:
        having_set(own, "client_encoding = LATIN1")
        with pooler(own, sessions=1) as pooled:
            keeps_korean(pooled)


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
