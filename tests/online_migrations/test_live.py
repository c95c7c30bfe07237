"""Note which release is live, and what it uses; and forecast whether an earlier one can run on the schema of now."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, MetaData

from online_migrations.plan import roll_back
from online_migrations.state import AHEAD, AHEAD_CONTRACT, AT_HEAD, UNKNOWN, live, read_schema_state, tables
from online_migrations.state.forecasts import forecast
from online_migrations.state.live import LiveRelease, mapped_tables
from tests.databases import HEAD
from tests.online_migrations.migrating import Database
from tests.online_migrations.model_project import ModelProject
from tests.online_migrations.release_before import ReleaseBefore
from tests.online_migrations.revision_corpus.cases import Operation, one_in, read_operations

RACERS = 20


def models(*columns: str) -> MetaData:
    metadata = MetaData()
    sa.Table("things", metadata, *(sa.Column(column, sa.Integer) for column in columns))
    return metadata


OLD, NEW = models("a", "b"), models("a")


@pytest.fixture
def prepared(database: Database) -> Database:
    with database.engine.connect() as connection:
        tables.prepare(connection)
    return database


def known(database: Database, which: Callable[[Connection], LiveRelease | None] = live.live_release) -> LiveRelease:
    with database.engine.connect() as connection:
        release = which(connection)
    assert release is not None
    return release


def test_it_keeps_the_mapping_and_what_rows_were_held_to_and_not_what_came_since(prepared: Database) -> None:
    prepared.execute("CREATE TABLE things (a int CHECK (a > 0), b int UNIQUE)")
    for later in ("ALTER TABLE things ADD CHECK (b > 0)", "SELECT 1"):
        prepared.goes_live(OLD, "0001")
        assert known(prepared).mapping == mapped_tables(OLD)
        assert sorted(known(prepared).rules["things"]) == ["CHECK ((a > 0))", "UNIQUE (b)"]
        prepared.execute(later)


def test_of_a_release_that_noted_no_unique_all_that_was_there_may_be_named(prepared: Database) -> None:
    """An older version of this tool noted none, or had no column for it."""
    prepared.execute("CREATE TABLE things (a int UNIQUE CHECK (a > 0), b int)")
    for older in ("UPDATE {} SET unique_columns = NULL", "ALTER TABLE {} DROP unique_columns"):
        prepared.goes_live(OLD, "0001")
        prepared.execute(older.format("schema_releases"))
        with prepared.engine.connect() as connection:
            in_use = live.in_use(connection) or {}
            assert in_use["things"].declares("things_a_key", ["a"])
            tables.prepare(connection)
        prepared.execute("SELECT unique_columns FROM schema_releases")


@pytest.mark.smoke
def test_the_newest_start_is_live_so_a_rollback_makes_the_older_release_live_again(prepared: Database) -> None:
    prepared.goes_live(OLD, "0001")
    prepared.goes_live(NEW, "0002")
    assert known(prepared).code_head == "0002"
    prepared.goes_live(OLD, "0001")
    assert known(prepared).code_head == "0001"
    assert known(prepared, partial(live.live_release, place=1)).code_head == "0002"


def test_a_process_whose_first_request_comes_late_is_not_the_newest(prepared: Database) -> None:
    """It began before the release that is live, and does not take the newest start away from its own."""
    for metadata, head, age, newest in (
        (OLD, "0001", 60, "0001"),
        (NEW, "0002", 30, "0002"),
        (OLD, "0001", 59, "0002"),
        (NEW, "0002", 90, "0002"),
    ):
        prepared.goes_live(metadata, head, age)
        assert known(prepared).code_head == newest


def test_two_releases_with_one_mapping_are_told_apart_by_their_revisions(prepared: Database) -> None:
    prepared.goes_live(OLD, "0001")
    prepared.goes_live(OLD, "0002")
    with prepared.engine.connect() as connection:
        for metadata, head, found in ((OLD, "0001", "0001"), (OLD, "0002", "0002"), (NEW, "0002", None)):
            assert getattr(live.own_release(connection, metadata, head), "code_head", None) == found


def test_twenty_processes_that_start_at_once_leave_one_row_and_the_next_upgrade_keeps_it(prepared: Database) -> None:
    with ThreadPoolExecutor(RACERS) as threads:
        list(threads.map(lambda _: prepared.goes_live(OLD, "0001"), range(RACERS)))
    with prepared.engine.connect() as connection:
        tables.prepare(connection)
    assert prepared.scalar("SELECT count(*) FROM schema_releases") == 1


def test_without_the_table_a_process_goes_on_and_says_so(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    database.goes_live(OLD, "0001")
    with database.engine.connect() as connection:
        assert live.live_release(connection) is None
    [record] = caplog.records
    assert 'relation "schema_releases" does not exist' in record.getMessage()


# Objects of the database that the earlier release does not use.
UNMAPPED = "ALTER TABLE things ADD legacy text; CREATE TABLE leftovers (id int PRIMARY KEY)"


@pytest.mark.parametrize("case", one_in(4, read_operations("forecasts")), ids=str)
def test_it_says_what_a_release_would_miss_or_it_runs(project: ModelProject, case: Operation) -> None:
    release = ReleaseBefore(project.database.engine)
    project.database.execute(UNMAPPED)
    project.database.migrate(case.upgrade)
    with project.database.engine.connect() as connection:
        assert list(forecast(connection, known(project.database))) == ([case.said] if case.said else [])
    if not case.said:
        release.assert_works(project.database.engine)


STEP = (
    "INSERT INTO schema_ledger (revision, down_revisions, phase)"
    " SELECT :revision, array_agg(CAST(version_num AS text)), :phase FROM alembic_version"
)
MOVE = "UPDATE alembic_version SET version_num = :revision"


def test_code_that_noted_nothing_is_judged_by_the_phases_of_newer_steps(in_use: Database) -> None:
    """It does not have their files, and reads the ledger."""

    def judged(revision: str) -> tuple[str, list[str], str]:
        with in_use.engine.connect() as connection:
            state, forecast = read_schema_state(connection), roll_back(connection, revision)
        return state.name, state.foreign, forecast.answer

    assert judged(HEAD) == (AT_HEAD, [], "yes")
    for revision, phase in (("9997", "expand"), ("9998", "contract"), ("9999", "expand")):
        in_use.execute(STEP, revision=revision, phase=phase)
        in_use.execute(MOVE, revision=revision)
        if revision == "9997":
            assert judged(HEAD) == (AHEAD, ["9997"], "yes")
    assert judged(HEAD) == (AHEAD_CONTRACT, ["9999", "9998", "9997"], "no")
    assert judged("9998") == (AHEAD_CONTRACT, ["9999", "9998", "9997"], "yes")
    assert judged("0000")[2] == "unknown"
    in_use.execute("DELETE FROM schema_ledger WHERE revision = '9998'")
    assert judged(HEAD) == (UNKNOWN, ["9999", "9998"], "unknown")
    in_use.execute("UPDATE schema_ledger SET down_revisions = ARRAY[:head, '9998'] WHERE revision = '9999'", head=HEAD)
    assert judged(HEAD) == (UNKNOWN, ["9999", "9998"], "unknown"), "a merge of a branch that is lost"


def test_tables_of_other_schemas_and_quoted_names_are_found(prepared: Database) -> None:
    models = sa.MetaData()
    for name in ("Odd name", "Other name"):
        sa.Table(name, models, sa.Column("Odd column", sa.Integer), schema="audit")
    prepared.execute('CREATE SCHEMA audit; CREATE TABLE audit."Odd name" ("Odd column" int)')
    prepared.execute('CREATE TABLE audit."Other name" (id int)')
    prepared.goes_live(models, "0001")
    with prepared.engine.connect() as connection:
        assert list(forecast(connection, known(prepared))) == ["there is no column audit.Other name.Odd column"]
