"""Roll back to an earlier release: refuse what it cannot run on, and foresee it with `flask release plan`.

That release is today's code, at its head. `heroku rollback` runs its release phase too.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from app.extensions import Base
from tests.databases import HEAD, Environment
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.history import write_revision
from tests.online_migrations.migrating import Database

pytestmark = pytest.mark.servers

COLOUR = ("add_column_online('notes', sa.Column('colour', sa.String(20)))",)
AFTER = int(HEAD) + 1


@pytest.fixture
def environment(migrated_environment: Environment) -> Environment:
    return migrated_environment


@pytest.fixture
def today(environment: Environment, tmp_path: Path) -> OwnHistory:
    return OwnHistory(tmp_path / "today", environment)


@pytest.fixture
def tomorrow(environment: Environment, tmp_path: Path) -> OwnHistory:
    """Return the release after it; a test writes its newer revisions."""
    return OwnHistory(tmp_path / "tomorrow", environment)


def told(history: OwnHistory, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = history.flask("release", "plan", *arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_wider_check_and_a_contract_that_took_nothing_are_no_obstacle(
    today: OwnHistory, tomorrow: OwnHistory, database: Database
) -> None:
    """The session of `plan` is read-only, and the server has to prove it all the same."""
    database.execute("ALTER TABLE notes ADD CONSTRAINT ck_notes_few CHECK (version < 1000)")
    database.execute("ALTER TABLE notes ADD legacy text; COMMENT ON COLUMN notes.legacy IS 'retired: …'")
    database.goes_live(Base.metadata, HEAD)
    tomorrow.write_revision(AFTER, 'add_check_online("notes", "ck_notes_few", "version < 9000", replace=True)')
    tomorrow.write_revision(AFTER + 1, "drop_column_contract('notes', 'legacy')", phase="contract")
    assert tomorrow.flask("db", "upgrade").returncode == 0
    assert told(tomorrow, "--to", HEAD)[0] == 0
    assert today.flask("db", "upgrade").returncode == 0
    status = json.loads(today.flask("release", "status", "--json").stdout)
    ahead = [f"{AFTER + 1:04d}", f"{AFTER:04d}"]
    assert (status["state"], status["ahead_by"], status["pending"]) == ("ahead", ahead, [])


def test_an_expand_that_took_something_is_told(today: OwnHistory, tomorrow: OwnHistory, database: Database) -> None:
    database.goes_live(Base.metadata, HEAD)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    database.execute("ALTER TABLE notes ALTER pinned DROP DEFAULT")  # as by an older version of this tool
    reason = "notes.pinned has no default any more, on which the code relies"
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["answer"], answer["reasons"], answer["since"]) == (3, "no", [reason], [f"{AFTER:04d}"])
    refused = today.ends(3, "db", "upgrade")
    assert reason in refused
    assert "roll forward" in refused


def test_without_notes_the_phases_judge_a_release(today: OwnHistory, tomorrow: OwnHistory, database: Database) -> None:
    """Nothing is changed by the release phase of a rollback, whatever it answers."""
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    before = database.definitions()
    assert "ahead of this code" in today.ends(0, "db", "upgrade")
    tomorrow.write_revision(AFTER + 1, phase="contract")
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["live_at"], answer["reasons"]) == (3, None, [f"{AFTER + 1:04d} is a contract step"])
    assert told(tomorrow, "--to", "9999")[0] == 2
    assert tomorrow.flask("db", "upgrade").returncode == 0
    refused = today.ends(3, "db", "upgrade")
    assert ("roll forward" in refused, "Traceback" in refused) == (True, False)
    database.execute(f"DELETE FROM schema_ledger WHERE revision > '{HEAD}'")
    assert f"git log --all -S {AFTER + 1:04d}" in today.ends(2, "db", "upgrade")
    assert database.definitions() == before


def test_no_other_command_cannot_locate_a_revision(today: OwnHistory, tomorrow: OwnHistory, database: Database) -> None:
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    for command in (("current",), ("check",), ("migrate", "-m", "x"), ("downgrade",), ("stamp", "head")):
        refused = today.flask("db", *command)
        assert refused.returncode == 1
        assert f"a newer release added {AFTER:04d}" in refused.stderr
        assert "git pull" in refused.stderr
        assert "Can't locate" not in refused.stdout + refused.stderr
    write_revision(today.folder / "migrations", "branch", HEAD)
    assert today.flask("db", "upgrade").returncode == 2, "the database went another way"
    assert database.scalar("SELECT version_num FROM alembic_version") == f"{AFTER:04d}"


def test_a_database_that_is_behind_is_told_with_the_command_that_mends_it(tomorrow: OwnHistory) -> None:
    tomorrow.write_revision(AFTER, *COLOUR)
    for command in (("check",), ("migrate", "-m", "x")):
        refused = tomorrow.ends(1, "db", *command)
        assert f"1 pending: {AFTER:04d}" in refused
        assert "flask db upgrade" in refused


def test_what_a_pending_contract_will_take_is_unknown(tomorrow: OwnHistory, database: Database) -> None:
    database.goes_live(Base.metadata, HEAD)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert told(tomorrow, "--to", HEAD)[0] == 0
    tomorrow.write_revision(AFTER + 1, phase="contract")
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["reasons"]) == (2, [f"{AFTER + 1:04d} is pending and a contract step"])


def test_back_is_the_previous_release(tomorrow: OwnHistory, database: Database) -> None:
    status, answer = told(tomorrow, "--back")
    assert (status, answer["answer"], answer["to"]) == (2, "unknown", None)
    database.goes_live(Base.metadata, HEAD)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    database.goes_live(Base.metadata, f"{AFTER:04d}")
    status, answer = told(tomorrow, "--back")
    assert (status, answer["answer"], answer["to"], answer["since"]) == (0, "yes", HEAD, [f"{AFTER:04d}"])
    printed = tomorrow.flask("release", "plan", "--back").stdout
    assert printed.startswith(f"Yes: the code of {HEAD} (live since ")
    database.execute("ALTER TABLE notes DROP content CASCADE")
    assert told(tomorrow, "--back")[0] == 3
    printed = tomorrow.flask("release", "plan", "--back").stdout
    assert "  there is no column notes.content\n" in printed
    assert printed.endswith("(roll forward).\n")


def test_at_the_head_the_table_of_releases_is_made_when_it_is_missing(today: OwnHistory, database: Database) -> None:
    assert "CREATE TABLE IF NOT EXISTS schema_releases" in today.flask("db", "upgrade", "--sql").stdout
    database.execute("DROP TABLE schema_releases")
    assert today.flask("db", "upgrade").returncode == 0
    assert database.scalar("SELECT count(*) FROM schema_releases") == 0
