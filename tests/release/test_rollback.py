"""Roll back: refuse what old code cannot run on, and foresee it with `flask release plan --back` and `--to`.

`heroku rollback` runs the old release's release phase too.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from app.extensions import Base
from app.release import live
from tests.databases import HEAD, Environment, migrated_database
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database, connected

pytestmark = pytest.mark.servers

NEWER = ("add_column_online('things', sa.Column('colour', sa.String(20)))",)


@pytest.fixture
def old(environment: Environment, tmp_path: Path) -> OwnHistory:
    """Return a release whose newest revision is 0001."""
    return checkout(tmp_path / "old", environment)


@pytest.fixture
def new(environment: Environment, tmp_path: Path) -> OwnHistory:
    """Return the release after it; a test writes its newer revisions."""
    return checkout(tmp_path / "new", environment)


def checkout(folder: Path, environment: Environment) -> OwnHistory:
    checkout = OwnHistory(folder, environment)
    checkout.forget_history()
    checkout.write_revision(1, 'op.execute("CREATE TABLE things (id int)")')
    return checkout


@pytest.mark.smoke
def test_newer_by_expand_steps_the_rollback_goes_live(
    old: OwnHistory, new: OwnHistory, schema_dump: Callable[[], str]
) -> None:
    new.write_revision(2, *NEWER)
    new.write_revision(3, "op.execute('CREATE TABLE others (id int)')")
    assert new.flask("db", "upgrade").returncode == 0
    before = schema_dump()
    rolled_back = old.flask("db", "upgrade")
    assert rolled_back.returncode == 0
    assert "ahead of this code" in rolled_back.stderr + rolled_back.stdout
    assert schema_dump() == before


@pytest.mark.smoke
def test_newer_by_a_step_that_is_no_expand_the_rollback_is_refused_with_3(
    old: OwnHistory, new: OwnHistory, schema_dump: Callable[[], str]
) -> None:
    new.write_revision(2, "op.execute('ALTER TABLE things ADD COLUMN colour text')", phase="contract")
    new.write_revision(3, "op.execute('CREATE TABLE others (id int)')")
    assert new.flask("db", "upgrade").returncode == 0
    before = schema_dump()
    refused = old.flask("db", "upgrade")
    assert refused.returncode == 3
    assert "roll forward" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert schema_dump() == before


@pytest.mark.smoke
def test_newer_by_what_the_ledger_does_not_know_the_rollback_is_refused_with_2(
    old: OwnHistory, new: OwnHistory, database: Database
) -> None:
    new.write_revision(2, *NEWER)
    assert new.flask("db", "upgrade").returncode == 0
    database.execute("DELETE FROM schema_ledger WHERE revision = '0002'")
    refused = old.flask("db", "upgrade")
    assert refused.returncode == 2
    assert "git log --all -S 0002" in refused.stderr


def test_a_database_that_went_another_way_is_refused_with_2(old: OwnHistory, new: OwnHistory) -> None:
    new.write_revision(2, *NEWER)
    assert new.flask("db", "upgrade").returncode == 0
    old.write_revision(2, "op.execute('CREATE TABLE others (id int)')")
    branch = old.versions / "0002_step.py"
    branch.write_text(branch.read_text().replace('revision = "0002"', 'revision = "branch"'))
    assert old.flask("db", "upgrade").returncode == 2


def test_no_other_command_ends_in_cannot_locate_revision(old: OwnHistory, new: OwnHistory, database: Database) -> None:
    new.write_revision(2, *NEWER)
    assert new.flask("db", "upgrade").returncode == 0
    for command in (("current",), ("check",), ("migrate", "-m", "x"), ("downgrade",), ("stamp", "head")):
        refused = old.flask("db", *command)
        assert refused.returncode == 1
        assert "a newer release added 0002" in refused.stderr
        assert "git pull" in refused.stderr
        assert "Can't locate" not in refused.stdout + refused.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"


def test_a_database_that_is_behind_is_told_with_the_command_that_mends_it(old: OwnHistory, new: OwnHistory) -> None:
    assert old.flask("db", "upgrade").returncode == 0
    new.write_revision(2, *NEWER)
    for command in (("check",), ("migrate", "-m", "x")):
        refused = new.flask("db", *command)
        assert refused.returncode == 1
        assert "1 pending: 0002" in refused.stderr
        assert "flask db upgrade" in refused.stderr


# Below, the old release is today's code, at its head.
COLOUR = ("add_column_online('notes', sa.Column('colour', sa.String(20)))",)
AFTER = int(HEAD) + 1


@pytest.fixture
def at_head(server_environment: Environment) -> Iterator[tuple[Environment, Database]]:
    with migrated_database(server_environment) as environment, connected(environment) as database:
        yield environment, database


@pytest.fixture
def served(at_head: tuple[Environment, Database]) -> Database:
    return at_head[1]


@pytest.fixture
def today(at_head: tuple[Environment, Database], tmp_path: Path) -> OwnHistory:
    return OwnHistory(tmp_path / "today", at_head[0])


@pytest.fixture
def tomorrow(at_head: tuple[Environment, Database], tmp_path: Path) -> OwnHistory:
    """Return the release after it; a test writes its newer revisions."""
    return OwnHistory(tmp_path / "tomorrow", at_head[0])


def goes_live(database: Database, head: str = HEAD, metadata: MetaData = Base.metadata) -> None:
    with database.engine.connect() as connection:
        live.record_live(connection, metadata, head)


def told(history: OwnHistory, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = history.flask("release", "plan", *arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_contract_that_took_nothing_of_the_old_release_is_no_obstacle(
    today: OwnHistory, tomorrow: OwnHistory, served: Database
) -> None:
    served.execute("ALTER TABLE notes ADD legacy text; COMMENT ON COLUMN notes.legacy IS 'retired: …'")
    goes_live(served)
    tomorrow.write_revision(AFTER, "drop_column_contract('notes', 'legacy')", phase="contract")
    assert tomorrow.flask("db", "upgrade").returncode == 0
    assert told(tomorrow, "--to", HEAD)[0] == 0
    assert today.flask("db", "upgrade").returncode == 0
    assert json.loads(today.flask("release", "status", "--json").stdout)["state"] == "ahead"


@pytest.mark.smoke
def test_an_expand_that_took_something_of_the_old_release_is_one(
    today: OwnHistory, tomorrow: OwnHistory, served: Database
) -> None:
    goes_live(served)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    served.execute("ALTER TABLE notes ALTER pinned DROP DEFAULT")  # as by an older version of this tool
    reason = "notes.pinned has no default any more, on which the code relies"
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["answer"], answer["reasons"], answer["since"]) == (3, "no", [reason], [f"{AFTER:04d}"])
    refused = today.flask("db", "upgrade")
    assert refused.returncode == 3
    assert reason in refused.stderr
    assert "roll forward" in refused.stderr


@pytest.mark.parametrize(
    ("condition", "phase", "status"),
    [("version < 9000", "expand", 0), ("version < 900", "contract", 3)],
    ids=["wider", "narrower"],
)
def test_a_check_is_an_obstacle_unless_it_is_wider(
    today: OwnHistory, tomorrow: OwnHistory, served: Database, condition: str, phase: str, status: int
) -> None:
    """The expand step that brings it is judged alike. The command's session is read-only."""
    served.execute("ALTER TABLE notes ADD CONSTRAINT ck_notes_few CHECK (version < 1000)")
    goes_live(served)
    tomorrow.write_revision(
        AFTER, f'add_check_online("notes", "ck_notes_few", "{condition}", replace=True)', phase=phase
    )
    assert tomorrow.flask("db", "upgrade").returncode == 0
    assert told(tomorrow, "--to", HEAD)[0] == status
    assert today.flask("db", "upgrade").returncode == status


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


def test_what_a_pending_contract_will_take_is_unknown(tomorrow: OwnHistory, served: Database) -> None:
    goes_live(served)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert told(tomorrow, "--to", HEAD)[0] == 0
    tomorrow.write_revision(AFTER + 1, phase="contract")
    status, answer = told(tomorrow, "--to", HEAD)
    assert (status, answer["reasons"]) == (2, [f"{AFTER + 1:04d} is pending and a contract step"])


def test_back_is_the_previous_release(tomorrow: OwnHistory, served: Database) -> None:
    status, answer = told(tomorrow, "--back")
    assert (status, answer["answer"], answer["to"]) == (2, "unknown", None)
    goes_live(served)
    tomorrow.write_revision(AFTER, *COLOUR)
    assert tomorrow.flask("db", "upgrade").returncode == 0
    goes_live(served, f"{AFTER:04d}")
    status, answer = told(tomorrow, "--back")
    assert (status, answer["answer"], answer["to"], answer["since"]) == (0, "yes", HEAD, [f"{AFTER:04d}"])
    printed = tomorrow.flask("release", "plan", "--back").stdout
    assert printed.startswith(f"Yes: the code of {HEAD} (live since ")
    served.execute("ALTER TABLE notes DROP content CASCADE")
    assert told(tomorrow, "--back")[0] == 3
    printed = tomorrow.flask("release", "plan", "--back").stdout
    assert "  there is no column notes.content\n" in printed
    assert printed.endswith("(roll forward).\n")


def test_an_upgrade_at_the_head_creates_the_table_that_an_older_version_did_not_have(
    today: OwnHistory, served: Database
) -> None:
    assert "CREATE TABLE IF NOT EXISTS schema_releases" in today.flask("db", "upgrade", "--sql").stdout
    served.execute("DROP TABLE schema_releases")
    assert today.flask("db", "upgrade").returncode == 0
    assert served.scalar("SELECT count(*) FROM schema_releases") == 0
