"""The race is lost without the lock, and with one that waits inside the server: so the test of the race can fail."""

from pathlib import Path

import pytest

from tests.conftest import Environment
from tests.release.checkout import Checkout
from tests.release.migrating import Database

RACERS = 5
TRY = "SELECT pg_try_advisory_lock(:key)"
MUTANTS = {
    "no lock": "SELECT true",
    # What waits in it holds a snapshot, for whose end the other's CREATE INDEX CONCURRENTLY waits.
    "a lock that waits": "SELECT pg_advisory_lock(:key) IS NOT NULL",
}

STEP = (
    "with op.get_context().autocommit_block():",
    '    op.execute("INSERT INTO effects VALUES ({number})")',
    'create_index_online("ix_effects_{number}", "effects", ["n"])',
)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_it_is_lost(environment: Environment, database: Database, tmp_path: Path, mutant: str) -> None:
    checkout = Checkout(tmp_path / "checkout", environment)
    checkout.forget_history()
    checkout.write_revision(1, "op.execute('CREATE TABLE effects (n int)')")
    for number in (2, 3, 4, 5):
        checkout.write_revision(number, *(line.format(number=number) for line in STEP))
    lock = checkout.folder / "app/release/lock.py"
    source = lock.read_text()
    assert source.count(TRY) == 1
    lock.write_text(source.replace(TRY, MUTANTS[mutant]))

    racers = [checkout.start("db", "upgrade", "-x", "deadline=20") for _ in range(RACERS)]
    for racer in racers:
        racer.communicate(timeout=60)
    failed = any(racer.returncode for racer in racers)
    assert failed or database.scalar("SELECT array_agg(n ORDER BY n) FROM effects") != [2, 3, 4, 5]
