"""Refuse a step that needs a backfill until it is done; pause and resume one, and tell how far it is."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskCliRunner

from online_migrations.backfills.store import assigned_columns
from online_migrations.errors import UnsafeOperation
from tests.databases import Environment
from tests.online_migrations import dumps
from tests.online_migrations.backfilling import FILLED, begin, database_in_use, jobs, sizes, work_once, work_until_idle
from tests.online_migrations.migrating import Database, printed, release
from tests.online_migrations.revision_corpus.cases import run

# test_backfills.py has the statements of a batch.
pytestmark = pytest.mark.newest_server

NEEDING = [
    'set_not_null_online("things", "size")',
    """add_check_online("things", "ck_things_sized", '"size" IS NOT NULL')""",
    'add_unique_online("things", "uq_things_size", ["owner_id", "size"])',
    'drop_column_contract("things", "name")',  # which it reads
    'drop_column_contract("things", "size")',
    'drop_table_contract("things")',
    'drop_compat_view("things")',
    'add_check_online("things", "ck_things_small", "size < 20", replace=True)',
    'drop_dual_write_contract("things", "name")',
    'drop_shadow_contract("things", "name")',
    'stop_dual_write_contract("things", "size")',
    'require_backfilled("sizes")',
]
NOT_NEEDING = [
    'set_not_null_online("things", "owner_id")',
    """add_check_online("things", "ck_things_named", "name LIKE 'size%' OR id > 0")""",
    'add_unique_online("things", "uq_things_name", ["name"])',
    'add_column_online("things", sa.Column("more", sa.Integer))',
    'drop_table_contract("owners")',
    'drop_compat_view("objects")',
    'add_check_online("things", "ck_things_small", "owner_id > 0", replace=True)',
    'drop_dual_write_contract("things", "sizes")',
    'stop_dual_write_contract("things", "name")',
    'drop_shadow_contract("things", "size")',
    'drop_column_contract("things", "owner_id")',
]
SET_SQL = "size = length(coalesce(name_shadow, name)) % 10"
REQUIRE = partial(run, NEEDING[-1])


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    with database_in_use(server_environment) as environment:
        yield environment


def test_what_needs_it_is_refused_while_it_is_not_done_and_nothing_else_is(things: Database) -> None:
    things.execute("ALTER TABLE things ADD name_shadow text")
    begin(things, SET_SQL)
    work_once()
    needs = "needs the backfill 'sizes', which is not done"
    refusal = f"{needs}: .* rows of things, pass 1.*says done, run: flask db upgrade"
    for step in NEEDING:
        operation = step.partition("(")[0]
        with things.unchanged(), pytest.raises(UnsafeOperation, match=rf"^{operation}\(.* {refusal}"):
            things.migrate(partial(run, step))
    for step in NOT_NEEDING:
        things.migrate(partial(run, step))


def test_what_needs_it_runs_once_it_is_done_and_again_when_its_column_is_gone(things: Database) -> None:
    with pytest.raises(UnsafeOperation, match="No backfill 'sizes' was ever begun"):
        things.migrate(REQUIRE)
    begin(things, "size = length(name) % 10")
    work_until_idle()
    for step in (NEEDING[0], NEEDING[3], NEEDING[4]):
        things.migrate(REQUIRE)
        things.migrate(partial(run, step))
    things.migrate(REQUIRE)


def test_rows_that_came_since_are_told_and_filled_by_another_pass(things: Database) -> None:
    begin(things)
    work_until_idle()
    things.execute("INSERT INTO things (name) VALUES ('of old code')")
    with pytest.raises(UnsafeOperation, match=r"has rows again that meet 'size IS NULL'.* flask release resume sizes"):
        things.migrate(REQUIRE)
    begin(things)
    work_until_idle()
    things.migrate(REQUIRE)
    assert sizes(things).rows_done == 3001


def test_printed_it_ends_the_script_that_comes_too_early(things: Database) -> None:
    begin(things)
    script = printed(REQUIRE)
    with pytest.raises(AssertionError, match="backfill sizes is running"):
        dumps.psql({"DATABASE_URL": things.url}, script)
    things.execute("DELETE FROM schema_backfills")
    with pytest.raises(AssertionError, match="backfill sizes is unknown"):
        dumps.psql({"DATABASE_URL": things.url}, script)
    begin(things)
    work_until_idle()
    dumps.psql({"DATABASE_URL": things.url}, script)


ASSIGNED = {
    "size = 1": {"size"},
    "Size = f(a, b = 3), note = ', c = 1'": {"size", "note"},
    '"Odd name" = 1, (a, b) = (SELECT 1, c)': {"Odd name", "a", "b"},
    "a = CASE WHEN b = 1 THEN 2 END": {"a"},
}


def test_the_columns_that_a_backfill_writes() -> None:
    assert {set_sql: assigned_columns(set_sql) for set_sql in ASSIGNED} == ASSIGNED


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


def test_what_is_not_to_be_paused_or_resumed_stays_as_it_is(things: Database, runner: FlaskCliRunner) -> None:
    def says(command: str, *name: str) -> str:
        ended = release(runner, command, *name)
        assert (ended.exit_code, ended.stdout == "") in ((0, False), (1, True))
        return ended.stdout or ended.stderr

    unknown = "Error: There is no backfill 'other'"
    assert says("pause") == "No backfill runs.\n"
    assert says("resume", "other").startswith(unknown)
    begin(things)
    assert (says("resume"), says("resume", "sizes")) == ("No backfill is paused.\n", "sizes runs already.\n")
    assert says("pause", "other").startswith(unknown)
    assert jobs() == [("sizes", 1)]
    work_until_idle()
    assert (says("pause"), says("pause", "sizes")) == ("No backfill runs.\n", "sizes does not run.\n")
    assert (sizes(things).state, jobs()) == ("done", [])
    things.execute("DROP TABLE schema_backfills")  # as of a database that no release with long backfills has migrated
    assert says("pause") == "Error: No backfill was ever begun here.\n"
    assert shown(runner) == []
    assert "backfill" not in says("status")


def test_one_that_failed_or_is_done_goes_on_by_its_name_alone(things: Database, runner: FlaskCliRunner) -> None:
    begin(things, "size = CASE WHEN name = 'thing 1234' THEN 99 ELSE 1 END")
    for mended in ("SET name = 'fixed' WHERE id = 1234", "SET size = NULL WHERE id IN (1, 3000)"):
        work_until_idle()
        assert release(runner, "resume").stdout == "No backfill is paused.\n"
        things.execute(f"UPDATE things {mended}")
        release(runner, "resume", "sizes")
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).state, sizes(things).error) == (3000, "done", None)


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
