"""Step back from a table that somebody holds, and end a step that holds up a request for long, and say who it is."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from sqlalchemy import text

from online_migrations.errors import RequestsHeldUp
from online_migrations.locks import LONGEST_WAIT, Deadline, watch_blockers, with_lock_retries
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.migrating import LOCK_KEY, Database, traffic
from tests.waiting import WITHIN, wait_until

pytestmark = pytest.mark.servers

OURS = "datname = current_database() AND application_name = 'semicircle-migrations'"
WAITING = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'"
LOCKS = (
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = current_database()"
    " AND relation = 'things'::regclass AND "
)
# The migration has begun its long statement, or waits for Python, and holds `things` or a row of it.
HOLDS = f"{LOCKS}{OURS} AND granted AND mode IN ('RowExclusiveLock', 'AccessExclusiveLock')"
HOLDS_RUNS = f"{LOCKS}{OURS} AND granted AND mode = 'AccessExclusiveLock'".replace("things", "runs")
# Somebody has waited for it for longer than a request may.
WAITED = f"{LOCKS}NOT granted AND clock_timestamp() - waitstart > '{2 * LONGEST_WAIT} s'"
DDL_WAITS = f"{LOCKS}NOT granted AND mode = 'AccessExclusiveLock'"


@pytest.fixture
def checkout(checkout: OwnHistory) -> OwnHistory:
    """Return a history whose first revision has run."""
    tables = "CREATE TABLE things (id int); INSERT INTO things VALUES (1), (2); CREATE TABLE runs (revision text)"
    checkout.write_revision(1, f'op.execute("{tables}")')
    assert checkout.flask("db", "upgrade").returncode == 0
    return checkout


BEFORE_IT = "op.execute(\"INSERT INTO runs VALUES ('0002')\")"
ONLINE = ("add_column_online('things', sa.Column('colour', sa.Text))",)
PLAIN = ("op.execute(\"INSERT INTO runs VALUES ('0003')\")", "op.execute('ALTER TABLE things ADD colour text')")


@contextmanager
def beside(work: Callable[[Event], None]) -> Iterator[None]:
    """Work in a thread, while the block runs once it has begun."""
    has_begun = Event()
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(work, has_begun)
        assert has_begun.wait(WITHIN)
        yield
        done.result()


@pytest.mark.parametrize("step", [ONLINE, PLAIN], ids=["online", "plain"])
def test_it_goes_on_when_the_way_is_free(checkout: OwnHistory, database: Database, step: tuple[str, ...]) -> None:
    checkout.write_revision(2, BEFORE_IT)
    checkout.write_revision(3, *step)

    def report(has_begun: Event) -> None:
        with database.holding("SET LOCAL application_name = 'the-report'; SELECT count(*) FROM things"):
            has_begun.set()
            wait_until(lambda: database.scalar(WAITING), "it waits")
            wait_until(lambda: not database.scalar(WAITING), "it has stepped back")

    with beside(report):
        assert re.search(r"blocked by pid=\d+ age=\d+s application=the-report", checkout.ends(0, "db", "upgrade"))
    assert database.scalar("SELECT count(*) FROM runs WHERE revision = '0002'") == 1
    assert database.scalar("SELECT count(*) FROM runs WHERE revision = '0003'") == (1 if step is PLAIN else 0)
    assert database.scalar("SELECT version_num FROM alembic_version") == "0003"


@pytest.mark.parametrize("step", [pytest.param(ONLINE, marks=pytest.mark.smoke), PLAIN], ids=["online", "plain"])
def test_nobody_queues_behind_it_for_long_and_at_the_deadline_it_names_the_blocker(
    checkout: OwnHistory, database: Database, step: tuple[str, ...]
) -> None:
    """Every writer waits behind an ALTER that waits: without the limit, as long as the report takes."""
    seconds: list[float] = []

    def insert(*_: int) -> None:
        began = time.monotonic()
        database.execute("INSERT INTO things VALUES (1)")
        seconds.append(time.monotonic() - began)

    checkout.write_revision(2, BEFORE_IT)
    checkout.write_revision(3, *step)
    with database.engine.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid() FROM (SELECT count(*) FROM things) AS all_of_them")
        with traffic(1, insert):
            refused = checkout.ends(1, "db", "upgrade", "-x", "deadline=1.5")
        blocker = pid.scalar_one()
    assert max(seconds) < 1
    assert f"pid={blocker}" in refused
    assert "flask db upgrade" in refused
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    assert database.scalar("SELECT count(*) FROM runs WHERE revision = '0003'") == 0


EXCUSED = "with excused('The service is closed tonight.')"


def test_a_deadlock_is_tried_again(checkout: OwnHistory, database: Database) -> None:
    """The other session waits for what the migration holds, and holds what the migration asks for next.

    The server ends the one that comes last, when the other has waited for longer than deadlock_timeout, 1 s.
    """
    checkout.write_revision(
        2,
        f"{EXCUSED}: op.execute('LOCK TABLE runs')",
        "op.execute('SELECT pg_sleep(3)')",
        f"{EXCUSED}: op.execute('SET LOCAL lock_timeout = 0')",
        f"{EXCUSED}: op.execute('LOCK TABLE things')",
    )

    def other_way_round(has_begun: Event) -> None:
        with database.engine.connect() as other:
            other.exec_driver_sql("LOCK TABLE things")
            has_begun.set()
            wait_until(lambda: database.scalar(HOLDS_RUNS), "the migration holds the first table")
            other.exec_driver_sql("LOCK TABLE runs")

    with beside(other_way_round):
        assert "attempt 1, again in" in checkout.ends(0, "db", "upgrade")


def test_a_deadline_that_is_no_time_is_refused(checkout: OwnHistory) -> None:
    for given in ("soon", "0", "1e9"):
        assert "takes seconds" in checkout.ends(1, "db", "upgrade", "-x", f"deadline={given}")


def test_another_release_is_waited_for_until_the_deadline(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(2)
    with database.holding(f"SELECT pg_advisory_lock({LOCK_KEY})"):
        assert "Another release held the migration lock" in checkout.ends(1, "db", "upgrade", "-x", "deadline=1")
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"


SECOND_LOOK = 10.0  # seconds that a busy machine may take to see the wait, to end the step and to answer the request
# Both wait as long as they are let, so that a test whose step is not ended fails by its timeout.
LONG = "SELECT pg_sleep(600)"
OTHER_LOCK = "SELECT pg_advisory_xact_lock(424242)"  # which the project uses itself
ADD = "ALTER TABLE things ADD mark text"
UNTIL_TOLD = """
from pathlib import Path
import time
while not Path("told").exists():
    time.sleep(0.01)
"""


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
    "in one statement": ((f"DO $$ BEGIN {ADD}; PERFORM pg_sleep(600); END $$",), "SELECT FROM things"),
    "in a statement after it": ((ADD, LONG), "SELECT FROM things"),
    "a row": (("UPDATE things SET id = 3 WHERE id = 2", LONG), "UPDATE things SET id = id WHERE id = 2"),
    "an advisory lock": ((OTHER_LOCK, ADD, LONG), OTHER_LOCK),
}


@pytest.mark.parametrize(("step", "waits"), HOLDING.values(), ids=HOLDING)
def test_a_statement_is_ended(checkout: OwnHistory, database: Database, step: tuple[str, ...], waits: str) -> None:
    checkout.write_revision(2, *(f'op.execute("{sql}")' for sql in step))
    with request(database, waits) as answered:
        ended = checkout.ends(1, "db", "upgrade")
        assert LONGEST_WAIT < answered.result() < LONGEST_WAIT + SECOND_LOOK
    assert "which this step held" in ended
    assert "the step's transaction was rolled back" in ended
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"
    assert database.scalar("SELECT count(*) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0") == 1
    assert database.scalar("SELECT count(*) FROM things WHERE id > 2") == 0


def test_while_python_computes_the_connection_is_ended(checkout: OwnHistory, database: Database) -> None:
    """There is no statement to cancel. Python finds out when it has computed."""
    checkout.write_revision(2, 'op.execute("ALTER TABLE things ADD mark text")', *UNTIL_TOLD.strip().splitlines())
    with request(database, "SELECT FROM things") as answered:
        answered.add_done_callback(lambda _: (checkout.folder / "told").touch())
        assert "s for things, which this step held" in checkout.ends(1, "db", "upgrade")
        assert LONGEST_WAIT < answered.result() < LONGEST_WAIT + SECOND_LOOK
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"
    assert checkout.flask("db", "upgrade").returncode == 0


def test_an_operation_is_ended_too(checkout: OwnHistory, database: Database) -> None:
    step = f"with in_schema('public'): steps.run_steps(steps.strong('things', '{ADD}; {LONG}'))"
    checkout.write_revision(2, "from online_migrations.operations import steps", step)
    with request(database, "SELECT FROM things"):
        assert "s for things, which this step held" in checkout.ends(1, "db", "upgrade").splitlines()[-1]
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"


def test_the_wait_of_a_request_behind_another_ddl_is_one(checkout: OwnHistory, database: Database) -> None:
    """The step does not hold what the request wants. But the DDL before it wants what the step holds."""
    checkout.write_revision(2, 'op.execute("INSERT INTO things VALUES (3)")', f'op.execute("{LONG}")')
    ddl = request(database, "ALTER TABLE things ADD mark text")
    with ddl, request(database, "SELECT FROM things", DDL_WAITS) as answered:
        checkout.ends(1, "db", "upgrade")
        assert LONGEST_WAIT < answered.result() < LONGEST_WAIT + SECOND_LOOK
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"


def test_a_slow_step_that_holds_up_nobody_goes_on(database: Database) -> None:
    """Requests use what it holds, for longer than one may wait: a table, to which it adds rows."""
    database.execute("CREATE TABLE things (id int)")
    deadline = Deadline(60)
    with database.migrating.connect() as migrating, watch_blockers(database.migrating, migrating, deadline):
        migrating.execute(text("INSERT INTO things VALUES (1)"))
        until = time.monotonic() + 2 * LONGEST_WAIT
        while time.monotonic() < until:
            database.execute("INSERT INTO things VALUES (2)")
        migrating.commit()
    assert deadline.held_up is None
    assert database.scalar("SELECT count(*) FROM things WHERE id = 1") == 1


# The step, and what waits for it: DDL, as behind an index that is built concurrently; and a request, where whoever has
# given a reason decides, also while the next statement runs, since the lock stays.
MAY_WAIT = {
    "another DDL": ('op.execute("ALTER TABLE things ADD mark text")', "CREATE INDEX ON things (id)"),
    "an excused statement": (f"{EXCUSED}: op.execute('LOCK TABLE things')", "SELECT FROM things"),
}


@pytest.mark.parametrize(("step", "waits"), MAY_WAIT.values(), ids=MAY_WAIT)
def test_what_may_hold_up_goes_on(checkout: OwnHistory, database: Database, step: str, waits: str) -> None:
    checkout.write_revision(2, step, f'while not op.get_bind().scalar(sa.text("{WAITED}")): pass')
    with request(database, waits) as answered:
        checkout.ends(0, "db", "upgrade")
        assert answered.result() > LONGEST_WAIT
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"


def test_an_operation_that_holds_up_is_not_tried_again(database: Database) -> None:
    """Else it would hold up one request after the other until the deadline."""
    database.execute("CREATE TABLE things (id int)")
    attempts = []
    deadline = Deadline(60)
    with database.migrating.connect() as migrating, watch_blockers(database.migrating, migrating, deadline):

        def work() -> None:
            attempts.append(1)
            migrating.rollback()
            migrating.execute(text(f"LOCK TABLE things; {LONG}"))

        with request(database, "SELECT FROM things"), pytest.raises(RequestsHeldUp, match="A request waited"):
            with_lock_retries(work, deadline)
        migrating.rollback()
    assert len(attempts) == 1
