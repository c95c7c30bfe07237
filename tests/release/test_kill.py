"""Kill the process of a release; test_interruptions.py ends a run before any statement of any operation."""

import signal
from pathlib import Path

import pytest

from tests import namespaces
from tests.databases import Environment
from tests.namespaces import AS_PID_1, first_process
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database
from tests.waiting import WITHIN, wait_until

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
