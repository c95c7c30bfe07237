"""A release behind somebody's long transaction: it steps aside, tries again, and says who is in the way."""

import re
import time

import pytest

from tests.release.blocking import BOUND, slowest_request
from tests.release.checkout import Checkout
from tests.release.sessions import Sessions
from tests.release.waiting import wait_until

TABLES = """
CREATE TABLE things (id int PRIMARY KEY, size int);
INSERT INTO things SELECT n, 0 FROM generate_series(1, 10) n;
CREATE TABLE effects (step text);
"""
READ = "SELECT count(*) FROM things"
BLOCKED = "blocked by pid="


@pytest.fixture
def checkout(blank: Checkout, sessions: Sessions) -> Checkout:
    """Its second step is the one that needs a lock on things; each leaves its mark."""
    sessions.execute(TABLES)
    blank.write_revision("0001", "op.execute(\"INSERT INTO effects VALUES ('0001')\")")
    blank.write_revision(
        "0002",
        """
        op.execute("INSERT INTO effects VALUES ('0002')")
        op.add_column("things", sa.Column("colour", sa.Text))
        """,
    )
    blank.write_revision("0003", "op.execute(\"INSERT INTO effects VALUES ('0003')\")")
    return blank


def effects(sessions: Sessions) -> list[str]:
    return sessions.column("SELECT step FROM effects ORDER BY step")


def test_it_tries_again_from_the_blocked_step_on_while_the_site_goes_on(checkout: Checkout, sessions: Sessions) -> None:
    with sessions.holding(READ) as report:
        blocker = report.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
        release = checkout.start("db", "upgrade", "-x", "deadline=60")
        release.wait_to_say(BLOCKED)
        slowest = slowest_request(sessions, until=lambda: release.said.count(BLOCKED) >= 4)
        assert effects(sessions) == ["0001"]
        assert sessions.revision() == ["0001"]
        report.rollback()
    assert release.wait() == 0, release.said
    assert slowest < BOUND
    assert re.search(rf"level=warning .*blocked by pid={blocker} age=\d+s application=monthly report", release.said)
    assert effects(sessions) == ["0001", "0002", "0003"]
    assert sessions.revision() == ["0003"]
    assert sessions.ledger() == ["0001 expand", "0002 expand", "0003 expand"]
    begun = {step: release.said.count(f"-> {step}, Step") for step in ("0001", "0002", "0003")}
    assert (begun["0001"], begun["0003"]) == (1, 1)
    assert begun["0002"] >= 5


def test_an_operation_that_is_blocked_does_not_stop_the_site_either(blank: Checkout, sessions: Sessions) -> None:
    sessions.execute(TABLES)
    blank.write_revision("0001", "add_column_online('things', sa.Column('colour', sa.Text))")
    with sessions.holding(READ) as report:
        release = blank.start("db", "upgrade", "-x", "deadline=60")
        release.wait_to_say(BLOCKED)
        slowest = slowest_request(sessions, until=lambda: release.said.count(BLOCKED) >= 4)
        report.rollback()
    assert release.wait() == 0, release.said
    assert slowest < BOUND
    assert sessions.scalar("SELECT count(*) FROM things WHERE colour IS NULL") == 10


def test_at_the_deadline_it_is_red_names_the_blocker_and_leaves_a_whole_revision(
    checkout: Checkout, sessions: Sessions
) -> None:
    with sessions.holding(READ) as report:
        blocker = report.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
        began = time.monotonic()
        ended = checkout.flask("db", "upgrade", "-x", "deadline=3")
        assert time.monotonic() - began < 30
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    [sentence] = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert "The deadline of 3 s passed" in sentence
    assert f"pid={blocker} " in sentence
    assert "whole revision" in sentence
    assert "flask db upgrade" in sentence
    assert sessions.revision() == ["0001"]
    assert effects(sessions) == ["0001"]
    assert sessions.ledger() == ["0001 expand"]
    assert checkout.flask("db", "upgrade").returncode == 0
    assert effects(sessions) == ["0001", "0002", "0003"]


# The migration takes `things`, lets the other session wait for it until that has looked for a deadlock (after 1 s) and
# found none, and only then waits for `effects`: so it is the migration that finds the circle and is thrown out.
DEADLY = """
op.execute("SET LOCAL lock_timeout = '20s'")
op.execute("LOCK TABLE things")
op.execute('''DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM met)
        AND NOT EXISTS (SELECT FROM pg_locks WHERE relation = CAST('things' AS regclass) AND NOT granted
            AND waitstart < clock_timestamp() - interval '1500 ms')
    LOOP PERFORM pg_sleep(0.02); END LOOP;
END $$''')
op.execute("INSERT INTO effects VALUES ('0001')")
"""


def test_thrown_out_of_a_deadlock_it_tries_again(blank: Checkout, sessions: Sessions) -> None:
    sessions.execute(f"{TABLES} CREATE TABLE met ()")
    blank.write_revision("0001", DEADLY)
    with sessions.holding("LOCK TABLE effects") as other:
        release = blank.start("db", "upgrade", "-x", "deadline=60")
        release.wait_to_say("-> 0001")
        wait_for_lock_of_release(sessions)
        other.exec_driver_sql("LOCK TABLE things")  # until the migration is thrown out
        other.exec_driver_sql("INSERT INTO met DEFAULT VALUES")
        other.commit()
    assert release.wait() == 0, release.said
    assert "attempt 1, again in" in release.said
    assert release.said.count("-> 0001") == 2
    assert effects(sessions) == ["0001"]


def wait_for_lock_of_release(sessions: Sessions) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE relation = CAST('things' AS regclass) AND granted"
    wait_until(lambda: sessions.scalar(held), "the migration holds its first lock")
