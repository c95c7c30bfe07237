"""The ledger says how the database came where it is, and never something else than alembic_version."""

from pathlib import Path

import pytest

from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database

pytestmark = pytest.mark.servers

LEDGER = "SELECT array_agg(revision || ' after ' || array_to_string(down_revisions, ',') ORDER BY revision)"


@pytest.fixture
def checkout(environment: Environment, tmp_path: Path) -> OwnHistory:
    checkout = OwnHistory(tmp_path / "checkout", environment)
    checkout.forget_history()
    checkout.write_revision(1, "op.execute('CREATE TABLE numbers (n int)')")
    for number in (2, 3):
        checkout.write_revision(number, f"op.execute('INSERT INTO numbers VALUES ({number})')")
    return checkout


def test_it_names_the_step_before(checkout: OwnHistory, database: Database) -> None:
    assert checkout.flask("db", "upgrade").returncode == 0
    assert database.scalar(f"{LEDGER} FROM schema_ledger") == ["0001 after ", "0002 after 0001", "0003 after 0002"]


@pytest.mark.smoke
def test_a_step_whose_row_cannot_be_written_is_not_kept_either(checkout: OwnHistory, database: Database) -> None:
    assert checkout.flask("db", "upgrade", "0001").returncode == 0
    database.execute("ALTER TABLE schema_ledger ADD CHECK (revision <> '0003')")
    assert checkout.flask("db", "upgrade").returncode == 1
    assert database.scalar("SELECT array_agg(n) FROM numbers") == [2]
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    assert database.scalar(f"{LEDGER} FROM schema_ledger") == ["0001 after ", "0002 after 0001"]
