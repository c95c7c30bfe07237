"""`flask restore` says why a dump does not become the live database, which is as it was then."""

import subprocess

import pytest
from sqlalchemy import make_url

from tests.backups.conftest import PROGRAMS, Shop, as_superuser, pg_dump, run
from tests.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.database]


# A statement of a superuser, or of our role, and the reason that it leads to.
BY_SUPERUSER = {
    "ALTER ROLE semicircle NOCREATEDB": "The role semicircle may not make a database beside",
    "ALTER DATABASE {name} OWNER TO postgres": "it has to own shop_",
    "ALTER TABLE alembic_version OWNER TO reporter; GRANT ALL ON alembic_version TO semicircle": (
        "The tables belong to reporter, and would belong to semicircle"
    ),
}
BY_US = {
    "BEGIN; PREPARE TRANSACTION '{name}'": "the prepared transaction shop_",
    "INSERT INTO users (id, email, nickname, nickname_key, password_hash, created_at) OVERRIDING SYSTEM VALUE"
    " SELECT 0, 'b@example.com', 'b', 'b', '', now() - interval '1 day'": (
        "LOST: users: 1 rows that are older than the dump are not in it, ids 0."
    ),
}


@pytest.mark.parametrize(("statement", "reason"), [*BY_SUPERUSER.items(), *BY_US.items()])
def test_what_cannot_be_swapped_is_told_and_changes_nothing(shop: Shop, statement: str, reason: str) -> None:
    run(as_superuser(shop.url) if statement in BY_SUPERUSER else shop.url, statement.format(name=shop.name))
    try:
        assert_refused(shop, reason)
    finally:
        run(as_superuser(shop.url), "ALTER ROLE semicircle CREATEDB")
        if "PREPARE" in statement:
            run(shop.url, f"ROLLBACK PREPARED '{shop.name}'")


def assert_refused(shop: Shop, reason: str, *options: str) -> None:
    result = shop.restore(str(shop.dump), *options)
    assert result.exit_code == 1, result.output
    assert reason in result.stderr
    assert shop.is_as_it_was()


def test_a_dump_into_what_is_not_empty_or_no_address_is_refused(shop: Shop) -> None:
    assert_refused(shop, "holds tables; give an empty database", "--into", shop.url)
    assert_refused(shop, "--into has to look like postgres://", "--into", "the new one")


def test_a_dump_of_newer_code_is_refused(shop: Shop) -> None:
    newer = "INSERT INTO schema_ledger (revision, down_revisions, phase) VALUES ('9999', '{0048}', 'contract')"
    run(shop.url, newer, "UPDATE alembic_version SET version_num = '9999'")
    pg_dump(shop.url, shop.dump)
    back = "DELETE FROM schema_ledger WHERE revision = '9999'; UPDATE alembic_version SET version_num = '0048'"
    run(shop.url, back)
    assert_refused(shop, "The dump is at 9999, on which this code does not run")


def test_a_session_that_we_may_not_end_stops_the_restore(shop: Shop) -> None:
    sleeping = subprocess.Popen([PROGRAMS[16] / "psql", "-qc", "SELECT pg_sleep(60)", as_superuser(shop.url)])
    there = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)'"
    wait_until(lambda: run(as_superuser(shop.url), there) != [(0,)], "the session is there")
    result = shop.restore()
    sleeping.kill()
    sleeping.wait()
    assert (result.exit_code, "sessions of postgres" in result.stderr) == (1, True), result.output
    assert shop.is_as_it_was()


def test_a_database_in_the_locale_c_is_refused(shop: Shop) -> None:
    root = make_url(as_superuser(shop.url)).set(database="postgres").render_as_string()
    run(root, f"CREATE DATABASE {shop.name}_c OWNER semicircle TEMPLATE template0 LOCALE 'C'")
    result = shop.restore(str(shop.dump), "--into", f"{shop.url}_c")
    assert "has another encoding or locale than the live database" in result.stderr
    assert run(f"{shop.url}_c", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
