"""Note which release is live, and what it uses, when it begins to serve: the newest start counts."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy import MetaData

from app.release import live
from app.release.live import record_live
from app.release.mapping import mapped_tables
from tests.release.migrating import Database

RACERS = 20


def models(*columns: str) -> MetaData:
    metadata = MetaData()
    sa.Table("things", metadata, *(sa.Column(column, sa.Integer) for column in columns))
    return metadata


OLD, NEW = models("a", "b"), models("a")


@pytest.fixture
def prepared(database: Database) -> Database:
    with database.engine.connect() as connection:
        live.prepare(connection)
    return database


def go_live(database: Database, metadata: MetaData, code_head: str, age: float = 0) -> None:
    with database.engine.connect() as connection:
        record_live(connection, metadata, code_head, age)


def live_head(database: Database) -> str | None:
    with database.engine.connect() as connection:
        release = live.live_release(connection)
    return release and release.code_head


def test_before_any_release_went_live_none_is_known(prepared: Database) -> None:
    with prepared.engine.connect() as connection:
        assert live.live_release(connection) is None
        assert live.release_before(connection) is None
        assert live.own_release(connection, OLD, "0001") is None


def test_it_keeps_the_mapping_and_what_rows_were_held_to(prepared: Database) -> None:
    prepared.execute("CREATE TABLE things (a int CHECK (a > 0), b int UNIQUE)")
    go_live(prepared, OLD, "0001")
    with prepared.engine.connect() as connection:
        release = live.live_release(connection)
    assert release is not None
    assert release.mapping == mapped_tables(OLD)
    assert sorted(release.rules["things"]) == ["CHECK ((a > 0))", "UNIQUE (b)"]


def test_the_newest_start_is_live_so_a_rollback_makes_the_older_release_live_again(prepared: Database) -> None:
    go_live(prepared, OLD, "0001")
    go_live(prepared, NEW, "0002")
    assert live_head(prepared) == "0002"
    go_live(prepared, OLD, "0001")
    assert live_head(prepared) == "0001"
    with prepared.engine.connect() as connection:
        before = live.release_before(connection)
    assert before is not None
    assert before.code_head == "0002"


def test_a_process_whose_first_request_comes_late_is_not_the_newest(prepared: Database) -> None:
    """It began before the release that is live, and does not take the newest start away from its own."""
    go_live(prepared, OLD, "0001", age=60)
    go_live(prepared, NEW, "0002", age=30)
    go_live(prepared, OLD, "0001", age=59)
    assert live_head(prepared) == "0002"
    go_live(prepared, NEW, "0002", age=90)
    assert live_head(prepared) == "0002"


def test_two_releases_with_one_mapping_are_told_apart_by_their_revisions(prepared: Database) -> None:
    go_live(prepared, OLD, "0001")
    go_live(prepared, OLD, "0002")
    with prepared.engine.connect() as connection:
        for head in ("0001", "0002"):
            release = live.release_at(connection, head)
            assert release is not None
            assert release.code_head == head
        assert live.own_release(connection, NEW, "0002") is None


def test_a_release_that_comes_back_is_not_held_to_rules_that_came_meanwhile(prepared: Database) -> None:
    prepared.execute("CREATE TABLE things (a int, b int)")
    go_live(prepared, OLD, "0001")
    prepared.execute("ALTER TABLE things ADD CHECK (a > 0)")
    go_live(prepared, OLD, "0001")
    with prepared.engine.connect() as connection:
        release = live.live_release(connection)
    assert release is not None
    assert release.rules == {"things": []}


def test_twenty_processes_that_start_at_once_leave_one_row_and_the_next_upgrade_keeps_it(prepared: Database) -> None:
    with ThreadPoolExecutor(RACERS) as threads:
        list(threads.map(lambda _: go_live(prepared, OLD, "0001"), range(RACERS)))
    with prepared.engine.connect() as connection:
        live.prepare(connection)
    assert prepared.scalar("SELECT count(*) FROM schema_releases") == 1


def test_without_the_table_a_process_goes_on_and_says_so(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    go_live(database, OLD, "0001")
    assert live_head(database) is None
    [record] = caplog.records
    assert 'relation "schema_releases" does not exist' in record.getMessage()


def test_on_a_read_only_database_a_process_goes_on_and_says_so(
    prepared: Database, caplog: pytest.LogCaptureFixture
) -> None:
    go_live(prepared, OLD, "0001")
    with caplog.at_level(logging.WARNING), prepared.engine.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = on")
        connection.commit()
        record_live(connection, NEW, "0002")
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.commit()
    assert live_head(prepared) == "0001"
    [record] = caplog.records
    assert "read-only transaction" in record.getMessage()
