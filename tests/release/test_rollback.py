"""Roll back to an earlier release: refuse what it cannot run on, and foresee it with `flask release plan`.

That release is today's code, at its head. `heroku rollback` runs its release phase too.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from app.extensions import Base
from app.release import live
from tests.databases import HEAD, Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database

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


def goes_live(database: Database, head: str = HEAD, metadata: MetaData = Base.metadata) -> None:
    with database.engine.connect() as connection:
        live.record_live(connection, metadata, head)


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
    goes_live(database)
    tomorrow.write_revision(AFTER, 'add_check_online("notes", "ck_notes_few", "version < 9000", replace=True)')
    tomorrow.write_revision(AFTER + 1, "drop_column_contract('notes', 'legacy')", phase="contract")
    assert tomorrow.flask("db", "upgrade").returncode == 0
    assert told(tomorrow, "--to", HEAD)[0] == 0
    assert today.flask("db", "upgrade").returncode == 0
    assert json.loads(today.flask("release", "status", "--json").stdout)["state"] == "ahead"


@pytest.mark.smoke
def test_an_expand_that_took_something_is_told(today: OwnHistory, tomorrow: OwnHistory, database: Database) -> None:
    goes_live(database)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    database.execute("ALTER TABLE notes ALTER pinned DROP DEFAULT")  # as by an older version of this tool
    reason = "notes.pinned has no default any more, on which the code relies"
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["answer"], answer["reasons"], answer["since"]) == (3, "no", [reason], [f"{AFTER:04d}"])
    refused = today.flask("db", "upgrade")
    assert refused.returncode == 3
    assert reason in refused.stderr
    assert "roll forward" in refused.stderr


def test_a_release_that_noted_nothing_is_judged_by_the_phases(tomorrow: OwnHistory) -> None:
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["answer"], answer["live_at"]) == (0, "yes", None)
    tomorrow.write_revision(AFTER + 1, phase="contract")
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["reasons"]) == (3, [f"{AFTER + 1:04d} is a contract step"])
    assert told(tomorrow, "--to", f"{AFTER + 1:04d}")[0] == 0
    assert told(tomorrow, "--to", "9999")[0] == 2


def test_what_a_pending_contract_will_take_is_unknown(tomorrow: OwnHistory, database: Database) -> None:
    goes_live(database)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert told(tomorrow, "--to", HEAD)[0] == 0
    tomorrow.write_revision(AFTER + 1, phase="contract")
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["reasons"]) == (2, [f"{AFTER + 1:04d} is pending and a contract step"])


def test_back_is_the_previous_release(tomorrow: OwnHistory, database: Database) -> None:
    status, answer = told(tomorrow, "--back")
    assert (status, answer["answer"], answer["to"]) == (2, "unknown", None)
    goes_live(database)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    goes_live(database, f"{AFTER:04d}")
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
