"""Fill every row once by a long backfill, whatever is in the table, and whatever kills, doubles or loses its jobs."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from flask import Flask, current_app
from psycopg2 import InterfaceError
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from app.jobs.tasks import resume_lost_backfills
from online_migrations.backfills import run_batch
from online_migrations.backfills.store import AT_ONCE, DONE, FAILED, RUNNING
from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.operations.backfill import backfill_later, cancel_backfill, require_backfilled
from online_migrations.operations.steps import in_schema
from tests.database import commit
from tests.databases import Environment
from tests.online_migrations import backfilling
from tests.online_migrations.backfilling import BATCH, FILLED, UNFILLED, begin, jobs, sizes, work_once, work_until_idle
from tests.online_migrations.migrating import Database

LogCapture = pytest.LogCaptureFixture
RECORDED = "SELECT count(*) > 0 FROM schema_backfills"
STORED = "SELECT to_jsonb(b) FROM schema_backfills b"


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    with backfilling.database_in_use(server_environment) as environment:
        yield environment


def test_from_its_beginning_to_its_end_and_begun_again(things: Database) -> None:
    """It is done after a pass that finds nothing; a row that is written behind its key comes in the next pass."""
    begin(things)
    assert (sizes(things).state, sizes(things).estimated_rows, jobs()) == (RUNNING, 3000, [("sizes", 1)])
    assert things.scalar(UNFILLED) == 3000, "the migration fills no row"
    work_once()
    before = things.scalar(STORED)
    assert before["position"] == str(BATCH), "the last key in the order of numbers"
    begin(things)
    with pytest.raises(ReleaseError, match="name of its own"):
        begin(things, set_sql="size = 2")
    assert (things.scalar(STORED), jobs()) == (before, [("sizes", 2)])
    things.execute("UPDATE things SET size = NULL WHERE id = 7")
    work_until_idle()
    done = sizes(things)
    assert (done.state, done.pass_number, done.rows_done, things.scalar(FILLED)) == (DONE, 3, 3001, 3000)
    assert done.finished_at is not None
    things.execute("UPDATE things SET size = NULL")  # as a downgrade that forgot to cancel
    begin(things)
    assert sizes(things).state == RUNNING
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).state) == (3000, DONE)


def test_where_little_is_to_be_filled_a_batch_does_not_grow(things: Database) -> None:
    """Its rows would be locked for long where there is more to fill."""
    things.execute("UPDATE things SET size = 1 WHERE id <= 2500")
    begin(things)

    def sees_what_is_to_be_filled() -> bool:
        assert sizes(things).batch_size <= BATCH
        return bool(sizes(things).pass_scanned >= 2500)

    backfilling.work_until(sees_what_is_to_be_filled)
    work_until_idle()
    assert things.scalar(FILLED) == 3000


@pytest.mark.parametrize("rows", [0, AT_ONCE])
def test_a_small_table_is_filled_by_the_migration(things: Database, rows: int) -> None:
    things.execute(f"DELETE FROM things WHERE id > {rows}")
    begin(things)
    assert (sizes(things).state, sizes(things).rows_done, things.scalar(UNFILLED)) == (DONE, rows, 0)
    assert jobs() == []


def test_a_small_table_with_a_held_row_is_the_workers_and_one_that_cannot_be_filled_nobodys(things: Database) -> None:
    things.execute("DELETE FROM things WHERE id > 10")
    with pytest.raises(UnsafeOperation, match="without an end"):
        begin(things, "size = CASE WHEN id <> 7 THEN 1 END")
    assert (things.scalar(UNFILLED), things.scalar(RECORDED)) == (10, False)
    with things.holding("UPDATE things SET owner_id = 5 WHERE id = 7"):
        begin(things)
    assert (sizes(things).state, jobs()) == (RUNNING, [("sizes", 1)])
    work_until_idle()
    assert (things.scalar(UNFILLED), sizes(things).state) == (0, DONE)


CANNOT_WORK: list[tuple[tuple[str, ...], type[Exception], str]] = [
    (("sizes", "things", "sise = 1", "size IS NULL"), ProgrammingError, "sise"),
    (("sizes", "things", "size = 1", "sise IS NULL"), ProgrammingError, "sise"),
    (("sizes", "things", "size = 'one'", "size IS NULL; DELETE FROM things"), ProgrammingError, "syntax error"),
    (("two words", "things", "size = 1", "size IS NULL"), ReleaseError, "would not fit into a command"),
    (("", "things", "size = 1", "size IS NULL"), ReleaseError, "would not fit into a command"),
]


def test_what_cannot_work_is_refused_by_the_migration_and_one_that_fails_leaves_nothing(things: Database) -> None:
    def fails_later() -> None:
        backfill_later("sizes", "things", "size = 1", "size IS NULL")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        things.migrate(fails_later)
    for arguments, error, reason in CANNOT_WORK:
        with pytest.raises(error, match=reason):
            things.migrate(partial(backfill_later, *arguments))
    with pytest.raises(UnsafeOperation, match="may be NULL"):
        begin(things, pk="owner_id")
    assert (things.scalar(RECORDED), jobs(), things.scalar(UNFILLED)) == (False, [], 3000)


def test_without_a_queue_it_is_refused_with_the_way_out(things: Database) -> None:
    extensions = current_app.extensions
    extensions["release"] = extensions["release"]._replace(defer_backfill=None)
    with pytest.raises(ReleaseError, match=r"needs a job queue.* or use backfill\(\)"):
        begin(things)
    assert not things.scalar(RECORDED)


def test_before_the_queue_exists_it_waits_for_it(things: Database) -> None:
    things.execute("ALTER TABLE procrastinate_jobs RENAME TO not_yet")
    begin(things)
    things.execute("ALTER TABLE not_yet RENAME TO procrastinate_jobs")
    assert jobs() == []
    resume_lost_backfills(0)
    work_until_idle()
    assert things.scalar(FILLED) == 3000


def test_a_key_of_any_type_gets_there_and_back(things: Database) -> None:
    things.execute('ALTER TABLE things ADD "the key" timestamptz')
    things.execute("""UPDATE things SET "the key" = 'epoch'::timestamptz + id * interval '1.000001 seconds'""")
    things.execute('ALTER TABLE things ALTER "the key" SET NOT NULL; CREATE UNIQUE INDEX ON things ("the key")')
    begin(things, pk="the key")
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).rows_done) == (3000, 3000)


def test_a_row_that_is_held_comes_in_a_later_pass(things: Database) -> None:
    begin(things)
    with things.holding("UPDATE things SET owner_id = 5 WHERE id = 7"):
        backfilling.work_until(lambda: sizes(things).pass_number > 2)
        assert things.scalar("SELECT array_agg(id) FROM things WHERE size IS NULL") == [7]
        assert sizes(things).state == RUNNING
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).state) == (3000, DONE)


UNFIT = {
    "ck_things_small": "size = CASE WHEN id = 999 THEN 99 ELSE 1 END",
    "division by zero": "size = 1 / (id - 999)",
    "still meets the condition": "size = CASE WHEN id <> 999 THEN 1 END",
    'thing 999"': "size = CASE WHEN id = 999 THEN name::int ELSE 1 END",
}


@pytest.mark.parametrize(("reason", "set_sql"), UNFIT.items(), ids=UNFIT)
def test_an_unfit_row_ends_it_and_is_named(things: Database, set_sql: str, reason: str, caplog: LogCapture) -> None:
    """The log names its key, and nothing that stands in the row."""
    begin(things, set_sql)
    work_until_idle()
    assert sizes(things).state == FAILED
    assert str(sizes(things).error).startswith("things, the row with id 999: ")
    assert reason in str(sizes(things).error)
    assert things.scalar("SELECT max(id) FROM things WHERE size IS NOT NULL") == 998
    assert things.scalar(f"{UNFILLED} AND id < 999") == 0
    assert "backfill sizes failed at things, the row with id 999" in caplog.text
    assert "thing 999" not in caplog.text


def test_sql_that_no_longer_fits_the_table_fails_at_once(things: Database) -> None:
    begin(things, "size = owner_id % 10")
    things.execute("ALTER TABLE things DROP COLUMN owner_id")
    assert work_until_idle() == 1
    assert sizes(things).error == 'things: column "owner_id" does not exist'


def test_an_error_that_passes_by_itself_is_the_queues_to_retry(things: Database) -> None:
    begin(things)
    with things.engine.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        with pytest.raises(Exception, match="read-only"):
            run_batch(connection, "sizes", 1)
    assert (sizes(things).state, sizes(things).turn) == (RUNNING, 1)


def test_in_another_schema_its_names_mean_what_they_meant_in_the_migration(things: Database) -> None:
    things.execute("CREATE SCHEMA audit; CREATE TABLE audit.things (id bigint PRIMARY KEY, size int)")
    things.execute("INSERT INTO audit.things SELECT n FROM generate_series(1, 2000) n")

    def upgrade() -> None:
        with in_schema("audit"):
            backfill_later("sizes", "things", "size = 1", "size IS NULL")

    things.migrate(upgrade)
    work_until_idle()
    assert sizes(things).state == DONE
    assert (things.scalar("SELECT count(*) FROM audit.things WHERE size = 1"), things.scalar(FILLED)) == (2000, 0)
    things.migrate(lambda: require_backfilled("sizes"))
    things.execute("UPDATE audit.things SET size = NULL WHERE id = 7")
    with pytest.raises(UnsafeOperation, match="has rows again"):
        things.migrate(lambda: require_backfilled("sizes"))


MOST_STATEMENTS = 30  # of one batch


@pytest.mark.smoke
def test_killed_at_any_statement_a_batch_leaves_nothing(things: Database) -> None:
    begin(things)
    before = things.scalar(STORED)
    for number in range(1, MOST_STATEMENTS):
        if not dies_at(things, number):
            break
        assert (things.scalar(FILLED), things.scalar(STORED), jobs()) == (0, before, [("sizes", 1)])
    assert 5 < number < MOST_STATEMENTS
    assert (things.scalar(FILLED), jobs()) == (BATCH, [("sizes", 1), ("sizes", 2)])
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).rows_done) == (3000, 3000)


def dies_at(things: Database, number: int) -> bool:
    """Cut the connection of a batch off after so many statements; return whether there were as many."""
    left = itertools.count(number, -1)

    def cut_off(connection: Connection, *_: object) -> None:
        if next(left) == 1:
            assert connection.connection.dbapi_connection is not None
            connection.connection.dbapi_connection.close()

    with things.engine.connect() as connection:
        event.listen(connection, "after_cursor_execute", cut_off)
        try:
            run_batch(connection, "sizes", 1)
            connection.commit()
        except (DBAPIError, InterfaceError):
            return True
    return False


def test_two_workers_with_the_same_job_leave_one_chain(things: Database) -> None:
    begin(things)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    together = Barrier(2)

    def fill() -> None:
        with app.app_context(), things.engine.begin() as connection:
            together.wait(10)
            run_batch(connection, "sizes", 1)

    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(fill) for _ in range(2)]:
            done.result()
    assert (things.scalar(FILLED), jobs()) == (BATCH, [("sizes", 1), ("sizes", 2)])
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).rows_done) == (3000, 3000)


def show_follower(things: Database, lag: str, state: str) -> None:
    """Let the server show such a one to `fill`."""
    shown = f"SELECT make_interval(secs => {lag}) AS replay_lag, {state}::text AS state"
    things.execute(f"DROP VIEW IF EXISTS public.pg_stat_replication; CREATE VIEW public.pg_stat_replication AS {shown}")


def fill(things: Database, turn: int) -> None:
    with things.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL search_path = public, pg_catalog")
        run_batch(connection, "sizes", turn)


def test_it_waits_while_a_follower_lags_and_says_once_that_we_may_not_see(things: Database, caplog: LogCapture) -> None:
    begin(things)
    show_follower(things, "NULL", "NULL")
    fill(things, 1)
    show_follower(things, "8", "'streaming'")
    fill(things, 2)
    assert (things.scalar(FILLED), sizes(things).waiting_for) == (BATCH, "a follower that is 8 s behind")
    show_follower(things, "NULL", "'streaming'")
    fill(things, 3)
    assert sizes(things).waiting_for is None
    assert things.scalar(FILLED) > BATCH
    show_follower(things, "NULL", "NULL")
    fill(things, 4)
    assert caplog.text.count("may not see how far the followers lag") == 1


def test_a_chain_that_was_lost_is_found_again_once(things: Database, caplog: LogCapture) -> None:
    begin(things)
    work_once()
    resume_lost_backfills(0)
    assert jobs() == [("sizes", 2)]
    commit(text("DELETE FROM procrastinate_jobs"))
    resume_lost_backfills(0)
    resume_lost_backfills(0)
    assert jobs() == [("sizes", 2)]
    assert caplog.text.count("no job for turn 2") == 1
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).rows_done) == (3000, 3000)


def test_a_job_that_a_worker_of_other_code_has_failed_is_deferred_again(things: Database) -> None:
    """A worker fails the jobs of tasks that its release does not have. A job that runs is not lost."""
    begin(things)
    for status, again in (("doing", []), ("failed", [("sizes", 1)]), ("cancelled", [("sizes", 1)])):
        things.execute(f"UPDATE procrastinate_jobs SET status = '{status}'")
        resume_lost_backfills(0)
        assert jobs() == again


def test_one_that_was_cancelled_ends_with_the_job_that_waits(things: Database) -> None:
    begin(things)
    work_once()
    things.migrate(lambda: cancel_backfill("sizes"))
    assert work_until_idle() == 1
    assert (things.scalar(FILLED), things.scalar(RECORDED)) == (BATCH, False)
    begin(things)
    work_until_idle()
    assert things.scalar(FILLED) == 3000
