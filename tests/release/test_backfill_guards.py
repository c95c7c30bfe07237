"""A step that needs a backfill is refused until it is done, before the run changes anything."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import Script, ScriptDirectory

from app.release.backfills import records
from app.release.backfills.deferring import defer_batch
from app.release.backfills.guards import assigned_columns
from app.release.backfills.pending import unfinished_backfill
from app.release.backfills.table import AT_ONCE
from app.release.errors import UnsafeOperation
from app.release.operations import (
    add_check_online,
    add_column_online,
    add_unique_online,
    drop_column_contract,
    drop_compat_view,
    drop_dual_write_contract,
    drop_shadow_contract,
    drop_table_contract,
    require_backfilled,
    set_not_null_online,
    stop_dual_write_contract,
)
from tests.databases import Environment
from tests.release.backfilling import begin, database_in_use, sizes, work_once, work_until_idle
from tests.release.checkout import OwnHistory
from tests.release.fingerprint import schema_fingerprint
from tests.release.history import EXPAND, write_revision
from tests.release.migrating import Database, printed

Step = Callable[[], Any]

NEEDING: dict[str, Step] = {
    "not_null": lambda: set_not_null_online("things", "size"),
    "check": lambda: add_check_online("things", "ck_things_sized", '"size" IS NOT NULL'),
    "unique": lambda: add_unique_online("things", "uq_things_size", ["owner_id", "size"]),
    "drop_read": lambda: drop_column_contract("things", "name"),
    "drop_written": lambda: drop_column_contract("things", "size"),
    "drop_table": lambda: drop_table_contract("things"),
    "drop_view": lambda: drop_compat_view("things"),
    "replace_check": lambda: add_check_online("things", "ck_things_small", "size < 20", replace=True),
    "drop_dual_write": lambda: drop_dual_write_contract("things", "name"),
    "stop_dual_write": lambda: stop_dual_write_contract("things", "size"),
    "by_name": lambda: require_backfilled("sizes"),
}
NOT_NEEDING: list[Step] = [
    lambda: set_not_null_online("things", "owner_id"),
    lambda: add_check_online("things", "ck_things_named", "name LIKE 'size%' OR id > 0"),
    lambda: add_unique_online("things", "uq_things_name", ["name"]),
    lambda: add_column_online("things", sa.Column("more", sa.Integer)),
    lambda: drop_table_contract("owners"),
    lambda: drop_compat_view("objects"),
    lambda: add_check_online("things", "ck_things_small", "owner_id > 0", replace=True),
    lambda: drop_dual_write_contract("things", "sizes"),
    lambda: stop_dual_write_contract("things", "name"),
    lambda: drop_shadow_contract("things", "size"),
    lambda: drop_column_contract("things", "owner_id"),
]
SET_SQL = "size = length(name) % 10"


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    with database_in_use(server_environment) as environment:
        yield environment


def test_what_needs_it_is_refused_while_it_is_not_done_and_nothing_else_is(things: Database) -> None:
    begin(things, SET_SQL)
    work_once()
    before = schema_fingerprint(things.engine)
    for step in NEEDING.values():
        with pytest.raises(
            UnsafeOperation, match=r"needs the backfill 'sizes', which is not done: .* rows of things, pass 1"
        ):
            things.migrate(step)
    assert schema_fingerprint(things.engine) == before
    for step in NOT_NEEDING:
        things.migrate(step)


ADVICE = {
    "running": "when flask release status says done, run: flask db upgrade",
    "paused": "flask release resume sizes",
    "failed": "Fix that, then: flask release resume sizes",
}


def test_the_refusal_says_what_to_do(things: Database) -> None:
    begin(things)
    for state, advice in ADVICE.items():
        things.execute("UPDATE schema_backfills SET state = :state, error = 'a row'", state=state)
        with pytest.raises(UnsafeOperation, match=advice):
            things.migrate(NEEDING["by_name"])


def test_what_needs_it_runs_once_it_is_done(things: Database) -> None:
    begin(things, SET_SQL)
    work_until_idle()
    for step in ("not_null", "by_name", "drop_read"):
        things.migrate(NEEDING[step])


def test_a_shadow_that_it_reads_stays_until_it_is_done(things: Database) -> None:
    things.execute("ALTER TABLE things ADD name_shadow text")
    begin(things, "size = length(name_shadow)")
    with pytest.raises(UnsafeOperation, match=r"drop_shadow_contract.* needs the backfill 'sizes'"):
        things.migrate(lambda: drop_shadow_contract("things", "name"))
    assert things.scalar("SELECT count(*) FROM pg_attribute WHERE attname = 'name_shadow'") == 1


def test_what_was_never_begun_is_refused(things: Database) -> None:
    with pytest.raises(UnsafeOperation, match="No backfill 'sizes' was ever begun"):
        things.migrate(NEEDING["by_name"])


def test_rows_that_came_since_are_told_and_filled_by_another_pass(things: Database) -> None:
    begin(things)
    work_until_idle()
    things.execute("INSERT INTO things (name) VALUES ('of old code')")
    with pytest.raises(UnsafeOperation, match=r"has rows again that meet 'size IS NULL'.* flask release resume sizes"):
        things.migrate(NEEDING["by_name"])
    with things.engine.begin() as connection:
        [(name, turn)] = records.resume(connection, "sizes")
        defer_batch(connection, name, turn, 0)
    work_until_idle()
    things.migrate(NEEDING["by_name"])
    assert sizes(things).rows_done == 3001


def test_after_the_column_is_gone_a_run_that_was_killed_may_go_on(things: Database) -> None:
    begin(things, SET_SQL)
    work_until_idle()
    things.migrate(NEEDING["drop_written"])
    things.migrate(NEEDING["by_name"])


def test_printed_it_ends_the_script_that_comes_too_early(things: Database, psql: Callable[[str], None]) -> None:
    begin(things)
    script = printed(NEEDING["by_name"])
    with pytest.raises(AssertionError, match="backfill sizes is running"):
        psql(script)
    things.execute("DELETE FROM schema_backfills")
    with pytest.raises(AssertionError, match="backfill sizes is unknown"):
        psql(script)
    begin(things)
    work_until_idle()
    psql(script)


ASSIGNED = {
    "size = 1": {"size"},
    "Size = f(a, b = 3), note = ', c = 1'": {"size", "note"},
    '"Odd name" = 1, (a, b) = (SELECT 1, c)': {"Odd name", "a", "b"},
    "a = CASE WHEN b = 1 THEN 2 END": {"a"},
}


def test_the_columns_that_a_backfill_writes() -> None:
    assert {set_sql: assigned_columns(set_sql) for set_sql in ASSIGNED} == ASSIGNED


BEGINS = {
    "plain": "backfill_later('sizes', 'things', 'size = 1', 'size IS NULL')",
    "by_keywords": "backfill_later(name='sizes', where='size IS NULL', set_sql='size = 1', table='things')",
    "by_constants": "backfill_later('sizes', 'things', f'size = {SIZE}', where='size IS NULL')",
}
NEEDS = {
    "by_name": "require_backfilled('sizes')",
    "not_null": "set_not_null_online(table='things', column='size')",
    "after_another_step": "drop_index_online('ix_things_size')\ndrop_column_contract('things', 'size')",
}


def scripts(folder: Path, *upgrades: str) -> list[Script]:
    """0002, 0003 … with these lines."""
    folder.mkdir(exist_ok=True)
    write_revision(folder, "0001", None)
    for number, lines in enumerate(upgrades, start=2):
        write_revision(folder, f"{number:04d}", f"{number - 1:04d}", lines, f"{EXPAND}\nSIZE = 'length(name) % 10'")
    return list(ScriptDirectory(str(folder)).walk_revisions())[::-1][1:]


def refused(things: Database, to_apply: list[Script]) -> str | None:
    with things.engine.connect() as connection:
        return unfinished_backfill(connection, to_apply)


def test_to_begin_it_and_to_need_it_in_one_run_is_refused(things: Database, tmp_path: Path) -> None:
    for (how, begins), (name, needs) in itertools.product(BEGINS.items(), NEEDS.items()):
        reason = refused(things, scripts(tmp_path / f"{how}_{name}", begins, needs))
        assert reason is not None
        assert reason.startswith("0003: ")
        assert "0002 begins it in this same run. Release up to 0002 first" in reason
    assert refused(things, scripts(tmp_path / "alone", BEGINS["plain"])) is None


def test_in_a_small_table_one_run_may_do_both(things: Database, tmp_path: Path) -> None:
    both = scripts(tmp_path, BEGINS["plain"], NEEDS["by_name"])
    things.execute(f"DELETE FROM things WHERE id > {AT_ONCE}")
    assert refused(things, both) is None
    things.execute("DROP TABLE things")
    assert refused(things, both) is None


def test_a_pending_step_is_refused_until_what_an_earlier_release_began_is_done(
    things: Database, tmp_path: Path
) -> None:
    begin(things)
    pending = {name: scripts(tmp_path / name, needs) for name, needs in NEEDS.items()}
    for to_apply in pending.values():
        assert "which is not done: 0 % of about" in str(refused(things, to_apply))
    work_until_idle()
    assert [name for name, to_apply in pending.items() if refused(things, to_apply)] == []
    things.execute("INSERT INTO things (name) VALUES ('of old code')")
    assert [name for name, to_apply in pending.items() if refused(things, to_apply)] == ["by_name"]


def test_one_that_the_run_cancels_is_not_waited_for(things: Database, tmp_path: Path) -> None:
    begin(things)
    to_apply = scripts(tmp_path, "cancel_backfill('sizes')", NEEDS["not_null"])
    assert refused(things, to_apply) is None


@pytest.mark.servers
def test_the_run_is_refused_before_it_changes_anything(
    things: Database, environment: Environment, tmp_path: Path, schema_dump: Callable[[], str]
) -> None:
    own = OwnHistory(tmp_path, environment)
    own.forget_history()
    own.write_revision(1)
    assert own.flask("db", "upgrade").returncode == 0
    own.write_revision(2, 'add_column_online("things", sa.Column("more", sa.Integer()))', BEGINS["plain"])
    own.write_revision(3, "require_backfilled('sizes')", phase="contract")
    before = schema_dump()
    for command in (["db", "upgrade"], ["release", "plan"]):
        done = own.flask(*command)
        assert "0002 begins it in this same run" in done.stdout + done.stderr
    assert schema_dump() == before
    assert things.scalar("SELECT version_num FROM alembic_version") == "0001"

    assert own.flask("db", "upgrade", "0002").returncode == 0
    too_early = own.flask("db", "upgrade")
    assert (too_early.returncode, things.scalar("SELECT version_num FROM alembic_version")) == (1, "0002")
    assert "0003: require_backfilled('sizes') needs the backfill 'sizes', which is not done" in too_early.stderr
    work_until_idle()
    done = own.flask("db", "upgrade")
    assert done.returncode == 0, done.stderr
