"""Releases that start at once: one migrates, the others wait for it and then find nothing to do."""

import pytest

from app.release.lock import KEY
from tests.release.checkout import Checkout
from tests.release.racing import STEPS, faults, race, write_history
from tests.release.sessions import Sessions


@pytest.mark.parametrize(
    ("is_new", "with_indexes"), [(False, False), (True, True)], ids=["existing database", "new database, with indexes"]
)
def test_each_step_runs_exactly_once_and_every_release_is_green(
    blank: Checkout, sessions: Sessions, is_new: bool, with_indexes: bool
) -> None:
    write_history(blank, with_indexes=with_indexes)
    if not is_new:
        assert blank.flask("db", "upgrade", "0001").returncode == 0
    codes = race(blank)
    assert codes == [0] * len(codes), "\n".join(racer.said for racer in blank.running)
    assert faults(sessions, with_indexes=with_indexes) == []
    assert sessions.ledger() == [f"{step} expand" for step in ("0001", *STEPS)]


def test_waiting_for_another_release_ends_at_the_deadline_with_a_sentence(blank: Checkout, sessions: Sessions) -> None:
    write_history(blank, with_indexes=False)
    with sessions.holding(f"SELECT pg_advisory_lock({KEY})"):
        ended = blank.flask("db", "upgrade", "-x", "deadline=1")
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: Another release held the migration lock until the deadline")
    assert "waiting for another release: pid=" in ended.stdout
    assert "application=monthly report" in ended.stdout
    assert "Traceback" not in ended.stderr
    assert sessions.contents() == {}


@pytest.mark.parametrize("deadline", ["0", "soon", "nan"])
def test_a_deadline_that_is_none_is_refused(blank: Checkout, sessions: Sessions, deadline: str) -> None:
    ended = blank.flask("db", "upgrade", "-x", f"deadline={deadline}")
    assert ended.returncode == 1
    assert ended.stderr == "Error: -x deadline= takes seconds, such as: flask db upgrade -x deadline=600\n"
    assert sessions.contents() == {}


def test_a_release_that_fails_leaves_the_lock_to_the_next(blank: Checkout, sessions: Sessions) -> None:
    blank.write_revision("0001", "op.execute('SELECT 1 / 0')")
    assert blank.flask("db", "upgrade").returncode == 1
    blank.write_revision("0001", "op.execute('CREATE TABLE counters (n int)')")
    assert blank.flask("db", "upgrade", "-x", "deadline=5").returncode == 0
    assert sessions.revision() == ["0001"]
