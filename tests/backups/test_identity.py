"""A restored database is told apart until that is acknowledged, and one in which two are mixed is refused."""

import subprocess
from pathlib import Path

import pytest
from click.testing import Result

from app import create_app
from app.backups.identity import ENDED
from app.extensions import db
from config import TestingConfig
from tests.backups.conftest import COUNT, PROGRAMS, SESSION, Shop, pg_dump
from tests.databases import HEAD, run, upgrade
from tests.docs.test_operations import commands

pytestmark = [pytest.mark.servers, pytest.mark.database]

MARK = "SELECT xid = xmin::text::bigint FROM database_marks"


def flask(shop: Shop, *words: str) -> Result:
    app = create_app(TestingConfig(shop.environment))
    result = app.test_cli_runner().invoke(args=words)
    with app.app_context():
        db.engine.dispose()
    return result


def test_what_a_restore_brought_back_is_told_and_ended_once(shop: Shop, tmp_path: Path) -> None:
    run(shop.url, SESSION, "INSERT INTO note_shares (user_id, note_id, token) VALUES (1, 1, 'token')")
    assert flask(shop, "release", "doctor").stdout == "Nothing is wrong.\n"
    refused = flask(shop, "acknowledge-restore")
    assert (refused.exit_code, run(shop.url, "SELECT count(*) FROM user_sessions")) == (1, [(1,)])

    shop.restored(str(pg_dump(shop.url, tmp_path / "now.dump")))
    told = flask(shop, "release", "doctor")
    assert (told.exit_code, "warning: restored: " in told.stdout) == (0, True)
    [(day,)] = run(shop.url, "SELECT max(created_at)::date::text FROM user_sessions")
    assert f"its newest row is of {day}" in told.stdout
    done = flask(shop, "acknowledge-restore")
    assert "1 sessions were ended.\n" in done.stdout
    assert [run(shop.url, f"SELECT count(*) FROM {table}") for table in ENDED] == [[(0,)]] * len(ENDED)
    assert run(shop.url, COUNT, MARK) == [(True,)]
    assert flask(shop, "release", "doctor").stdout == "Nothing is wrong.\n"


def refused(shop: Shop, rule: str) -> Result:
    """Return what the doctor says; an upgrade is refused in one sentence, and changes nothing."""
    told = flask(shop, "release", "doctor")
    assert (told.exit_code, f"error: {rule}: " in told.stdout) == (1, True), told.output
    before = run(shop.url, "SELECT version_num FROM alembic_version")
    done = flask(shop, "db", "upgrade")
    [sentence] = done.stderr.splitlines()
    assert (done.exit_code, sentence.startswith("Error: Nothing was changed. ")) == (1, True)
    assert run(shop.url, "SELECT version_num FROM alembic_version") == before
    return told


def test_a_backup_of_an_older_schema_that_a_provider_restores_over_a_newer_one_is_found(
    shop: Shop, tmp_path: Path
) -> None:
    older = "0050"
    run(shop.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    upgrade(shop.environment, older)
    run(
        shop.url,
        "INSERT INTO users (email, nickname, nickname_key, password_hash) VALUES ('o@example.com', 'o', 'o', '')",
    )
    dump = pg_dump(shop.url, tmp_path / "older.dump")
    upgrade(shop.environment)
    restore = [str(PROGRAMS[16] / "pg_restore"), "--no-owner", f"--dbname={shop.url}", str(dump)]
    subprocess.run([*restore, "--clean", "--if-exists"], capture_output=True)
    told = refused(shop, "mixed")
    assert "database_marks" in told.stdout

    [line] = [each for each in commands("backups.md") if each.startswith('psql "$DATABASE_URL" -c "DROP SCHEMA')]
    assert line.replace('"', "") in told.stdout.replace("'", "").replace('"', "")
    path = str(PROGRAMS[16])
    subprocess.run(["/bin/sh", "-c", line], env={"DATABASE_URL": shop.url, "PATH": path}, check=True)
    subprocess.run(restore, capture_output=True, check=True)
    assert flask(shop, "db", "upgrade").exit_code == 0
    assert run(shop.url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert flask(shop, "release", "doctor").exit_code == 0


# Of a database that is behind, in which no table of a later revision tells it.
BEHIND = (
    "DROP TABLE database_marks; DELETE FROM schema_ledger WHERE revision > '0058'",
    "UPDATE alembic_version SET version_num = '0058'",
)


def test_rows_that_are_older_than_their_account_are_found(shop: Shop) -> None:
    run(shop.url, *BEHIND, SESSION, "UPDATE user_sessions SET created_at = now() - interval '2 days'")
    refused(shop, "older-than-owner")
