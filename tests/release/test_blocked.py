"""Step back at once from a table that somebody holds, try again, and say who is in the way."""

import re
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import LOCK_KEY, Database
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'semicircle-migrations' AND wait_event_type = 'Lock'"
)

HOLDS_RUNS = (
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = current_database()"
    " AND relation = 'runs'::regclass AND mode = 'AccessExclusiveLock' AND granted"
)


@pytest.fixture
def checkout(environment: Environment, tmp_path: Path) -> OwnHistory:
    checkout = OwnHistory(tmp_path, environment)
    checkout.forget_history()
    checkout.write_revision(1, 'op.execute("CREATE TABLE things (id int); CREATE TABLE runs (revision text)")')
    assert checkout.flask("db", "upgrade").returncode == 0
    checkout.write_revision(2, "op.execute(\"INSERT INTO runs VALUES ('0002')\")")
    return checkout


ONLINE = ("add_column_online('things', sa.Column('colour', sa.Text))",)
PLAIN = ("op.execute(\"INSERT INTO runs VALUES ('0003')\")", "op.execute('ALTER TABLE things ADD colour text')")

either_way = pytest.mark.parametrize("step", [ONLINE, PLAIN], ids=["online", "plain"])


@either_way
def test_it_goes_on_at_the_blocked_step_when_the_way_is_free(
    checkout: OwnHistory, database: Database, step: tuple[str, ...]
) -> None:
    checkout.write_revision(3, *step)
    with ExitStack() as stack:
        with database.holding("SET LOCAL application_name = 'the-report'; SELECT count(*) FROM things"):
            release = stack.enter_context(checkout.running("db", "upgrade"))
            wait_until(lambda: database.scalar(WAITING), "it waits")
            wait_until(lambda: not database.scalar(WAITING), "it has stepped back")
        code, output = release.ended()
    assert code == 0, output
    assert re.search(r"blocked by pid=\d+ age=\d+s application=the-report", output)
    assert database.scalar("SELECT count(*) FROM runs WHERE revision = '0002'") == 1
    assert database.scalar("SELECT count(*) FROM runs WHERE revision = '0003'") == (1 if step is PLAIN else 0)
    assert database.scalar("SELECT version_num FROM alembic_version") == "0003"


@either_way
def test_nobody_queues_behind_it_for_long(checkout: OwnHistory, database: Database, step: tuple[str, ...]) -> None:
    """Every reader waits behind an ALTER that waits: without the limit, as long as the report takes."""
    checkout.write_revision(3, *step)
    with (
        database.holding("SELECT count(*) FROM things"),
        checkout.running("db", "upgrade", "-x", "deadline=4") as release,
    ):
        wait_until(lambda: database.scalar(WAITING), "it waits")
        slowest = 0.0
        while release.process.poll() is None:
            began = time.monotonic()
            database.execute("INSERT INTO things VALUES (1)")
            slowest = max(slowest, time.monotonic() - began)
    assert 0 < slowest < 1


@pytest.mark.parametrize("step", [pytest.param(ONLINE, marks=pytest.mark.smoke), PLAIN], ids=["online", "plain"])
def test_at_the_deadline_it_ends_red_at_a_whole_revision_and_names_the_blocker(
    checkout: OwnHistory, database: Database, step: tuple[str, ...]
) -> None:
    checkout.write_revision(3, *step)
    with database.engine.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid() FROM (SELECT count(*) FROM things) AS all_of_them")
        refused = checkout.flask("db", "upgrade", "-x", "deadline=1.5")
        blocker = pid.scalar_one()
    assert refused.returncode == 1
    assert f"pid={blocker}" in refused.stderr
    assert "flask db upgrade" in refused.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    assert database.scalar("SELECT count(*) FROM runs WHERE revision = '0003'") == 0


EXCUSED = "with excused('Shows how a deadlock ends.')"


def test_a_deadlock_is_tried_again(checkout: OwnHistory, database: Database) -> None:
    """The other session waits for what the migration holds, and holds what the migration asks for next.

    The server ends the one that comes last, when the other has waited for longer than deadlock_timeout, 1 s.
    """
    checkout.write_revision(
        3,
        f"{EXCUSED}: op.execute('LOCK TABLE runs')",
        "op.execute('SELECT pg_sleep(3)')",
        f"{EXCUSED}: op.execute('SET LOCAL lock_timeout = 0')",
        f"{EXCUSED}: op.execute('LOCK TABLE things')",
    )
    with ExitStack() as stack:
        with database.engine.connect() as other:
            other.exec_driver_sql("LOCK TABLE things")
            release = stack.enter_context(checkout.running("db", "upgrade"))
            wait_until(lambda: database.scalar(HOLDS_RUNS), "the migration holds the first table")
            other.exec_driver_sql("LOCK TABLE runs")
        code, output = release.ended()
    assert code == 0, output
    assert "attempt 1, again in" in output


def test_a_deadline_that_is_no_time_is_refused(checkout: OwnHistory, database: Database) -> None:
    for given in ("soon", "0", "1e9"):
        refused = checkout.flask("db", "upgrade", "-x", f"deadline={given}")
        assert refused.returncode == 1
        assert "takes seconds" in refused.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"


@pytest.mark.smoke
def test_another_release_is_waited_for_until_the_deadline(checkout: OwnHistory, database: Database) -> None:
    with database.holding(f"SELECT pg_advisory_lock({LOCK_KEY})"):
        refused = checkout.flask("db", "upgrade", "-x", "deadline=1")
    assert refused.returncode == 1
    assert "Another release held the migration lock" in refused.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"
