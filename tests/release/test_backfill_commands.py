"""Type `flask release pause`, `resume` and `status`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner

from app import create_app
from config import TestingConfig
from tests.databases import Environment
from tests.release.backfilling import begin, database_in_use, jobs, sizes, work_once, work_until_idle
from tests.release.migrating import Database

FILLED = "SELECT count(*) FROM things WHERE size = 1"


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    with database_in_use(server_environment) as environment:
        yield environment


@pytest.fixture
def things(database: Database) -> Database:
    return database


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
