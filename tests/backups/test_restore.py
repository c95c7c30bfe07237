"""`flask restore` makes a dump the live database and keeps the one that was live, or says why; killed or not."""

import os
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app import create_app
from app.backups.dump_file import is_unknown_setting_alone
from config import TestingConfig
from tests.backups.conftest import AFTER_THE_DUMP, COUNT, IN_THE_DUMP, PROGRAMS, ROOT, Shop, as_superuser, pg_dump
from tests.child import child
from tests.databases import HEAD, run, upgrade
from tests.waiting import wait_until

IS_WHERE_IT_WAS_MADE = "SELECT xmin::text::bigint = xid % 4294967296 FROM database_marks"

pytestmark = [pytest.mark.servers, pytest.mark.database]


@pytest.mark.smoke
def test_the_dump_is_live_what_was_live_is_kept_and_the_runbook_leads_back(shop: Shop) -> None:
    assert run(shop.url, IS_WHERE_IT_WAS_MADE) == [(True,)]
    output = shop.restored()
    assert run(shop.url, COUNT) == IN_THE_DUMP
    assert run(shop.kept(), COUNT) == AFTER_THE_DUMP
    assert run(shop.url, IS_WHERE_IT_WAS_MADE) == [(False,)]  # so the cursors of sync.py that programs have are refused
    assert f"'DROP DATABASE \"{make_url(shop.kept()).database}\"'" in output
    assert "next: flask db upgrade; flask release doctor" in output
    refused = shop.restore(__file__)  # the next one says what is kept
    assert (refused.exit_code, f"{make_url(shop.kept()).database} is kept of an earlier" in refused.output) == (1, True)

    kept = str(make_url(shop.kept()).database)
    [line] = [line for line in (ROOT / "docs/operations.md").read_text().splitlines() if '"$MAINTENANCE_URL"' in line]
    command = line.strip().replace("LIVE", shop.name).replace("KEPT", kept)
    url = make_url(shop.url).set(database="postgres").render_as_string()
    path = f"{PROGRAMS[16]}:{os.environ['PATH']}"
    subprocess.run(["/bin/sh", "-c", command], env={"MAINTENANCE_URL": url, "PATH": path}, check=True)
    assert run(shop.url, COUNT) == AFTER_THE_DUMP


UNKNOWN_SETTING = """\
pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"
Command was: SET transaction_timeout = 0;
"""
ANOTHER = "pg_restore: error: could not execute query: ERROR:  could not extend file: No space left on device\n"


@pytest.mark.smoke
@pytest.mark.parametrize("complaints", ["", ANOTHER, UNKNOWN_SETTING + ANOTHER, ANOTHER + UNKNOWN_SETTING])
def test_no_complaint_but_of_the_unknown_setting_is_passed_over(complaints: str) -> None:
    assert is_unknown_setting_alone(UNKNOWN_SETTING)
    assert not is_unknown_setting_alone(complaints)


def test_what_belongs_to_the_provider_is_left_out_and_told(shop: Shop, tmp_path: Path) -> None:
    run(
        as_superuser(shop.url),
        "CREATE SCHEMA provider; CREATE EXTENSION vector SCHEMA provider; CREATE TABLE provider.state (id int)",
        "GRANT USAGE ON SCHEMA provider TO semicircle; GRANT SELECT ON provider.state TO semicircle",
        "CREATE FUNCTION provider.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION provider.noted()",
        f"ALTER DATABASE {shop.name} SET log_min_duration_statement = 500",  # which only a superuser may set
    )
    run(shop.url, "CREATE PUBLICATION changes FOR TABLE notes")
    output = shop.restored(str(pg_dump(shop.url, tmp_path / "provider.dump")))
    for left in ("EXTENSION IF NOT EXISTS vector", "EVENT TRIGGER noted", "PUBLICATION changes"):
        assert f"CREATE {left} " in output
    assert f"ALTER DATABASE {shop.name} SET log_min_duration_statement TO '500'  -- permission denied" in output
    assert run(shop.url, COUNT) == AFTER_THE_DUMP


PROPERTIES = (
    "SELECT setrole, unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase"
    " WHERE datname = current_database() ORDER BY 1, 2",
    "SELECT datacl::text, datconnlimit, datcollate, datctype, encoding, shobj_description(oid, 'pg_database')"
    " FROM pg_database WHERE datname = current_database()",
    "SELECT relname, relacl::text FROM pg_class WHERE relname IN ('notes', 'notes_id_seq', 'todos') ORDER BY 1",
    "SELECT attname, attacl::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attacl IS NOT NULL"
    " ORDER BY 1",
    "SELECT proacl::text FROM pg_proc WHERE proname = 'recount_figures'",
    "SELECT defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY 1",
    "SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'",
    "SELECT typacl::text FROM pg_type WHERE typname = 'mood'",
)


def test_settings_privileges_and_what_no_model_has_come_along_in_a_dump_of_a_newer_pg_dump(
    shop: Shop, tmp_path: Path
) -> None:
    """On a server that does not know transaction_timeout, which pg_restore sets since 17."""
    name = shop.name
    run(
        shop.url,
        f"ALTER DATABASE {name} SET statement_timeout = '90s'",
        f'ALTER DATABASE {name} SET search_path = public, "$user"',
        f"ALTER DATABASE {name} CONNECTION LIMIT 77",
        f"COMMENT ON DATABASE {name} IS 'the shop''s'",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO reporter WITH GRANT OPTION",
        "GRANT USAGE ON SCHEMA public TO reporter",
        "GRANT SELECT, INSERT ON notes TO reporter; GRANT SELECT (id, email) ON users TO reporter",
        "GRANT USAGE ON SEQUENCE notes_id_seq TO reporter",
        "REVOKE ALL ON FUNCTION recount_figures(bigint) FROM PUBLIC",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reporter",
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        "CREATE TYPE mood AS ENUM ('glad'); REVOKE USAGE ON TYPE mood FROM PUBLIC",
        'CREATE SCHEMA "my data"; CREATE TABLE "my data".ev (id int); INSERT INTO "my data".ev VALUES (7)',
        "CREATE TABLE by_hand (id int); INSERT INTO by_hand VALUES (8)",
    )
    before = [run(shop.url, query) for query in PROPERTIES]
    dump = pg_dump(shop.url, tmp_path / "newer.dump", version=18)
    run(shop.url, 'DROP SCHEMA "my data" CASCADE; DROP TABLE by_hand')
    output = shop.restored(str(dump))
    assert run(shop.url, 'SELECT id FROM "my data".ev UNION ALL SELECT id FROM by_hand') == [(7,), (8,)]
    assert [run(shop.url, query) for query in PROPERTIES] == before
    assert "the restored one has not" not in output
    drilled = create_app(TestingConfig(shop.environment)).test_cli_runner().invoke(args=["restore-drill", str(dump)])
    assert (drilled.exit_code, drilled.stderr) == (0, ""), drilled.output


def test_a_dump_replaces_an_empty_database_and_the_locale_of_that_stays(shop: Shop) -> None:
    """As on a new server, after the old one was lost: there is nothing to compare with."""
    locale = "SELECT datcollate, datctype, encoding FROM pg_database WHERE datname = current_database()"
    made = f"CREATE DATABASE {shop.name} OWNER semicircle TEMPLATE template0 LOCALE 'C'"
    run(shop.root, f"DROP DATABASE {shop.name}", made)
    output = shop.restored()
    assert "the live database is empty" in output
    assert run(shop.url, COUNT) == IN_THE_DUMP
    assert run(shop.url, locale) == [("C", "C", 6)]


def test_sessions_that_come_again_do_not_stop_the_swap(shop: Shop) -> None:
    again = 'while :; do "$0" -qc "SELECT pg_sleep(0.01)" "$1"; done'
    command = ["/bin/sh", "-c", again, str(PROGRAMS[16] / "psql"), shop.url]
    with child(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        shop.restored()
    assert run(shop.url, COUNT) == IN_THE_DUMP


def test_a_database_that_is_given_is_filled_and_the_live_one_left_alone(shop: Shop) -> None:
    run(shop.root, f"CREATE DATABASE {shop.name}_new OWNER semicircle", "ALTER ROLE semicircle NOCREATEDB")
    result = shop.restore(str(shop.dump), "--into", f"{shop.url}_new".replace("postgresql:", "postgres:"))
    run(shop.root, "ALTER ROLE semicircle CREATEDB")
    assert result.exit_code == 0, result.output
    assert "next: set DATABASE_URL to what you gave as --into" in result.output
    assert "the restored one has not" not in result.output
    assert run(f"{shop.url}_new", COUNT) == IN_THE_DUMP
    assert run(shop.url, COUNT) == AFTER_THE_DUMP


def test_a_dump_of_an_older_schema_is_restored(shop: Shop, tmp_path: Path) -> None:
    run(shop.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    upgrade(shop.environment, "0001")
    dump = pg_dump(shop.url, tmp_path / "older.dump")
    upgrade(shop.environment)
    shop.restored(str(dump))
    assert run(shop.url, "SELECT version_num FROM alembic_version") == [("0001",)]


def test_no_page_restores_in_another_way() -> None:
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tools/deployment/*"), *ROOT.glob("bin/*")]
    assert [
        str(page)
        for page in files
        if page.is_file() and re.search(r"pg_restore +--no-|--exit-on|backups:restore|--clean", page.read_text())
    ] == []


def test_large_objects_are_not_lost_without_a_word(shop: Shop, tmp_path: Path) -> None:
    run(shop.url, "SELECT lo_from_bytea(4711, 'kept nowhere else')")
    dump = pg_dump(shop.url, tmp_path / "large.dump")
    result = shop.restore(str(dump))
    assert (result.exit_code, "holds large objects" in result.stderr) == (1, True), result.output
    assert run(shop.url, "SELECT count(*) FROM pg_largeobject_metadata") == [(1,)]


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


@pytest.mark.smoke
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


@pytest.mark.smoke
def test_a_dump_into_what_is_not_empty_or_no_address_is_refused(shop: Shop) -> None:
    assert_refused(shop, "holds tables; give an empty database", "--into", shop.url)
    assert_refused(shop, "--into has to look like postgres://", "--into", "the new one")


def test_a_dump_of_newer_code_is_refused(shop: Shop) -> None:
    newer = f"INSERT INTO schema_ledger (revision, down_revisions, phase) VALUES ('9999', '{{{HEAD}}}', 'contract')"
    run(shop.url, newer, "UPDATE alembic_version SET version_num = '9999'")
    pg_dump(shop.url, shop.dump)
    back = f"DELETE FROM schema_ledger WHERE revision = '9999'; UPDATE alembic_version SET version_num = '{HEAD}'"
    run(shop.url, back)
    assert_refused(shop, "The dump is at 9999, on which this code does not run")


def test_a_session_that_we_may_not_end_stops_the_restore(shop: Shop) -> None:
    there = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)'"
    with child([PROGRAMS[16] / "psql", "-qc", "SELECT pg_sleep(60)", as_superuser(shop.url)]):
        wait_until(lambda: run(as_superuser(shop.url), there) != [(0,)], "the session is there")
        result = shop.restore()
    assert (result.exit_code, "sessions of postgres" in result.stderr) == (1, True), result.output
    assert shop.is_as_it_was()


def test_a_database_in_the_locale_c_is_refused(shop: Shop) -> None:
    run(shop.root, f"CREATE DATABASE {shop.name}_c OWNER semicircle TEMPLATE template0 LOCALE 'C'")
    result = shop.restore(str(shop.dump), "--into", f"{shop.url}_c")
    assert "has another encoding or locale than the live database" in result.stderr
    assert run(f"{shop.url}_c", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def started(shop: Shop) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run the command in a process of its own, which writes each line at once."""
    environment = {**os.environ, **shop.environment, "APP_SETTINGS": "config.TestingConfig", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "flask", "restore", str(shop.dump)]
    return child(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)


def test_killed_before_the_swap_the_live_database_is_as_it_was(shop: Shop) -> None:
    with started(shop) as process:
        assert any("recounted" in line for line in process.stdout or ())
        process.kill()
    swapped = run(shop.url, COUNT) == IN_THE_DUMP  # it may have gone on for a moment
    assert swapped or run(shop.url, COUNT) == AFTER_THE_DUMP
    assert swapped == any("_replaced_" in name for name in shop.databases() - shop.others)
    wait_until(lambda: not run(shop.url, SCRATCH_SESSIONS)[0][0], "what the killed one began has ended")
    shop.restored()
    assert run(shop.url, COUNT) == IN_THE_DUMP
    kept = shop.databases() - shop.others
    assert all(name.startswith(f"{shop.name}_replaced_") for name in kept)  # and no scratch database is left
    assert AFTER_THE_DUMP in [run(shop.url.replace(shop.name, name), COUNT) for name in kept]


SCRATCH_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '%scratch%'"
RENAMING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%ALTER DATABASE%RENAME%'"


def test_killed_in_the_swap_the_live_database_is_as_it_was(shop: Shop) -> None:
    elsewhere = shop.url.replace(shop.name, "semicircle")
    with started(shop) as process:
        assert any("restored on" in line for line in process.stdout or ())
        run(shop.url, f"BEGIN; PREPARE TRANSACTION '{shop.name}'")  # the renames wait for its end
        wait_until(lambda: run(elsewhere, f"{RENAMING} AND pid <> pg_backend_pid()") != [(0,)], "it renames")
        process.kill()
    wait_until(lambda: run(elsewhere, f"{RENAMING} AND pid <> pg_backend_pid()") == [(0,)], "the server gave it up")
    run(shop.url, f"ROLLBACK PREPARED '{shop.name}'")
    assert run(shop.url, COUNT) == AFTER_THE_DUMP
    assert not any("_replaced_" in name for name in shop.databases())
    assert shop.restore().exit_code == 0
    assert run(shop.url, COUNT) == IN_THE_DUMP
    assert run(shop.kept(), COUNT) == AFTER_THE_DUMP
