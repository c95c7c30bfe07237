"""Lines of the runner that nobody may take out: without one a release is red, or another line makes up for it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests.databases import Environment, at_revision, copied_database
from tests.release.checkout import Checkout, OwnHistory
from tests.release.migrating import Database
from tests.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.minutes]

HAS_TODOS = "SELECT to_regclass('todos') IS NOT NULL"
HAS_COMPLETED = "SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = to_regclass('todos') AND attname = 'completed'"


class Mutation:
    """One place of the code, changed."""

    def __init__(self, path: str, old: str, new: str = "") -> None:
        self.path, self.old, self.new = path, old, new

    def apply(self, checkout: Checkout) -> None:
        file = checkout.folder / self.path
        source = file.read_text()
        assert source.count(self.old) == 1, f"{self.path} holds this {source.count(self.old)} times: {self.old}"
        file.write_text(source.replace(self.old, self.new))


POLL_COMMITS = Mutation(
    "app/release/advisory_lock.py",
    "    taken = bool(connection.scalar(_TRY, _key()))\n    connection.commit()\n",
    "    taken = bool(connection.scalar(_TRY, _key()))\n",
)
LOOKS_FOR_A_TRANSACTION = Mutation("app/release/advisory_lock.py", "connection.in_transaction()", "False")
ATTEMPT_COMMITS = Mutation(
    "app/release/runner.py",
    'statement_timeout = {deadline.milliseconds()}"))\n        connection.commit()\n',
    'statement_timeout = {deadline.milliseconds()}"))\n',
)
LOOKS_FROM_OUTSIDE = Mutation(
    "app/release/runner.py",
    "        verification.verify_committed(connection, expected)\n",
    "        assert schema_state.database_revisions(connection) == expected\n",
)
KEEPS_A_LEDGER = Mutation("app/release/runner.py", "[ledger.record_version, ", "[")
WAITS_BRIEFLY = Mutation("app/release/connection.py", 'LOCK_TIMEOUT = "300ms"', 'LOCK_TIMEOUT = "0"')


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    with copied_database(server_environment, at_revision(server_environment, "0004")) as environment:
        yield environment


@pytest.fixture
def checkout(tmp_path: Path, environment: Environment) -> Checkout:
    return Checkout(tmp_path / "checkout", environment)


def at(checkout: Checkout, revision: str) -> None:
    done = checkout.flask("db", "upgrade", revision)
    assert done.returncode == 0, done.stderr


def test_a_lock_that_leaves_a_transaction_open_is_refused_and_nothing_applied(
    checkout: Checkout, database: Database
) -> None:
    POLL_COMMITS.apply(checkout)
    refused = checkout.flask("db", "upgrade")
    assert refused.returncode == 1
    assert "left a transaction open" in refused.stderr
    assert database.scalar("SELECT version_num FROM alembic_version") == "0004"
    assert not database.scalar(HAS_TODOS)


def test_without_the_refusal_what_the_lock_left_open_is_ended_before_anything_runs(
    checkout: Checkout, database: Database
) -> None:
    POLL_COMMITS.apply(checkout)
    LOOKS_FOR_A_TRANSACTION.apply(checkout)
    done = checkout.flask("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert database.scalar(HAS_COMPLETED)


def test_steps_in_a_transaction_that_nobody_commits_are_found_from_outside(
    checkout: Checkout, database: Database
) -> None:
    """Alembic takes an open transaction for its caller's: it runs the step and leaves the commit to nobody."""
    ATTEMPT_COMMITS.apply(checkout)
    red = checkout.flask("db", "upgrade", "0005")
    assert red.returncode == 1
    assert "ended at ['0005'] but the database is at ['0004']" in red.stderr
    assert "nothing of it was kept" in red.stderr
    assert not database.scalar(HAS_TODOS)


def test_looked_at_from_inside_the_same_release_would_be_green_with_nothing_applied(
    checkout: Checkout, database: Database
) -> None:
    ATTEMPT_COMMITS.apply(checkout)
    LOOKS_FROM_OUTSIDE.apply(checkout)
    assert checkout.flask("db", "upgrade", "0005").returncode == 0
    assert not database.scalar(HAS_TODOS)


@pytest.mark.parametrize(("mutations", "exit_code"), [((), 0), ((KEEPS_A_LEDGER,), 2)], ids=["ledger", "no ledger"])
def test_without_the_ledger_the_release_before_refuses_a_database_that_is_ahead(
    tmp_path: Path, environment: Environment, mutations: tuple[Mutation, ...], exit_code: int
) -> None:
    older, newer = OwnHistory(tmp_path / "older", environment), Checkout(tmp_path / "newer", environment)
    newer.write_revision(len(list(newer.versions.glob("*.py"))) + 1, 'op.execute("CREATE TABLE newer (id int)")')
    for mutation in mutations:
        mutation.apply(newer)
    at(newer, "head")
    assert older.flask("db", "upgrade").returncode == exit_code


@pytest.mark.parametrize("mutations", [(), (WAITS_BRIEFLY,)], ids=["lock timeout", "no lock timeout"])
def test_without_the_lock_timeout_a_writer_waits_behind_the_migration_for_as_long_as_a_reader_reads(
    checkout: Checkout, database: Database, mutations: tuple[Mutation, ...]
) -> None:
    at(checkout, "0005")
    database.execute("INSERT INTO users (email, nickname, nickname_key, password_hash) VALUES ('a', 'a', 'a', 'a')")
    for mutation in mutations:
        mutation.apply(checkout)
    with ExitStack() as stack:
        with database.holding("SELECT FROM todos"):
            release = stack.enter_context(checkout.running("db", "upgrade", "0006"))
            wait_until(lambda: migrator_waits(database), "the migration waits for the reader")
            with writing(database, "INSERT INTO todos (user_id, description) SELECT id, 'todo' FROM users") as writer:
                if mutations:
                    wait_until(lambda: is_blocked_by_the_migrator(database, writer.pid), "it blocks the writer")
                writer.thread.join()
            assert writer.gave_up == bool(mutations)
        code, output = release.ended()
    assert code == 0, output
    assert database.scalar(HAS_COMPLETED)
    assert database.scalar("SELECT count(*) FROM todos") == (0 if mutations else 1)


class Writer:
    """A request that gives up before the bound on how long it may wait for a release (blockers.py) helps it."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self.connection = connection
        self.statement = statement
        connection.execute(text("SET statement_timeout = '800ms'"))
        self.pid: int = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.commit()
        self.gave_up = False
        self.thread = Thread(target=self._write)

    def _write(self) -> None:
        try:
            self.connection.execute(text(self.statement))
            self.connection.commit()
        except OperationalError as error:
            self.connection.rollback()
            self.gave_up = "statement timeout" in str(error)


@contextmanager
def writing(database: Database, statement: str) -> Iterator[Writer]:
    with database.engine.connect() as connection:
        writer = Writer(connection, statement)
        writer.thread.start()
        yield writer
        writer.thread.join()


MIGRATOR = "application_name = 'semicircle-migrations' AND datname = current_database()"


def migrator_waits(database: Database) -> bool:
    return bool(
        database.scalar(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            f" WHERE {MIGRATOR} AND NOT granted AND relation = to_regclass('todos')"
        )
    )


def is_blocked_by_the_migrator(database: Database, pid: int) -> bool:
    return bool(
        database.scalar(
            f"SELECT count(*) FROM pg_stat_activity WHERE {MIGRATOR} AND pid = ANY (pg_blocking_pids(:pid))", pid=pid
        )
    )
