"""A release that is killed, wherever it is: the next one does the rest, and what comes out is the same."""

import re
import signal
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from app.release import operations
from tests.release import every_operation
from tests.release.checkout import Checkout
from tests.release.forks import Forks, forks_of
from tests.release.operation_cases import TABLES
from tests.release.sessions import Sessions
from tests.release.waiting import wait_until

POINTS = 28
MIGRATORS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'semicircle-migrations'"


class Stage(NamedTuple):
    """A history that uses every operation, and the tables it meets."""

    forks: Forks
    sessions: Sessions
    dump: Callable[[], str]

    def begin_anew(self) -> None:
        schema = self.sessions.scalar("SELECT current_schema()")
        self.sessions.execute(f"DROP SCHEMA {schema} CASCADE")
        self.sessions.execute(f"CREATE SCHEMA {schema}")
        self.sessions.execute(TABLES)

    def outcome(self) -> tuple[str, dict[str, list[Any]]]:
        """The schema and every row."""
        return self.dump(), self.sessions.contents()


@pytest.fixture
def stage(blank: Checkout, sessions: Sessions, schema_dump: Callable[[], str]) -> Iterator[Stage]:
    every_operation.write_history(blank)
    with forks_of(blank) as forks:
        yield Stage(forks, sessions, schema_dump)


def test_the_history_uses_every_operation() -> None:
    source = "\n".join(every_operation.UPGRADES)
    assert set(re.findall(r"(\w+)\(", source)) >= set(operations.__all__)


def test_killed_at_any_statement_the_next_run_is_green_and_the_outcome_the_same(
    stage: Stage, blank: Checkout, record_property: Callable[[str, object], None]
) -> None:
    stage.begin_anew()
    log = blank.folder / "statements"
    assert stage.forks.flask("db", "upgrade", log=str(log)) == 0, stage.forks.said
    undisturbed = stage.outcome()
    statements = log.read_text().splitlines()

    for point in range(POINTS):
        at = 1 + point * len(statements) // POINTS
        when = ("before", "after")[point // 2 % 2]
        deadly = (signal.SIGKILL, signal.SIGTERM)[point % 2]
        where = f"{deadly.name} {when} statement {at} of {len(statements)}: {statements[at - 1]}"
        stage.begin_anew()
        assert stage.forks.flask("db", "upgrade", at=at, when=when, signal=deadly) == -deadly, where
        assert stage.forks.flask("db", "upgrade") == 0, f"{where}\n{stage.forks.said}"
        assert stage.outcome() == undisturbed, where
    record_property("statements", len(statements))


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_a_plain_revision_the_database_is_at_the_whole_one_before(
    blank: Checkout, sessions: Sessions, deadly: signal.Signals, when: str
) -> None:
    blank.write_revision("0001", "op.execute('CREATE TABLE numbers AS SELECT 1 AS n')")
    blank.write_revision("0002", "op.execute('UPDATE numbers SET n = n * 2'); op.execute('CREATE TABLE more (n int)')")
    killed = blank.flask_wrapped({"at": "CREATE TABLE more", "when": when, "signal": deadly}, "db", "upgrade")
    assert killed.returncode == -deadly
    wait_until(lambda: sessions.scalar(MIGRATORS) == 0, "its sessions have ended", 5)
    assert sessions.contents() == {
        "alembic_version": ['{"version_num": "0001"}'],
        "numbers": ['{"n": 1}'],
        "schema_ledger": ['{"phase": "expand", "revision": "0001", "down_revisions": []}'],
    }
    assert blank.flask("db", "upgrade").returncode == 0
    assert (sessions.scalar("SELECT n FROM numbers"), sessions.revision()) == (2, ["0002"])


def test_a_killed_index_build_ends_on_the_server_too_and_the_next_release_only_waits(
    blank: Checkout, sessions: Sessions
) -> None:
    """Without a check of the client the server would go on for as long as the transaction in its way."""
    sessions.execute(TABLES)
    blank.write_revision("0001", "create_index_online('ix_things_name', 'things', ['name'])")
    building = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'"
    waiting = f"{building} AND wait_event_type = 'Lock'"
    with sessions.holding("UPDATE things SET size = 1 WHERE id = 1") as report:
        first = blank.start("db", "upgrade")
        wait_until(lambda: sessions.column(waiting), "the build waits for the transaction")
        [backend] = sessions.column(building)
        second = blank.start("db", "upgrade")
        second.wait_to_say("waiting for another release: pid=")
        assert f"pid={backend}" in second.said
        assert sessions.column(building) == [backend]
        first.process.kill()
        wait_until(
            lambda: backend not in sessions.column("SELECT pid FROM pg_stat_activity"), "its backend has ended", 2
        )
        report.rollback()
    assert second.wait() == 0, second.said
    valid = (
        "SELECT array_agg(indisvalid) FROM pg_index WHERE indrelid = CAST('things' AS regclass) AND NOT indisprimary"
    )
    assert sessions.scalar(valid) == [True, True]
    assert sessions.revision() == ["0001"]
