"""Releases that start at once: one migrates, the others wait, and each step is done once."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database

pytestmark = [pytest.mark.servers, pytest.mark.minutes]

RACERS = 6

IN_AUTOCOMMIT = (
    "with op.get_context().autocommit_block():",
    '    op.execute("UPDATE counters SET n = n * 2 + 1")',
)
INDEX = 'create_index_online("ix_counters_n_{number}", "counters", ["n", "id"])'


@pytest.fixture
def checkout(environment: Environment, tmp_path: Path) -> OwnHistory:
    checkout = OwnHistory(tmp_path, environment)
    checkout.forget_history()
    checkout.write_revision(
        1, 'op.execute("CREATE TABLE counters (id int, n int); INSERT INTO counters VALUES (1, 0)")'
    )
    for number in (2, 3, 4, 5):
        checkout.write_revision(number, *IN_AUTOCOMMIT, INDEX.format(number=number))
    return checkout


@pytest.mark.parametrize("begin_at", [None, "0001"], ids=["an empty database", "a database in use"])
def test_each_step_is_done_once(checkout: OwnHistory, database: Database, begin_at: str | None) -> None:
    if begin_at:
        assert checkout.flask("db", "upgrade", begin_at).returncode == 0
    with ExitStack() as stack:
        racers = [stack.enter_context(checkout.running("db", "upgrade")) for _ in range(RACERS)]
        for racer in racers:
            code, output = racer.ended()
            assert code == 0, output
    assert database.scalar("SELECT n FROM counters") == 15
    assert database.scalar("SELECT version_num FROM alembic_version") == "0005"
    assert database.scalar("SELECT count(*) FROM schema_ledger") == 5
    indexes = "FROM pg_index WHERE indrelid = 'counters'::regclass"
    assert database.scalar(f"SELECT count(*) {indexes} AND indisvalid") == 4
    assert database.scalar(f"SELECT count(*) {indexes} AND NOT indisvalid") == 0
