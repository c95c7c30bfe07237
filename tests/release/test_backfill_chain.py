"""Keep the jobs of a long backfill one chain that fills every row once, whatever kills, doubles, loses or pauses it."""

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from click.testing import Result
from flask import Flask, current_app
from flask.testing import FlaskCliRunner
from psycopg2 import InterfaceError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from app import create_app
from app.jobs.tasks import resume_lost_backfills
from app.release.backfills.batches import run_batch
from app.release.operations import cancel_backfill
from config import TestingConfig
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


# What a person types about them: `flask release pause`, `resume` and `status`.


@pytest.fixture
def runner(environment: Environment) -> Iterator[FlaskCliRunner]:
    app = create_app(TestingConfig(environment))
    with app.app_context():
        yield app.test_cli_runner()


def release(runner: FlaskCliRunner, *arguments: str) -> Result:
    return runner.invoke(args=["release", *arguments])


def shown(runner: FlaskCliRunner) -> list[dict[str, Any]]:
    backfills: list[dict[str, Any]] = json.loads(release(runner, "status", "--json").stdout)["backfills"]
    return backfills


def line(runner: FlaskCliRunner) -> str:
    lines = release(runner, "status").stdout.splitlines()
    return next(line for line in lines if line.startswith("backfills"))


@pytest.mark.parametrize("name", [(), ("sizes",)])
def test_it_pauses_and_goes_on_where_it_was(things: Database, runner: FlaskCliRunner, name: tuple[str, ...]) -> None:
    begin(things)
    work_once()
    paused = release(runner, "pause", *name)
    assert (paused.exit_code, paused.stdout) == (0, "sizes: paused. Let it go on with: flask release resume sizes\n")
    assert work_until_idle() == 1  # the job that waited finds that there is nothing to do
    assert things.scalar(FILLED) == 500

    resumed = release(runner, "resume", *name)
    assert (resumed.exit_code, resumed.stdout[:15]) == (0, "sizes: running.")
    assert jobs() == [("sizes", 3)]
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).rows_done) == (3000, 3000)


def test_the_job_from_before_the_pause_is_late_after_it(things: Database, runner: FlaskCliRunner) -> None:
    begin(things)
    release(runner, "pause")
    release(runner, "resume")
    assert jobs() == [("sizes", 1), ("sizes", 2)]
    work_once()
    assert (things.scalar(FILLED), jobs()) == (500, [("sizes", 3)])


def test_a_name_that_is_unknown_is_one_sentence(things: Database, runner: FlaskCliRunner) -> None:
    for command in ("pause", "resume", "pause", "resume"):
        ended = release(runner, command, "other")
        assert (ended.exit_code, ended.stdout) == (1, "")
        assert ended.stderr.startswith("Error: There is no backfill 'other'")
        begin(things)
    assert jobs() == [("sizes", 1)]


def test_a_database_that_no_release_with_long_backfills_has_migrated(things: Database, runner: FlaskCliRunner) -> None:
    things.execute("DROP TABLE schema_backfills")
    assert release(runner, "pause").stderr == "Error: No backfill was ever begun here.\n"
    assert shown(runner) == []


def test_what_is_not_to_be_paused_or_resumed_stays_as_it_is(things: Database, runner: FlaskCliRunner) -> None:
    assert release(runner, "pause").stdout == "No backfill runs.\n"
    begin(things)
    assert release(runner, "resume").stdout == "No backfill is paused.\n"
    assert release(runner, "resume", "sizes").stdout == "sizes runs already.\n"
    assert jobs() == [("sizes", 1)]
    work_until_idle()
    assert release(runner, "pause").stdout == "No backfill runs.\n"
    assert release(runner, "pause", "sizes").stdout == "sizes does not run.\n"
    assert (sizes(things).state, jobs()) == ("done", [])


def test_one_that_failed_goes_on_by_its_name_alone(things: Database, runner: FlaskCliRunner) -> None:
    begin(things, "size = CASE WHEN name = 'thing 1234' THEN 99 ELSE 1 END")
    work_until_idle()
    assert release(runner, "resume").stdout == "No backfill is paused.\n"
    things.execute("UPDATE things SET name = 'fixed' WHERE id = 1234")
    release(runner, "resume", "sizes")
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).error) == (3000, None)


def test_one_that_is_done_makes_another_pass_by_its_name(things: Database, runner: FlaskCliRunner) -> None:
    begin(things)
    work_until_idle()
    things.execute("UPDATE things SET size = NULL WHERE id IN (1, 3000)")
    assert release(runner, "resume").stdout == "No backfill is paused.\n"
    release(runner, "resume", "sizes")
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).state) == (3000, "done")


def test_status_without_any_says_nothing_of_backfills(runner: FlaskCliRunner) -> None:
    assert shown(runner) == []
    assert "backfill" not in release(runner, "status").stdout


def test_status_tells_how_far_it_is_and_how_long_it_will_take(things: Database, runner: FlaskCliRunner) -> None:
    begin(things)
    work_once()
    [backfill] = shown(runner)
    assert (backfill["state"], backfill["rows_seen"], backfill["rows_filled"]) == ("running", 500, 500)
    assert backfill["progress"] == "16 % of about 3,000 rows of things, pass 1"
    assert "a second" in backfill["speed"]
    assert line(runner).startswith("backfills          sizes: running, 16 % of about 3,000 rows of things, pass 1; ")
    work_until_idle()
    assert line(runner) == "backfills          sizes: done, 3,000 rows of things filled"
    things.execute("UPDATE schema_backfills SET finished_at = now() - interval '8 days'")
    assert shown(runner) == []


WAITS = {
    "waiting_for = 'a follower'": "waits for a follower",
    "waiting_for = NULL, updated_at = now() - interval '5 minutes'": "waits for a worker: no batch for 5 min",
    "state = 'paused'": "It is paused; let it go on with: flask release resume sizes",
    "state = 'failed', error = 'row 7: too long'": "It failed at row 7: too long. Fix that",
}


def test_status_tells_what_it_waits_for(things: Database, runner: FlaskCliRunner) -> None:
    begin(things)
    for change, words in WAITS.items():
        things.execute(f"UPDATE schema_backfills SET {change}")
        assert words in line(runner)
