"""What old code does on a newer database: `heroku rollback` runs its release phase too."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database

pytestmark = pytest.mark.servers

NEWER = ("add_column_online('things', sa.Column('colour', sa.String(20)))",)


@pytest.fixture
def old(environment: Environment, tmp_path: Path) -> OwnHistory:
    """A release whose newest revision is 0001."""
    return checkout(tmp_path / "old", environment)


@pytest.fixture
def new(environment: Environment, tmp_path: Path) -> OwnHistory:
    """The release after it; a test writes its newer revisions."""
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


@pytest.mark.parametrize(
    "phase",
    [pytest.param("contract", marks=pytest.mark.smoke), None, "Expand"],
    ids=["contract", "does not say", "misspelt"],
)
def test_newer_by_a_step_that_is_no_expand_the_rollback_is_refused_with_3(
    old: OwnHistory, new: OwnHistory, schema_dump: Callable[[], str], phase: str | None
) -> None:
    new.write_revision(2, "op.execute('ALTER TABLE things ADD COLUMN colour text')", phase=phase)
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
    branch = old.write_revision(2, "op.execute('CREATE TABLE others (id int)')")
    (old.versions / f"{branch}_step.py").write_text(
        (old.versions / f"{branch}_step.py").read_text().replace('revision = "0002"', 'revision = "branch"')
    )
    assert old.flask("db", "upgrade").returncode == 2


@pytest.mark.parametrize(
    "command",
    [("current",), ("check",), ("migrate", "-m", "x"), ("downgrade",), ("stamp", "head")],
    ids=lambda command: command[0],
)
def test_no_other_command_ends_in_cannot_locate_revision(
    old: OwnHistory, new: OwnHistory, database: Database, command: tuple[str, ...]
) -> None:
    new.write_revision(2, *NEWER)
    assert new.flask("db", "upgrade").returncode == 0
    refused = old.flask("db", *command)
    assert refused.returncode == 1
    assert "a newer release added 0002" in refused.stderr
    assert "git pull" in refused.stderr
    assert "Can't locate" not in refused.stdout + refused.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"


@pytest.mark.parametrize("command", [("check",), ("migrate", "-m", "x")], ids=lambda command: command[0])
def test_a_database_that_is_behind_is_told_with_the_command_that_mends_it(
    old: OwnHistory, new: OwnHistory, command: tuple[str, ...]
) -> None:
    assert old.flask("db", "upgrade").returncode == 0
    new.write_revision(2, *NEWER)
    refused = new.flask("db", *command)
    assert refused.returncode == 1
    assert "1 pending: 0002" in refused.stderr
    assert "flask db upgrade" in refused.stderr


def test_two_heads_are_told_with_the_command_that_joins_them(new: OwnHistory) -> None:
    assert new.flask("db", "upgrade").returncode == 0
    for name in ("left", "right"):
        step = new.versions / f"{new.write_revision(2)}_step.py"
        step.rename(new.versions / f"{name}.py")
        text = (new.versions / f"{name}.py").read_text()
        (new.versions / f"{name}.py").write_text(text.replace('revision = "0002"', f'revision = "{name}"'))
    refused = new.flask("db", "upgrade")
    assert refused.returncode == 1
    assert "flask db merge heads" in refused.stderr


@pytest.mark.smoke
def test_the_ledger_follows_up_down_and_stamp(new: OwnHistory, database: Database) -> None:
    new.write_revision(2, *NEWER)
    new.write_revision(3, phase="contract")
    ledger = "SELECT array_agg(revision || ' ' || phase ORDER BY revision) FROM schema_ledger"
    assert new.flask("db", "upgrade").returncode == 0
    assert database.scalar(ledger) == ["0001 expand", "0002 expand", "0003 contract"]
    assert new.flask("db", "downgrade", "0001").returncode == 0
    assert database.scalar(ledger) == ["0001 expand"]
    assert new.flask("db", "stamp", "0003").returncode == 0
    assert database.scalar(ledger) == ["0001 expand", "0002 expand", "0003 contract"]


def test_a_step_that_fails_is_not_in_the_ledger(new: OwnHistory, database: Database) -> None:
    new.write_revision(2, "op.execute('CREATE TABLE others (id int)')", "op.execute('no sql')")
    assert new.flask("db", "upgrade").returncode == 1
    assert database.scalar("SELECT array_agg(revision::text) FROM schema_ledger") == ["0001"]
    assert database.scalar("SELECT to_regclass('others')") is None
