"""A long backfill fills every row once, whatever it finds in the table; what cannot work is refused, or is named."""

from collections.abc import Iterator

import pytest
from flask import current_app
from sqlalchemy.exc import ProgrammingError

from app.jobs.tasks import resume_lost_backfills
from app.release.backfills.batches import run_batch
from app.release.backfills.table import AT_ONCE, DONE, FAILED, RUNNING
from app.release.errors import ReleaseError, UnsafeOperation
from app.release.operations import backfill_later, require_backfilled
from app.release.operations.schemas import in_schema
from tests.databases import Environment
from tests.release.backfilling import (
    BATCH,
    FILLED,
    UNFILLED,
    begin,
    database_in_use,
    jobs,
    sizes,
    work_once,
    work_until,
    work_until_idle,
)
from tests.release.migrating import Database

RECORDED = "SELECT count(*) > 0 FROM schema_backfills"


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    with database_in_use(server_environment) as environment:
        yield environment


def test_the_migration_fills_no_row_and_leaves_one_job(things: Database) -> None:
    begin(things)
    assert jobs() == [("sizes", 1)]
    assert things.scalar(UNFILLED) == 3000
    assert (sizes(things).state, sizes(things).estimated_rows) == (RUNNING, 3000)


def test_a_migration_that_fails_leaves_neither_the_record_nor_the_job(things: Database) -> None:
    def upgrade() -> None:
        backfill_later("sizes", "things", "size = 1", "size IS NULL")
        raise RuntimeError("a later line")

    with pytest.raises(RuntimeError):
        things.migrate(upgrade)
    assert jobs() == []
    assert not things.scalar(RECORDED)


def test_where_little_is_to_be_filled_a_batch_does_not_grow(things: Database) -> None:
    """Its rows would be locked for long where there is more to fill."""
    things.execute("UPDATE things SET size = 1 WHERE id <= 2500")
    begin(things)

    def sees_what_is_to_be_filled() -> bool:
        assert sizes(things).batch_size <= BATCH
        return sizes(things).pass_scanned >= 2500

    work_until(sees_what_is_to_be_filled)
    work_until_idle()
    assert things.scalar(FILLED) == 3000


def test_it_is_done_after_a_pass_that_finds_nothing(things: Database) -> None:
    begin(things)
    work_until_idle()
    done = sizes(things)
    assert (done.state, done.pass_number, done.rows_done) == (DONE, 2, 3000)
    assert done.finished_at is not None
    assert things.scalar(FILLED) == 3000


def test_an_empty_table_is_done_at_once_and_asks_for_no_job(things: Database) -> None:
    things.execute("TRUNCATE things")
    begin(things)
    assert sizes(things).state == DONE
    assert jobs() == []


def test_a_small_table_is_filled_by_the_migration(things: Database) -> None:
    things.execute(f"DELETE FROM things WHERE id > {AT_ONCE}")
    begin(things)
    assert (sizes(things).state, sizes(things).rows_done, things.scalar(UNFILLED)) == (DONE, AT_ONCE, 0)
    assert jobs() == []


def test_a_small_table_of_which_a_row_is_held_is_the_workers(things: Database) -> None:
    things.execute("DELETE FROM things WHERE id > 10")
    with things.holding("UPDATE things SET owner_id = 5 WHERE id = 7"):
        begin(things)
    assert (sizes(things).state, jobs()) == (RUNNING, [("sizes", 1)])
    work_until_idle()
    assert (things.scalar(UNFILLED), sizes(things).state) == (0, DONE)


def test_a_small_table_that_cannot_be_filled_fails_the_migration(things: Database) -> None:
    things.execute("DELETE FROM things WHERE id > 10")
    with pytest.raises(UnsafeOperation, match="without an end"):
        begin(things, "size = CASE WHEN id <> 7 THEN 1 END")
    assert (things.scalar(UNFILLED), things.scalar(RECORDED)) == (10, False)


def test_begun_again_it_keeps_its_progress_and_has_no_second_job(things: Database) -> None:
    begin(things)
    work_once()
    before = sizes(things)
    begin(things)
    assert sizes(things)._replace(idle_for=0) == before._replace(idle_for=0)
    assert jobs() == [("sizes", 2)]


def test_begun_again_when_it_is_done_it_makes_another_pass(things: Database) -> None:
    """As after a downgrade that dropped the column and forgot to cancel."""
    begin(things)
    work_until_idle()
    things.execute("UPDATE things SET size = NULL")
    begin(things)
    assert sizes(things).state == RUNNING
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).state) == (3000, DONE)


def test_a_name_that_is_no_word_of_a_command_is_refused(things: Database) -> None:
    for name in ("two words", "it's", ""):
        with pytest.raises(ReleaseError, match="would not fit into a command"):
            things.migrate(lambda name=name: backfill_later(name, "things", "size = 1", "size IS NULL"))  # type: ignore[misc]
    assert not things.scalar(RECORDED)


def test_a_name_that_was_used_for_something_else_is_refused(things: Database) -> None:
    begin(things)
    with pytest.raises(ReleaseError, match="name of its own"):
        begin(things, set_sql="size = 2")
    assert sizes(things).set_sql == "size = 1"
    assert jobs() == [("sizes", 1)]


CANNOT_WORK: list[tuple[str, str, str, type[Exception]]] = [
    ("sise = 1", "size IS NULL", "id", ProgrammingError),
    ("size = 1", "sise IS NULL", "id", ProgrammingError),
    ("size = 'one'", "size IS NULL; DELETE FROM things", "id", ProgrammingError),
    ("size = 1", "size IS NULL", "owner_id", UnsafeOperation),
]


def test_what_cannot_work_is_refused_by_the_migration(things: Database) -> None:
    for set_sql, where, pk, error in CANNOT_WORK:
        with pytest.raises(error):
            begin(things, set_sql, where, pk)
        assert not things.scalar(RECORDED)
        assert (jobs(), things.scalar(UNFILLED)) == ([], 3000)


def test_without_a_queue_it_is_refused_with_the_way_out(things: Database) -> None:
    extensions = current_app.extensions
    extensions["release"] = extensions["release"]._replace(defer_backfill=None)
    with pytest.raises(ReleaseError, match=r"needs a job queue.* or use backfill\(\)"):
        begin(things)
    assert not things.scalar(RECORDED)


def test_before_the_queue_exists_it_waits_for_it(things: Database) -> None:
    things.execute("ALTER TABLE procrastinate_jobs RENAME TO not_yet")
    begin(things)
    things.execute("ALTER TABLE not_yet RENAME TO procrastinate_jobs")
    assert jobs() == []
    resume_lost_backfills(0)
    work_until_idle()
    assert things.scalar(FILLED) == 3000


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text", "'key ' || id"),
        ("timestamptz", "'epoch'::timestamptz + id * interval '1.000001 seconds'"),
        ("bytea", "sha256(id::text::bytea)"),
    ],
)
def test_a_key_of_any_type_gets_there_and_back(things: Database, type_: str, value: str) -> None:
    things.execute(f'ALTER TABLE things ADD "the key" {type_}')
    things.execute(f'UPDATE things SET "the key" = {value}')
    things.execute('ALTER TABLE things ALTER "the key" SET NOT NULL; CREATE UNIQUE INDEX ON things ("the key")')
    begin(things, pk="the key")
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).rows_done) == (3000, 3000)


def test_a_row_that_is_held_comes_in_a_later_pass(things: Database) -> None:
    begin(things)
    with things.holding("UPDATE things SET owner_id = 5 WHERE id = 7"):
        work_until(lambda: sizes(things).pass_number > 2)
        assert things.scalar("SELECT array_agg(id) FROM things WHERE size IS NULL") == [7]
        assert sizes(things).state == RUNNING
    work_until_idle()
    assert (things.scalar(FILLED), sizes(things).state) == (3000, DONE)


def test_a_row_that_is_written_behind_the_key_comes_in_the_next_pass(things: Database) -> None:
    begin(things)
    work_once()
    things.execute("UPDATE things SET size = NULL WHERE id = 7")
    work_until_idle()
    assert (things.scalar(UNFILLED), sizes(things).rows_done) == (0, 3001)


BREAKS_A_CHECK = "size = CASE WHEN id = 1234 THEN 99 ELSE 1 END"
RAISES = "size = 1 / (id - 1234)"
STILL_NULL = "size = CASE WHEN id <> 1234 THEN 1 END"


@pytest.mark.parametrize(
    ("set_sql", "reason"),
    [(BREAKS_A_CHECK, "ck_things_small"), (RAISES, "division by zero"), (STILL_NULL, "still meets the condition")],
    ids=["check", "raises", "still_null"],
)
def test_a_row_that_cannot_be_filled_is_named_and_holds_nobody_before_it(
    things: Database, set_sql: str, reason: str
) -> None:
    begin(things, set_sql)
    work_until_idle()
    failed = sizes(things)
    assert failed.state == FAILED
    assert failed.error is not None
    assert failed.error.startswith("things, the row with id 1234: ")
    assert reason in failed.error
    assert things.scalar("SELECT max(id) FROM things WHERE size IS NOT NULL") == 1233
    assert things.scalar(f"{UNFILLED} AND id < 1234") == 0


def test_sql_that_no_longer_fits_the_table_fails_at_once(things: Database) -> None:
    begin(things, "size = owner_id % 10")
    things.execute("ALTER TABLE things DROP COLUMN owner_id")
    assert work_until_idle() == 1
    assert sizes(things).error == 'things: column "owner_id" does not exist'


def test_the_log_tells_of_the_failure_without_the_row(things: Database, caplog: pytest.LogCaptureFixture) -> None:
    begin(things, "size = CAST(name AS integer)")
    work_until_idle()
    assert "thing 1" in str(sizes(things).error)
    assert "backfill sizes failed at things, the row with id 1: sqlstate=22P02" in caplog.text
    assert 'thing 1"' not in caplog.text


def test_an_error_that_passes_by_itself_is_the_queues_to_retry(things: Database) -> None:
    begin(things)
    with things.engine.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        with pytest.raises(Exception, match="read-only"):
            run_batch(connection, "sizes", 1)
    assert (sizes(things).state, sizes(things).turn) == (RUNNING, 1)


def test_in_another_schema_its_names_mean_what_they_meant_in_the_migration(things: Database) -> None:
    things.execute("CREATE SCHEMA audit; CREATE TABLE audit.things (id bigint PRIMARY KEY, size int)")
    things.execute("INSERT INTO audit.things SELECT n FROM generate_series(1, 2000) n")

    def upgrade() -> None:
        with in_schema("audit"):
            backfill_later("sizes", "things", "size = 1", "size IS NULL")

    things.migrate(upgrade)
    work_until_idle()
    assert sizes(things).state == DONE
    assert (things.scalar("SELECT count(*) FROM audit.things WHERE size = 1"), things.scalar(FILLED)) == (2000, 0)
    things.migrate(lambda: require_backfilled("sizes"))
    things.execute("UPDATE audit.things SET size = NULL WHERE id = 7")
    with pytest.raises(UnsafeOperation, match="has rows again"):
        things.migrate(lambda: require_backfilled("sizes"))
