"""What a role or a database may have set for its sessions: neither a page nor a release minds."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from app import create_app
from app.accounts import hashing
from app.extensions import db
from app.release import doctor
from app.release.connection import direct_connection, direct_engine
from config import TestingConfig
from tests.conftest import CHEAP_HASHER
from tests.databases import Environment, empty_database, migrated_database, upgrade
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import endpoints

pytestmark = [pytest.mark.minutes]

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
WRITES = {"notes.create", "todos.create", "wordcounts.create", "accounts.sign_up", "accounts.change_nickname"}
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
