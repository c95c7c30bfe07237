"""May I roll back? `flask release plan --back` and `--to` say so, and the rolled-back release phase agrees."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from app.extensions import Base
from app.release import live
from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database

pytestmark = pytest.mark.servers

COLOUR = ("add_column_online('notes', sa.Column('colour', sa.String(20)))",)
NO_DEFAULT = ("set_default_online('notes', 'pinned', None)",)
LEGACY = ("drop_column_contract('notes', 'legacy')",)


@pytest.fixture
def environment(migrated_environment: Environment) -> Environment:
    """At the head of today's code, which is the old release of these tests."""
    return migrated_environment


@pytest.fixture
def old(environment: Environment, tmp_path: Path) -> OwnHistory:
    return OwnHistory(tmp_path / "old", environment)


@pytest.fixture
def new(environment: Environment, tmp_path: Path) -> OwnHistory:
    """The release after it; a test writes its newer revisions."""
    return OwnHistory(tmp_path / "new", environment)


@pytest.fixture
def head(old: OwnHistory) -> int:
    return len(list(old.versions.glob("*.py")))


def goes_live(database: Database, head: int, metadata: MetaData = Base.metadata) -> None:
    with database.engine.connect() as connection:
        live.record_live(connection, metadata, f"{head:04d}")


def told(history: OwnHistory, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = history.flask("release", "plan", *arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_contract_that_took_nothing_of_the_old_release_is_no_obstacle(
    old: OwnHistory, new: OwnHistory, head: int, database: Database
) -> None:
    database.execute("ALTER TABLE notes ADD legacy text; COMMENT ON COLUMN notes.legacy IS 'retired: …'")
    goes_live(database, head)
    new.write_revision(head + 1, *LEGACY, phase="contract")
    assert new.flask("db", "upgrade").returncode == 0
    assert told(new, "--to", f"{head:04d}")[0] == 0
    assert old.flask("db", "upgrade").returncode == 0
    assert json.loads(old.flask("release", "status", "--json").stdout)["state"] == "ahead"


@pytest.mark.smoke
def test_an_expand_that_took_something_of_the_old_release_is_one(
    old: OwnHistory, new: OwnHistory, head: int, database: Database
) -> None:
    goes_live(database, head)
    new.write_revision(head + 1, *COLOUR)
    assert new.flask("db", "upgrade").returncode == 0
    database.execute("ALTER TABLE notes ALTER pinned DROP DEFAULT")  # as by an older version of this tool
    reason = "notes.pinned has no default any more, on which the code relies"
    status, answer = told(new, "--to", f"{head:04d}")
    assert (status, answer["answer"], answer["reasons"], answer["since"]) == (3, "no", [reason], [f"{head + 1:04d}"])
    refused = old.flask("db", "upgrade")
    assert refused.returncode == 3
    assert reason in refused.stderr
    assert "roll forward" in refused.stderr


@pytest.mark.parametrize(
    ("condition", "phase", "status"),
    [("version < 9000", "expand", 0), ("version < 900", "contract", 3)],
    ids=["wider", "narrower"],
)
def test_a_check_is_an_obstacle_unless_it_is_wider(
    old: OwnHistory, new: OwnHistory, head: int, database: Database, condition: str, phase: str, status: int
) -> None:
    """As it is to the expand step that brings it. The command's session is read-only."""
    database.execute("ALTER TABLE notes ADD CONSTRAINT ck_notes_few CHECK (version < 1000)")
    goes_live(database, head)
    new.write_revision(head + 1, f'add_check_online("notes", "ck_notes_few", "{condition}", replace=True)', phase=phase)
    assert new.flask("db", "upgrade").returncode == 0
    assert told(new, "--to", f"{head:04d}")[0] == status
    assert old.flask("db", "upgrade").returncode == status


def test_a_release_that_noted_nothing_is_judged_by_the_phases(new: OwnHistory, head: int, database: Database) -> None:
    new.write_revision(head + 1, *COLOUR)
    assert new.flask("db", "upgrade").returncode == 0
    status, answer = told(new, "--to", f"{head:04d}")
    assert (status, answer["answer"], answer["live_at"]) == (0, "yes", None)
    new.write_revision(head + 2, phase="contract")
    status, answer = told(new, "--to", f"{head:04d}")
    assert (status, answer["reasons"]) == (3, [f"{head + 2:04d} is a contract step"])
    assert told(new, "--to", f"{head + 2:04d}")[0] == 0
    assert told(new, "--to", "9999")[0] == 2


def test_what_a_pending_contract_will_take_is_unknown(new: OwnHistory, head: int, database: Database) -> None:
    goes_live(database, head)
    new.write_revision(head + 1, *COLOUR)
    assert told(new, "--to", f"{head:04d}")[0] == 0
    new.write_revision(head + 2, phase="contract")
    status, answer = told(new, "--to", f"{head:04d}")
    assert (status, answer["reasons"]) == (2, [f"{head + 2:04d} is pending and a contract step"])


def test_back_is_the_release_before_the_live_one(new: OwnHistory, head: int, database: Database) -> None:
    status, answer = told(new, "--back")
    assert (status, answer["answer"], answer["to"]) == (2, "unknown", None)
    goes_live(database, head)
    new.write_revision(head + 1, *COLOUR)
    assert new.flask("db", "upgrade").returncode == 0
    goes_live(database, head + 1)
    status, answer = told(new, "--back")
    assert (status, answer["answer"], answer["to"], answer["since"]) == (0, "yes", f"{head:04d}", [f"{head + 1:04d}"])
    printed = new.flask("release", "plan", "--back").stdout
    assert printed.startswith(f"Yes: the code of {head:04d} (live since ")
    database.execute("ALTER TABLE notes DROP content CASCADE")
    assert told(new, "--back")[0] == 3
    printed = new.flask("release", "plan", "--back").stdout
    assert "  there is no column notes.content\n" in printed
    assert printed.endswith("(roll forward).\n")


def test_an_upgrade_at_the_head_creates_the_table_that_an_older_version_did_not_have(
    old: OwnHistory, database: Database
) -> None:
    database.execute("DROP TABLE schema_releases")
    assert old.flask("db", "upgrade").returncode == 0
    assert database.scalar("SELECT count(*) FROM schema_releases") == 0


def test_the_printed_sql_creates_the_table(old: OwnHistory) -> None:
    assert "CREATE TABLE IF NOT EXISTS schema_releases" in old.flask("db", "upgrade", "--sql").stdout
