"""The jobs of a long backfill: killed, doubled, lost or waiting, they stay one chain, and fill every row once."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask, current_app
from psycopg2 import InterfaceError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from app.jobs.tasks import resume_lost_backfills
from app.release.backfills.batches import run_batch
from app.release.operations import cancel_backfill
from tests.databases import Environment
from tests.release.backfilling import (
    BATCH,
    FILLED,
    begin,
    database_in_use,
    jobs,
    lose_jobs,
    sizes,
    work_once,
    work_until_idle,
)
from tests.release.migrating import Database

MOST_STATEMENTS = 30  # of one batch


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    with database_in_use(server_environment) as environment:
        yield environment


@pytest.fixture
def things(database: Database) -> Database:
    return database


def test_killed_at_any_statement_a_batch_leaves_nothing(things: Database) -> None:
    begin(things)
    before = sizes(things)._replace(idle_for=0)
    for number in range(1, MOST_STATEMENTS):
        if not dies_at(things, number):
            break
        assert (things.scalar(FILLED), sizes(things)._replace(idle_for=0), jobs()) == (0, before, [("sizes", 1)])
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


def test_a_job_that_comes_twice_finds_that_it_is_late(things: Database) -> None:
    begin(things)
    work_once()
    for late in (0, 1):
        with things.engine.begin() as connection:
            run_batch(connection, "sizes", late)
    assert (things.scalar(FILLED), sizes(things).turn, jobs()) == (BATCH, 2, [("sizes", 2)])


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


def test_it_waits_while_a_follower_lags(things: Database) -> None:
    begin(things)
    show_follower(things, "8", "'streaming'")
    fill(things, 1)
    assert (things.scalar(FILLED), sizes(things).waiting_for) == (0, "a follower that is 8 s behind")
    show_follower(things, "NULL", "'streaming'")
    fill(things, 2)
    assert (things.scalar(FILLED), sizes(things).waiting_for) == (BATCH, None)


def test_a_lag_that_our_role_may_not_see_is_told_once_and_not_waited_for(
    things: Database, caplog: pytest.LogCaptureFixture
) -> None:
    begin(things)
    show_follower(things, "NULL", "NULL")
    for turn in (1, 2, 3):
        fill(things, turn)
    assert things.scalar(FILLED) > BATCH
    assert caplog.text.count("may not see how far the followers lag") == 1


def test_a_chain_that_was_lost_is_found_again_once(things: Database, caplog: pytest.LogCaptureFixture) -> None:
    begin(things)
    work_once()
    resume_lost_backfills(0)
    assert jobs() == [("sizes", 2)]
    lose_jobs()
    resume_lost_backfills(0)
    resume_lost_backfills(0)
    assert jobs() == [("sizes", 2)]
    assert caplog.text.count("no job for turn 2") == 1
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).rows_done) == (3000, 3000)


def test_a_job_that_a_worker_of_other_code_has_failed_is_deferred_again(things: Database) -> None:
    """A worker fails the jobs of tasks that its release does not have."""
    begin(things)
    for status in ("failed", "cancelled", "aborted"):
        things.execute(f"UPDATE procrastinate_jobs SET status = '{status}'")
        resume_lost_backfills(0)
        assert jobs() == [("sizes", 1)]


def test_a_job_that_runs_is_not_lost(things: Database) -> None:
    begin(things)
    things.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    resume_lost_backfills(0)
    assert jobs() == []


def test_one_that_was_cancelled_ends_with_the_job_that_waits(things: Database) -> None:
    begin(things)
    work_once()
    things.migrate(lambda: cancel_backfill("sizes"))
    assert work_until_idle() == 1
    assert (things.scalar(FILLED), things.scalar("SELECT count(*) FROM schema_backfills")) == (BATCH, 0)
    begin(things)
    work_until_idle()
    assert things.scalar(FILLED) == 3000
