"""Finish with the next release what a killed one left, at any statement of any operation."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.release import operations
from tests import namespaces
from tests.databases import Environment, empty_database
from tests.namespaces import AS_PID_1, first_process
from tests.release.checkout import Checkout, Forks, OwnHistory
from tests.release.dumps import rows_dump, schema_dump
from tests.release.migrating import Database
from tests.release.operation_cases import TABLES
from tests.waiting import WITHIN, wait_until

# A revision starts over after a kill, so it does not take away what an operation before needs.
REVISIONS = (
    (
        'add_column_online("things", sa.Column("done", sa.Boolean(), server_default=sa.false(), nullable=False))',
        'set_default_online("things", "size", "3")',
        'backfill("things", set_sql="size = 1", where="size IS NULL")',
        'backfill_later("numbers", "things", set_sql=\'"Odd name" = 1\', where=\'"Odd name" IS NULL\')',
        'backfill_later("nothing", "leftovers", set_sql="id = id", where="id IS NULL")',
        'require_backfilled("nothing")',
        'set_not_null_online("things", "owner_id")',
        'add_check_online("things", "ck_things_named", "name LIKE \'thing%\'")',
        'add_foreign_key_online("fk_things_owners", "things", "owners", ["owner_id"], ["id"])',
        'add_unique_online("things", "uq_things_name", ["name"])',
        'create_index_online("ix_things_owner_id", "things", ["owner_id"])',
        'drop_index_online("ix_things_size")',
        'drop_not_null_online("things", "name")',
        'widen_text_online("things", "name", "VARCHAR(80)")',
        'add_check_online("things", "ck_things_small", "size < 20", replace=True)',
        'drop_constraint_online("things", "ck_things_small")',
        'add_enum_value_online("mood", "fine")',
        'retire_column_online("things", "Odd name")',
        'reinstate_column_online("things", "Odd name")',
        'retire_table_online("owners")',
        'reinstate_table_online("owners")',
    ),
    (
        'create_index_online("ix_things_owner_id", "things", ["owner_id", "name"], replace=True)',
        'add_check_online("things", "ck_things_named", "name LIKE \'thin%\'", replace=True)',
        'add_unique_online("things", "uq_things_name", ["name"], deferrable=True, replace=True)',
        'add_foreign_key_online("fk_things_owners", "things", "owners", ["owner_id"], ["id"],'
        ' match="FULL", replace=True)',
        'add_primary_key_online("leftovers", "leftovers_pkey", ["id"])',
    ),
    (
        'change_type_online("things", "id", "INTEGER")',
        'change_type_online("things", "Odd name", "BIGINT")',
        'add_computed_column_online("things", sa.Column("words", sa.Integer(), nullable=False), "length(name)")',
        'add_synced_column_online("things", "name", sa.Column("title", sa.Text()), "upper(name)", "lower(title)")',
    ),
    (
        'drop_shadow_contract("things", "id")',
        'drop_shadow_contract("things", "Odd name")',
        'drop_dual_write_contract("things", "words")',
        'stop_dual_write_contract("things", "title")',
    ),
    ('cancel_backfill("numbers")', 'drop_column_contract("things", "size")', 'rename_with_view("things", "objects")'),
    ('rename_back_from_view("things", "objects")',),
    ('rename_with_view("things", "objects")',),
    ('drop_compat_view("things")', 'drop_table_contract("leftovers")'),
)

# A release that uses nothing: the run after a kill is judged, and may take what these revisions take.
LIVE = "INSERT INTO schema_releases (mapping_hash, code_head, mapping, rules) VALUES ('none', '0001', '{}', '{}');"

Flask = Callable[..., dict[str, Any]]

STATEMENTS = 12  # at which a run is killed, from the first to the last
COMMITS = 4

# Backfills take more batches on a machine that is busy, so another run may be shorter by these.
BATCHES = 16


class Undisturbed(NamedTuple):
    """The statements and commits that it takes, and what it leaves."""

    statements: int
    commits: int
    schema: str
    rows: str


@pytest.fixture(scope="module")
def flask(server_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Yield flask(environment, "db", "upgrade"), run in forks of a process that has imported the application."""
    checkout = Checkout(tmp_path_factory.mktemp("killed") / "checkout", server_environment)
    checkout.forget_history()
    checkout.write_revision(1, f'op.execute("""{TABLES} CREATE TABLE leftovers (id int PRIMARY KEY); {LIVE}""")')
    for number, lines in enumerate(REVISIONS, start=2):
        checkout.write_revision(number, *lines, phase="contract")
    forks = Forks(checkout.folder, "app")

    def flask(environment: Environment, *arguments: str, **dying: Any) -> dict[str, Any]:
        return forks.flask(checkout.folder, {**checkout.environment, **environment}, *arguments, **dying)

    yield flask
    forks.close()


@pytest.fixture(scope="module")
def undisturbed(server_environment: Environment, flask: Flask) -> Undisturbed:
    with empty_database(server_environment) as environment:
        done = flask(environment, "db", "upgrade")
        assert done["status"] == 0, done["stderr"]
        return Undisturbed(done["statements"], done["commits"], schema_dump(environment), rows_dump(environment))


def test_every_operation_is_in_it() -> None:
    assert {line.split("(")[0] for lines in REVISIONS for line in lines} == {*operations.__all__} - {"excused"}


@pytest.mark.servers
@pytest.mark.minutes
@pytest.mark.parametrize("point", range(STATEMENTS + COMMITS))
def test_what_was_killed_is_finished_by_the_next_run(
    environment: Environment, flask: Flask, undisturbed: Undisturbed, point: int
) -> None:
    """Kill it before or after a statement, or right before a commit."""
    if point < STATEMENTS:
        last, share = undisturbed.statements - BATCHES, point / (STATEMENTS - 1)
        when = ("before", "after")[point // 2 % 2]
    else:
        last, share = undisturbed.commits - BATCHES, (point - STATEMENTS) / (COMMITS - 1)
        when = "commit"
    deadly = (signal.SIGKILL, signal.SIGTERM)[point % 2]
    killed = flask(environment, "db", "upgrade", die_at=1 + int(share * (last - 1)), when=when, signal=deadly)
    assert killed["status"] == -deadly, killed["stderr"]

    again = flask(environment, "db", "upgrade")
    assert again["status"] == 0, again["stderr"]
    assert schema_dump(environment) == undisturbed.schema
    assert rows_dump(environment) == undisturbed.rows


HAS_NAMESPACES = namespaces.are_allowed()
MIGRATOR = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'semicircle-migrations'"
BUILDING = f"SELECT count(*) {MIGRATOR} AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'"


SLEEPING = f"SELECT count(*) {MIGRATOR} AND query LIKE '%pg_sleep%'"


@pytest.fixture
def checkout(environment: Environment, tmp_path: Path) -> OwnHistory:
    checkout = OwnHistory(tmp_path, environment)
    checkout.forget_history()
    checkout.write_revision(1, 'op.execute("CREATE TABLE things (id int, name text)")')
    return checkout


@pytest.mark.servers
def test_the_backend_of_a_killed_release_goes_too_and_the_next_one_waits_for_it(
    database: Database, checkout: OwnHistory
) -> None:
    checkout.write_revision(2, 'create_index_online("ix_things_name", "things", ["name"])')
    assert checkout.flask("db", "upgrade", "0001").returncode == 0
    with (
        database.holding("LOCK TABLE things IN ROW EXCLUSIVE MODE"),
        checkout.running("db", "upgrade") as release,
    ):
        wait_until(lambda: database.scalar(BUILDING), "the index is being built")
        release.process.kill()
        release.process.wait()
        wait_until(lambda: not database.scalar(BUILDING), "the backend of the killed release is gone")
        waiting = checkout.flask("db", "upgrade", "-x", "deadline=1")
        assert waiting.returncode == 1
        assert "deadline of 1 s passed" in waiting.stderr
    assert checkout.flask("db", "upgrade").returncode == 0
    assert database.scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_things_name')")


@pytest.mark.servers
def test_a_plain_revision_that_was_killed_leaves_the_one_before(database: Database, checkout: OwnHistory) -> None:
    checkout.write_revision(2, 'op.execute("CREATE TABLE second (id int)")', 'op.execute("SELECT pg_sleep(60)")')
    with checkout.running("db", "upgrade") as release:
        wait_until(lambda: database.scalar(SLEEPING), "the step is running")
        release.process.terminate()
        release.process.wait()
    assert_stopped_after_the_first(database)


@pytest.mark.servers
@pytest.mark.skipif(not HAS_NAMESPACES, reason="only root may make a PID namespace")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_pid_1_of_a_container_it_is_ended_too_while_a_statement_runs(
    database: Database, checkout: OwnHistory, number: signal.Signals
) -> None:
    """The kernel would drop the signal, and a handler of Python would wait for the driver."""
    checkout.write_revision(2, 'op.execute("CREATE TABLE second (id int)")', 'op.execute("SELECT pg_sleep(60)")')
    with checkout.running("db", "upgrade", launcher=AS_PID_1) as release:
        wait_until(lambda: database.scalar(SLEEPING), "the step is running")
        first_process(release.process).send_signal(number)
        assert release.process.wait(WITHIN) == 128 + number
        wait_until(lambda: not database.scalar(SLEEPING), "its transaction is rolled back")
    assert_stopped_after_the_first(database)


def assert_stopped_after_the_first(database: Database) -> None:
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"
    assert database.scalar("SELECT array_agg(revision::text) FROM schema_ledger") == ["0001"]
    assert database.scalar("SELECT to_regclass('second')") is None
