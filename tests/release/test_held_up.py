"""End a step that holds what a request needs before the request has waited for long, and keep nothing of it."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from app.release.blockers import LONGEST_WAIT, watch_blockers
from app.release.deadline import Deadline
from app.release.errors import RequestsHeldUp
from app.release.retry import with_lock_retries
from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

SECOND_LOOK = 10.0  # seconds that a busy machine may take to see the wait, to end the step and to answer the request
NAME = "semicircle-migrations"

# The migration has begun its long statement, or waits for Python, and holds `things` or a row of it.
HOLDS = (
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = current_database()"
    f" AND application_name = '{NAME}' AND relation = 'things'::regclass AND granted"
    " AND mode IN ('RowExclusiveLock', 'AccessExclusiveLock'))"
)
# Somebody has waited for it for longer than a request may.
WAITED = (
    "SELECT count(*) FROM pg_locks WHERE relation = 'things'::regclass AND NOT granted"
    f" AND clock_timestamp() - waitstart > '{2 * LONGEST_WAIT} s'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
DDL_WAITS = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'things'::regclass AND NOT granted"
    " AND mode = 'AccessExclusiveLock'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
# Both wait as long as they are let, so that a test whose step is not ended fails by its timeout.
LONG = "SELECT pg_sleep(600)"
UNTIL_TOLD = """
from pathlib import Path
import time
while not Path("told").exists():
    time.sleep(0.01)
"""


@pytest.fixture
def checkout(environment: Environment, tmp_path: Path) -> OwnHistory:
    checkout = OwnHistory(tmp_path, environment)
    checkout.forget_history()
    checkout.write_revision(1, 'op.execute("CREATE TABLE things (id int); INSERT INTO things VALUES (1), (2)")')
    assert checkout.flask("db", "upgrade").returncode == 0
    return checkout


@contextmanager
def request(database: Database, sql: str, begins: str = HOLDS) -> Iterator["Future[float]"]:
    """Send `sql` in another session once `begins` is so, and yield the seconds that it took."""

    def send() -> float:
        wait_until(lambda: database.scalar(begins), "the migration holds the table")
        began = time.monotonic()
        database.execute(sql)
        return time.monotonic() - began

    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(send)


HOLDING = {
    "in one statement": (
        ("DO $$ BEGIN ALTER TABLE things ADD mark text; PERFORM pg_sleep(600); END $$",),
        "SELECT FROM things",
    ),
    "in a statement after it": (("ALTER TABLE things ADD mark text", LONG), "SELECT FROM things"),
    "a row": (("UPDATE things SET id = 3 WHERE id = 2", LONG), "UPDATE things SET id = id WHERE id = 2"),
}


@pytest.mark.parametrize(("step", "waits"), HOLDING.values(), ids=HOLDING)
def test_a_statement_that_holds_what_a_request_needs_is_cancelled(
    checkout: OwnHistory, database: Database, step: tuple[str, ...], waits: str
) -> None:
    checkout.write_revision(2, *(f'op.execute("{sql}")' for sql in step))
    with request(database, waits) as answered:
        ended = checkout.flask("db", "upgrade")
        assert LONGEST_WAIT < answered.result() < LONGEST_WAIT + SECOND_LOOK
    assert ended.returncode == 1
    assert "s for things, which this step held" in ended.stderr
    assert "nothing of it was kept" in ended.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"
    assert database.scalar("SELECT count(*) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0") == 1
    assert database.scalar("SELECT count(*) FROM things WHERE id > 2") == 0


@pytest.mark.smoke
def test_while_python_computes_the_connection_is_ended(checkout: OwnHistory, database: Database) -> None:
    """There is no statement to cancel. Python finds out when it has computed."""
    checkout.write_revision(2, 'op.execute("ALTER TABLE things ADD mark text")', *UNTIL_TOLD.strip().splitlines())
    with request(database, "SELECT FROM things") as answered:
        answered.add_done_callback(lambda _: (checkout.folder / "told").touch())
        ended = checkout.flask("db", "upgrade")
        assert 2 * LONGEST_WAIT < answered.result() < 2 * LONGEST_WAIT + SECOND_LOOK
    assert ended.returncode == 1
    assert "s for things, which this step held" in ended.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"
    assert checkout.flask("db", "upgrade").returncode == 0


def test_the_wait_of_another_ddl_is_none_of_a_request(checkout: OwnHistory, database: Database) -> None:
    """It waits until the step has done what it does, as behind an index that is built concurrently."""
    checkout.write_revision(
        2,
        'op.execute("ALTER TABLE things ADD mark text")',
        f'while not op.get_bind().scalar(sa.text("{WAITED}")): pass',
    )
    with request(database, "CREATE INDEX ON things (id)") as answered:
        ended = checkout.flask("db", "upgrade")
        assert answered.result() > LONGEST_WAIT
    assert ended.returncode == 0, ended.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"


def test_the_wait_of_a_request_behind_another_ddl_is_one(checkout: OwnHistory, database: Database) -> None:
    """The step does not hold what the request wants. But the DDL before it wants what the step holds."""
    checkout.write_revision(2, 'op.execute("INSERT INTO things VALUES (3)")', f'op.execute("{LONG}")')
    ddl = request(database, "ALTER TABLE things ADD mark text")
    with ddl, request(database, "SELECT FROM things", DDL_WAITS) as answered:
        ended = checkout.flask("db", "upgrade")
        assert LONGEST_WAIT < answered.result() < LONGEST_WAIT + SECOND_LOOK
    assert ended.returncode == 1
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"


def test_a_slow_step_that_holds_up_nobody_goes_on(database: Database) -> None:
    """Requests use what it holds, for longer than one may wait: a table, to which it adds rows."""
    database.execute("CREATE TABLE things (id int)")
    with database.migrating.connect() as migrating, watch_blockers(database.migrating, migrating) as blockers:
        migrating.execute(text("INSERT INTO things VALUES (1)"))
        until = time.monotonic() + 2 * LONGEST_WAIT
        while time.monotonic() < until:
            database.execute("INSERT INTO things VALUES (2)")
        migrating.commit()
    assert blockers.held_up is None
    assert database.scalar("SELECT count(*) FROM things WHERE id = 1") == 1


def test_what_was_excused_may_hold_up(checkout: OwnHistory, database: Database) -> None:
    """Whoever has given a reason decides; also while the next statement runs, since the lock stays."""
    checkout.write_revision(
        2,
        "with excused('The service is closed tonight.'): op.execute('LOCK TABLE things')",
        f'while not op.get_bind().scalar(sa.text("{WAITED}")): pass',
    )
    with request(database, "SELECT FROM things") as answered:
        ended = checkout.flask("db", "upgrade")
        assert answered.result() > LONGEST_WAIT
    assert ended.returncode == 0, ended.stderr


def test_an_operation_that_holds_up_is_not_tried_again(database: Database) -> None:
    """Else it would hold up one request after the other until the deadline."""
    database.execute("CREATE TABLE things (id int)")
    attempts = []
    with database.migrating.connect() as migrating, watch_blockers(database.migrating, migrating) as blockers:

        def work() -> None:
            attempts.append(1)
            migrating.rollback()
            migrating.execute(text(f"LOCK TABLE things; {LONG}"))

        with request(database, "SELECT FROM things"), pytest.raises(RequestsHeldUp, match="A request waited"):
            with_lock_retries(work, Deadline(60), blockers)
        migrating.rollback()
    assert len(attempts) == 1
