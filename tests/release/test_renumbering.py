"""Two branches each add a revision of the same number. Every database ends with the changes of both."""

from pathlib import Path

import pytest

from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database

pytestmark = pytest.mark.servers

OURS = 'op.execute("CREATE TABLE ours (id int)")'
THEIRS = 'op.execute("CREATE TABLE theirs (id int)")'
LATER = 'op.execute("CREATE TABLE later (id int)")'

TABLES = "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relname IN ('ours', 'theirs', 'later')"
LEDGER = "SELECT array_agg(concat_ws(' ran as ', revision, renumbered_from) ORDER BY revision) FROM schema_ledger"


@pytest.fixture
def checkout(environment: Environment, tmp_path: Path) -> OwnHistory:
    checkout = OwnHistory(tmp_path / "checkout", environment)
    checkout.forget_history()
    checkout.write_revision(1, 'op.execute("CREATE TABLE things (id int)")')
    return checkout


def write(checkout: OwnHistory, *upgrades: str) -> None:
    for number, upgrade in enumerate(upgrades, start=2):
        checkout.write_revision(number, upgrade)


@pytest.mark.smoke
def test_what_ran_under_another_number_is_not_run_again_and_what_is_lacking_runs(
    checkout: OwnHistory, database: Database
) -> None:
    write(checkout, THEIRS, LATER)
    assert checkout.flask("db", "upgrade").returncode == 0
    write(checkout, OURS, THEIRS, LATER)  # after the merge theirs has the next number, and so has what follows
    merged = checkout.flask("db", "upgrade")
    assert merged.returncode == 0, merged.stderr
    assert database.scalar(TABLES) == ["later", "ours", "theirs"]
    assert database.scalar("SELECT version_num FROM alembic_version") == "0004"
    assert database.scalar(LEDGER) == ["0001", "0002", "0003 ran as 0002", "0004 ran as 0003"]
    assert checkout.flask("db", "upgrade").returncode == 0


def test_a_database_of_the_other_branch_just_goes_on(checkout: OwnHistory, database: Database) -> None:
    write(checkout, OURS)
    assert checkout.flask("db", "upgrade").returncode == 0
    write(checkout, OURS, THEIRS)
    assert checkout.flask("db", "upgrade").returncode == 0
    assert database.scalar(TABLES) == ["ours", "theirs"]
    assert database.scalar(LEDGER) == ["0001", "0002", "0003"]


@pytest.mark.smoke
def test_a_revision_that_was_edited_after_it_ran_is_refused(checkout: OwnHistory, database: Database) -> None:
    write(checkout, THEIRS)
    assert checkout.flask("db", "upgrade").returncode == 0
    write(checkout, OURS, LATER)
    refused = checkout.flask("db", "upgrade")
    assert refused.returncode == 1
    assert "0002 is another one in this code" in refused.stderr
    assert "git log -p" in refused.stderr
    assert database.scalar(TABLES) == ["theirs"]
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    write(checkout, THEIRS, LATER)  # the advice: the file as it was
    assert checkout.flask("db", "upgrade").returncode == 0


def test_a_comment_is_no_other_revision(checkout: OwnHistory, database: Database) -> None:
    write(checkout, THEIRS)
    assert checkout.flask("db", "upgrade").returncode == 0
    path = checkout.versions / "0002_step.py"
    path.write_text(path.read_text().replace('"""Step 2."""', '"""Step 2, in other words."""\n\n# and a comment'))
    assert checkout.flask("db", "upgrade").returncode == 0


def test_a_database_from_before_the_hashes_is_left_as_it_is(checkout: OwnHistory, database: Database) -> None:
    write(checkout, THEIRS)
    assert checkout.flask("db", "upgrade").returncode == 0
    database.execute("ALTER TABLE schema_ledger DROP content_hash, DROP cost, DROP renumbered_from")
    write(checkout, OURS, LATER)
    assert checkout.flask("db", "upgrade").returncode == 0
    assert database.scalar(TABLES) == ["later", "theirs"]
