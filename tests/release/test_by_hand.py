"""Revisions that nobody generates: written by hand, a merge, and SQL that a person applies."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database


@pytest.fixture
def own_history(tmp_path: Path, environment: Environment) -> OwnHistory:
    history = OwnHistory(tmp_path, environment)
    history.forget_history()
    history.write_revision(1, 'op.execute("CREATE TABLE things (id bigint PRIMARY KEY)")')
    history.write_revision(2, 'op.execute("ALTER TABLE things ADD name text")')
    return history


def without_a_database(history: OwnHistory) -> OwnHistory:
    history.environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    return history


def test_a_revision_by_hand_gets_the_next_number_and_asks_no_database(own_history: OwnHistory) -> None:
    written = without_a_database(own_history).flask("db", "revision", "-m", "Fill it")
    assert written.returncode == 0, written.stderr
    text = (own_history.versions / "0003_fill_it.py").read_text()
    assert 'revision = "0003"' in text
    assert 'down_revision = "0002"' in text
    assert 'phase = "expand"' in text


def test_a_number_that_is_given_is_kept(own_history: OwnHistory) -> None:
    assert own_history.flask("db", "revision", "-m", "Fill it", "--rev-id", "0042").returncode == 0
    assert (own_history.versions / "0042_fill_it.py").exists()


def test_a_merge_takes_nothing_and_so_is_an_expand(own_history: OwnHistory) -> None:
    own_history.write_revision(3, "pass")
    branch = own_history.versions / "0003_step.py"
    other = branch.read_text().replace('revision = "0003"', 'revision = "0004"')
    (own_history.versions / "0004_step.py").write_text(other)
    merged = without_a_database(own_history).flask("db", "merge", "heads", "-m", "Merge")
    assert merged.returncode == 0, merged.stderr
    [file] = own_history.versions.glob("*_merge.py")
    assert 'phase = "expand"' in file.read_text()


def test_the_sql_from_the_first_revision_on_can_be_applied(
    own_history: OwnHistory, database: Database, psql: Callable[[str], None]
) -> None:
    printed = own_history.flask("db", "upgrade", "--sql")
    assert printed.returncode == 0, printed.stderr
    psql(printed.stdout)
    assert database.scalar("SELECT down_revisions FROM schema_ledger WHERE revision = '0001'") == []
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    assert own_history.flask("db", "upgrade").returncode == 0
