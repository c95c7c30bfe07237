"""Each line that a promise hangs on, taken away in a copy of the project: the release turns red, or its test would."""

import math
from collections.abc import Callable

import pytest

from tests.release import racing, test_blocked
from tests.release.blocking import BOUND, slowest_request
from tests.release.checkout import Checkout
from tests.release.sessions import Sessions
from tests.release.waiting import wait_until

LOCK, RUNNER, CONNECTION = "app/release/lock.py", "app/release/runner.py", "app/release/connection.py"

POLL = (
    "    taken = bool(connection.scalar(_TRY))\n    connection.commit()\n",
    "    taken = bool(connection.scalar(_TRY))\n",
)
CHECK = ("connection.in_transaction()", "False")
# A transaction that is open when Alembic begins is one that Alembic takes for its caller's.
ATTEMPT = ('{deadline.milliseconds()}"))\n    connection.commit()\n', '{deadline.milliseconds()}"))\n')
VERIFY = ("if found != claimed:", "if False:")


@pytest.fixture
def checkout(blank: Checkout) -> Checkout:
    blank.write_revision("0001", "op.execute('CREATE TABLE numbers (n int)')")
    return blank


def test_a_lock_that_leaves_a_transaction_open_is_red(checkout: Checkout, sessions: Sessions) -> None:
    checkout.change(LOCK, *POLL)
    ended = checkout.flask("db", "upgrade")
    assert ended.returncode == 1
    assert "The migration lock left a transaction open" in ended.stderr
    assert sessions.contents() == {}


def test_without_that_check_it_is_red_or_the_schema_is_there(checkout: Checkout, sessions: Sessions) -> None:
    checkout.change(LOCK, *POLL)
    checkout.change(LOCK, *CHECK)
    ended = checkout.flask("db", "upgrade")
    assert (ended.returncode == 0) == (sessions.revision() == ["0001"])


def test_a_migration_that_nobody_commits_is_red(checkout: Checkout, sessions: Sessions) -> None:
    checkout.change(RUNNER, *ATTEMPT)
    ended = checkout.flask("db", "upgrade")
    assert ended.returncode == 1
    assert "The migration ended at ['0001'] but the database is at []" in ended.stderr
    assert sessions.contents() == {}


def test_only_the_look_from_outside_tells_that(checkout: Checkout, sessions: Sessions) -> None:
    """What the test before would not see if the look from outside were not there: green, and nothing done."""
    checkout.change(RUNNER, *ATTEMPT)
    checkout.change(RUNNER, *VERIFY)
    assert checkout.flask("db", "upgrade").returncode == 0
    assert sessions.contents() == {}


def test_a_lock_that_waits_in_the_server_loses_the_race_with_an_index_build(
    blank: Checkout, sessions: Sessions
) -> None:
    """The waiter's snapshot is what the other's build waits for: a deadlock, or the waiter's lock_timeout."""
    blank.change(LOCK, '"SELECT pg_try_advisory_lock(:key)"', '"SELECT pg_advisory_lock(:key) IS NOT NULL"')
    racing.write_history(blank, with_indexes=True)
    assert any(racing.race(blank, seconds=20)) or racing.faults(sessions, with_indexes=True)


def test_two_without_the_lock_lose_the_race(blank: Checkout, sessions: Sessions) -> None:
    blank.change(LOCK, '"SELECT pg_try_advisory_lock(:key)"', '"SELECT true"')
    racing.write_history(blank, with_indexes=False)
    assert any(racing.race(blank, seconds=20)) or racing.faults(sessions, with_indexes=False)


def test_without_lock_timeout_the_site_stands_still(blank: Checkout, sessions: Sessions) -> None:
    blank.change(CONNECTION, 'LOCK_TIMEOUT = "300ms"', 'LOCK_TIMEOUT = "0"')
    sessions.execute(test_blocked.TABLES)
    blank.write_revision("0001", 'op.add_column("things", sa.Column("colour", sa.Text))')
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = CAST('things' AS regclass) AND NOT granted"
    with sessions.holding(test_blocked.READ):
        release = blank.start("db", "upgrade", "-x", "deadline=30")
        wait_until(lambda: sessions.scalar(waiting), "the release waits")
        slowest = slowest_request(sessions, until=lambda: release.process.poll() is not None)
    assert slowest == math.inf > BOUND


def test_without_the_ledger_a_rollback_is_red(
    checkout_of: Callable[[str], Checkout], blank: Checkout, sessions: Sessions
) -> None:
    new = checkout_of("new")
    new.forget_history()
    for each in (blank, new):
        each.write_revision("0001", "op.execute('CREATE TABLE numbers (n int)')")
    new.write_revision("0002", "op.execute('INSERT INTO numbers VALUES (2)')")
    new.change(RUNNER, '    "on_version_apply": ledger.record,\n', "")
    assert new.flask("db", "upgrade").returncode == 0
    assert sessions.ledger() == []
    assert blank.flask("db", "upgrade").returncode == 2
