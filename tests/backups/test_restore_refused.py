"""`flask restore` says why a dump does not become the live database, which is as it was then."""

import subprocess
from collections.abc import Callable

import pytest
from sqlalchemy import make_url

from tests.backups.shop import PROGRAMS, Shop, as_superuser, pg_dump, run
from tests.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.database]


def without_createdb(shop: Shop) -> list[str]:
    run(as_superuser(shop.url), "ALTER ROLE semicircle NOCREATEDB")
    return [str(shop.dump)]


def of_another_owner(shop: Shop) -> list[str]:
    run(as_superuser(shop.url), f"ALTER DATABASE {shop.name} OWNER TO postgres")
    return [str(shop.dump)]


def with_tables_of_another_role(shop: Shop) -> list[str]:
    run(
        as_superuser(shop.url),
        "ALTER TABLE alembic_version OWNER TO reporter; GRANT ALL ON alembic_version TO semicircle",
    )
    return [str(shop.dump)]


def prepared(shop: Shop) -> list[str]:
    run(shop.url, f"BEGIN; PREPARE TRANSACTION '{shop.name}'")
    return [str(shop.dump)]


def torn(shop: Shop) -> list[str]:
    whole = shop.dump.read_bytes()
    shop.dump.write_bytes(whole[: len(whole) - 300])
    return [str(shop.dump)]


def of_another_database(shop: Shop) -> list[str]:
    run(shop.url, "UPDATE schema_ledger SET applied_at = applied_at + interval '1 hour'")
    return [str(shop.dump)]


def without_a_row(shop: Shop) -> list[str]:
    run(
        shop.url,
        "INSERT INTO users (id, email, nickname, nickname_key, password_hash, created_at) OVERRIDING SYSTEM VALUE"
        " SELECT 0, 'b@example.com', 'b', 'b', '', now() - interval '1 day'",
    )
    return [str(shop.dump)]


def of_newer_code(shop: Shop) -> list[str]:
    newer = "INSERT INTO schema_ledger (revision, down_revisions, phase) VALUES ('9999', '{0048}', 'contract')"
    run(shop.url, newer, "UPDATE alembic_version SET version_num = '9999'")
    pg_dump(shop.url, shop.dump)
    run(
        shop.url, "DELETE FROM schema_ledger WHERE revision = '9999'", "UPDATE alembic_version SET version_num = '0048'"
    )
    return [str(shop.dump)]


def into_the_live_one(shop: Shop) -> list[str]:
    return [str(shop.dump), "--into", shop.url]


def into_nothing(shop: Shop) -> list[str]:
    return [str(shop.dump), "--into", "the new one"]


REFUSED: dict[Callable[[Shop], list[str]], str] = {
    without_createdb: "The role semicircle may not make a database beside",
    of_another_owner: "it has to own shop_",
    with_tables_of_another_role: "The tables belong to reporter, and would belong to semicircle",
    prepared: "the prepared transaction shop_",
    torn: "NOT RESTORED: ",
    of_another_database: "LOST: The dump is of another database than DATABASE_URL",
    without_a_row: "LOST: users: 1 rows that are older than the dump are not in it, ids 0.",
    of_newer_code: "The dump is at 9999, on which this code does not run",
    into_the_live_one: "holds tables; give an empty database",
    into_nothing: "--into has to look like postgres://",
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_what_cannot_be_swapped_is_told_and_changes_nothing(shop: Shop, change: Callable[[Shop], list[str]]) -> None:
    arguments = change(shop)
    try:
        result = shop.restore(*arguments)
        assert result.exit_code == 1, result.output
        assert REFUSED[change] in result.stderr
        assert shop.is_as_it_was()
    finally:
        run(as_superuser(shop.url), "ALTER ROLE semicircle CREATEDB")
        if change is prepared:
            run(shop.url, f"ROLLBACK PREPARED '{shop.name}'")


def test_a_session_that_we_may_not_end_stops_the_restore(shop: Shop) -> None:
    sleeping = subprocess.Popen([PROGRAMS[16] / "psql", "-qc", "SELECT pg_sleep(60)", as_superuser(shop.url)])
    there = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)'"
    wait_until(lambda: run(as_superuser(shop.url), there) != [(0,)], "the session is there")
    result = shop.restore()
    sleeping.kill()
    sleeping.wait()
    assert result.exit_code == 1
    assert "sessions of postgres" in result.stderr
    assert shop.is_as_it_was()


def test_a_database_in_the_locale_c_is_refused(shop: Shop) -> None:
    root = make_url(as_superuser(shop.url)).set(database="postgres").render_as_string()
    run(root, f"CREATE DATABASE {shop.name}_c OWNER semicircle TEMPLATE template0 LOCALE 'C'")
    result = shop.restore(str(shop.dump), "--into", f"{shop.url}_c")
    assert "has another encoding or locale than the live database" in result.stderr
    assert run(f"{shop.url}_c", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
