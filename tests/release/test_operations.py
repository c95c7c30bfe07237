"""Do the work of every operation, also again and printed; wait for locks empty-handed, and refuse what hurts."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.release import live, operations
from app.release.connection import direct_engine
from app.release.errors import DeadlineExceeded, ReleaseError, UnsafeOperation
from app.release.operations import (
    add_check_online,
    add_column_online,
    add_foreign_key_online,
    add_unique_online,
    backfill,
    drop_column_contract,
    drop_constraint_online,
    drop_not_null_online,
    drop_table_contract,
    rename_with_view,
    retire_column_online,
    set_not_null_online,
    steps,
    widen_text_online,
)
from app.release.operations.backfill_batches import Batch, Progress
from tests.databases import Environment, empty_database
from tests.release import dumps, judged
from tests.release.fingerprint import Fingerprint, schema_fingerprint
from tests.release.migrating import Database, printed
from tests.release.operation_cases import CASES, WITH_BACKFILLS
from tests.release.operation_docs import PAGE, SECTION, regenerated
from tests.release.revision_corpus.cases import Operation
from tests.waiting import wait_until

COUNT = "SELECT count(*) FROM things"


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(WITH_BACKFILLS)
    return database


@pytest.fixture
def printed_things(server_environment: Environment, things: Database) -> Iterator[Database]:
    """Make the same tables in another database, for the SQL that is printed."""
    with empty_database(server_environment) as own:
        engine, migrating = sa.create_engine(own["DATABASE_URL"]), direct_engine(url=own["DATABASE_URL"])
        database = Database(engine, migrating)
        database.execute(WITH_BACKFILLS)
        yield database
        engine.dispose()


@pytest.fixture
def schema(things: Database) -> Callable[[], Fingerprint]:
    return partial(schema_fingerprint, things.engine)


# A backfill passes over what is held, a comment and a type ask for no lock that a writer holds, the next run drops what
# is left of an index, and nobody holds the table of which a key is made.
NOT_WAITING = (
    *("backfill", "backfill_later", "cancel_backfill", "retire_table_online", "reinstate_table_online"),
    *("reinstate_column_online", "drop_index_online", "add_enum_value_online", "add_primary_key_online"),
)
LEAVES_AN_INVALID_INDEX = ("create_index_online", "add_unique_online")  # which the next run builds anew
DEADLINE = 0.2  # seconds; the lock is asked for several times and not had


def test_every_operation_is_tried() -> None:
    """test_backfill_steps.py tries the one that is left out."""
    assert {case.name for case in CASES} == {*operations.__all__} - {"excused", "require_backfilled"}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_operation(
    things: Database, printed_things: Database, case: Operation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It waits for no lock beyond the deadline, passes in its phase and does its work, changes nothing when it is done
    again, and what is printed for psql does the same.
    """
    if case.setup:
        things.execute(case.setup)
        printed_things.execute(case.setup)
    with things.engine.connect() as connection:
        live.prepare(connection)
        live.record_live(connection, sa.MetaData(), "0001")  # of a release that uses nothing of it
    assert not things.scalar(case.holds)
    if case.name not in NOT_WAITING:
        before = schema_fingerprint(things.engine)
        monkeypatch.setattr(steps, "LOCK_TIMEOUT", "20ms")
        with things.holding("LOCK TABLE things IN ROW EXCLUSIVE MODE"), pytest.raises(DeadlineExceeded):
            things.migrate(case.upgrade, seconds=DEADLINE)
        monkeypatch.undo()
        after = schema_fingerprint(things.engine)
        assert after >= before if case.name in LEAVES_AN_INVALID_INDEX else after == before
    judged.upgrade(things, judged.written(tmp_path, case.call, case.phase))
    assert things.scalar(case.holds)
    once = schema_fingerprint(things.engine)
    things.migrate(case.upgrade)
    assert schema_fingerprint(things.engine) == once

    url = printed_things.url
    dumps.psql({"DATABASE_URL": url}, printed(case.upgrade))
    assert printed_things.scalar(case.holds)
    by_hand = schema_fingerprint(printed_things.engine)
    printed_things.migrate(case.upgrade)
    assert schema_fingerprint(printed_things.engine) == by_hand


REFUSED_COLUMNS = [
    (sa.Column("x", sa.Integer, nullable=False), "has no server_default"),
    (sa.Column("x", sa.Uuid, server_default=sa.text("gen_random_uuid()")), "differs from row to row"),
    (sa.Column("x", sa.DateTime, server_default=sa.text("clock_timestamp()")), "differs from row to row"),
    (sa.Column("x", sa.Float, server_default=sa.text('"random"()')), "differs from row to row"),
    (sa.Column("x", sa.Integer, sa.Computed("size + 1")), "rewrites"),
    (sa.Column("x", sa.Integer, sa.Identity()), "rewrites"),
    (sa.Column("x", sa.Integer, sa.ForeignKey("owners.id")), "add_foreign_key_online"),
    (sa.Column("x", sa.Integer, unique=True), "add_unique_online"),
    (sa.Column("x", sa.Integer, index=True), "create_index_online"),
]


def test_a_column_is_refused_that_would_stop_the_site(things: Database, schema: Callable[[], Fingerprint]) -> None:
    before = schema()
    for column, reason in REFUSED_COLUMNS:
        with pytest.raises(UnsafeOperation, match=reason):
            things.migrate(partial(add_column_online, "things", column))
    assert schema() == before


def test_a_text_is_not_made_shorter_nor_another_type(things: Database, schema: Callable[[], Fingerprint]) -> None:
    before = schema()
    for column, kind in (("name", "VARCHAR(49)"), ("name", "INTEGER"), ("name", "VARCHAR"), ("size", "TEXT")):
        with pytest.raises(UnsafeOperation, match="may grow"):
            things.migrate(partial(widen_text_online, "things", column, kind))
    assert schema() == before


BREAKS_A_RULE: list[tuple[str, Callable[[], object], str]] = [
    ("NULL, 'nobody''s'", lambda: set_not_null_online("things", "owner_id"), "owner_id still holds NULL"),
    ("1, 'other'", lambda: add_check_online("things", "ck_things_named", "name LIKE 'thing%'"), "does not meet"),
    (
        "99, 'lost'",
        lambda: add_foreign_key_online("fk_things_owners", "things", "owners", ["owner_id"], ["id"]),
        "refers to no owners",
    ),
    ("1, 'thing 1'", lambda: add_unique_online("things", "uq_things_name", ["name"]), "cannot be unique"),
]


def test_a_row_that_breaks_the_rule_leaves_nothing_of_it(things: Database, schema: Callable[[], Fingerprint]) -> None:
    for row, upgrade, reason in BREAKS_A_RULE:
        things.execute(f"INSERT INTO things (owner_id, name) VALUES ({row})")
        before = schema()
        with pytest.raises(UnsafeOperation, match=reason):
            things.migrate(upgrade)
        assert schema() == before
        assert things.scalar(COUNT) == 3001
        things.execute("DELETE FROM things WHERE id > 3000")


def test_a_column_that_is_not_there_is_told(things: Database) -> None:
    with pytest.raises(ReleaseError, match="not there"):
        things.migrate(lambda: drop_not_null_online("things", "colour"))


@pytest.mark.parametrize("renamed", ["", "; ALTER TABLE things RENAME TO objects"], ids=["renamed now", "already"])
def test_a_role_may_do_through_the_view_what_it_may_do_with_the_table(things: Database, renamed: str) -> None:
    things.execute(
        "GRANT SELECT ON things TO pg_monitor WITH GRANT OPTION; GRANT INSERT ON things TO PUBLIC;"
        f" GRANT UPDATE (name) ON things TO pg_monitor{renamed}"
    )
    things.migrate(lambda: rename_with_view("things", "objects"))
    privileges = ["SELECT WITH GRANT OPTION", "INSERT", "UPDATE", "DELETE"]
    may = "has_table_privilege('pg_monitor', 'things', :privilege)"
    assert [things.scalar(f"SELECT {may}", privilege=privilege) for privilege in privileges] == [
        True,
        True,
        False,
        False,
    ]
    assert things.scalar("SELECT has_column_privilege('pg_monitor', 'things', 'name', 'UPDATE')")
    assert not things.scalar("SELECT has_column_privilege('pg_monitor', 'things', 'size', 'UPDATE')")


def test_a_backfill_goes_on_where_it_was_stopped(things: Database) -> None:
    things.execute("UPDATE things SET size = 0 WHERE id <= 2000")
    filled: list[int] = []
    things.migrate(lambda: filled.append(backfill("things", set_sql="size = 1", where="size IS NULL")))
    assert filled == [1000]
    assert things.scalar("SELECT count(*) FROM things WHERE size = 0") == 2000


def test_a_backfill_says_how_far_it_is(things: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "app.release")
    things.migrate(lambda: backfill("things", set_sql="size = 1", where="size IS NULL"))
    assert "backfill things: done; 3000 rows filled" in caplog.text

    progress = Progress("things", 4000, report_every=0)
    progress.add(Batch(last="1000", scanned=1000, wanted=500, filled=500, unfilled=0))
    assert re.search(r"1000 of about 4000 rows seen, \d+ s left; 500 rows filled, \d+ a second", caplog.text)


def test_a_backfill_passes_over_a_row_that_is_held_and_waits_for_it_at_the_end(things: Database) -> None:
    with (
        things.holding("UPDATE things SET owner_id = 5 WHERE id = 7"),
        pytest.raises(DeadlineExceeded, match="not done"),
    ):
        things.migrate(lambda: backfill("things", set_sql="size = 1", where="size IS NULL"), seconds=1.5)
    assert things.scalar("SELECT array_agg(id) FROM things WHERE size IS NULL") == [7]


def test_a_backfill_that_cannot_end_is_refused_or_stopped_at_its_first_batch(things: Database) -> None:
    with pytest.raises(UnsafeOperation, match="may be NULL, so it cannot be the key"):
        things.migrate(lambda: backfill("things", set_sql="size = 1", where="size IS NULL", pk="owner_id"))
    assert things.scalar("SELECT count(*) FROM things WHERE size IS NOT NULL") == 0
    with pytest.raises(UnsafeOperation, match="without an end"):
        things.migrate(lambda: backfill("things", set_sql="size = 1", where="name LIKE 'thing%' AND id::int > 0"))


def test_code_that_knows_a_retired_column_reads_its_constant_where_there_is_one(things: Database) -> None:
    for default, read in (("''", ""), (None, None)):
        things.migrate(partial(retire_column_online, "things", "name", default=default))
        new_id = things.scalar("INSERT INTO things (owner_id) VALUES (1) RETURNING id")
        assert things.scalar("SELECT name FROM things WHERE id = :id", id=new_id) == read
        things.execute("ALTER TABLE things ALTER name DROP DEFAULT")


# widen_text_online reads no row and builds no index while nobody can read the table, whatever stands on the column.
NAMES = """
CREATE TABLE names (id bigint PRIMARY KEY, name varchar(50), CONSTRAINT ck_names_name CHECK (name <> ''));
INSERT INTO names SELECT n, 'name ' || n FROM generate_series(1, 100) n;
"""
TYPE_OF_NAME = (
    "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'names'::regclass AND attname = 'name'"
)
CHECK = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_names_name' AND convalidated"


@pytest.fixture
def names(database: Database) -> Database:
    database.execute(NAMES)
    return database


def widen() -> None:
    widen_text_online("names", "name", "VARCHAR(80)")


def test_a_check_and_an_index_stand_before_and_after_and_after_a_kill(names: Database) -> None:
    names.execute("CREATE INDEX ix_names ON names (name)")
    index = "SELECT pg_relation_filenode('ix_names'::regclass)"
    before, file = names.scalar(CHECK), names.scalar(index)
    names.migrate(widen)
    assert names.scalar(TYPE_OF_NAME) == "character varying(80)"
    assert (names.scalar(CHECK), names.scalar(index)) == (before, file), "it is not built anew"
    names.execute("ALTER TABLE names DROP CONSTRAINT ck_names_name")
    names.execute("ALTER TABLE names ADD CONSTRAINT ck_names_name CHECK (name <> '') NOT VALID")
    names.migrate(widen)
    assert names.scalar(CHECK) == before


def test_a_check_that_does_not_hold_for_all_rows_is_left_alone(names: Database) -> None:
    names.execute("ALTER TABLE names ADD CONSTRAINT ck_names_long CHECK (length(name) > 6) NOT VALID")
    names.migrate(widen)
    assert names.scalar(TYPE_OF_NAME) == "character varying(80)"
    assert names.scalar("SELECT convalidated FROM pg_constraint WHERE conname = 'ck_names_long'") is False


def test_an_index_over_it_is_refused_with_the_way_that_builds_it_beside_the_requests(names: Database) -> None:
    for index in ("(lower(name))", "(id) WHERE name > 'm'"):
        names.execute(f"CREATE INDEX ix_names ON names {index}")
        before = schema_fingerprint(names.engine)
        with pytest.raises(UnsafeOperation, match=r"ix_names has .* change_type_online\('names'"):
            names.migrate(widen)
        assert schema_fingerprint(names.engine) == before
        names.execute("DROP INDEX ix_names")


TWO_TABLES = """
CREATE TABLE things (id int PRIMARY KEY);
CREATE TABLE parts (id int PRIMARY KEY, thing_id int CONSTRAINT fk_parts_things REFERENCES things, other_id int);
INSERT INTO things VALUES (1);
"""
OTHER = {"things": "parts", "parts": "things"}
WRITES = {"things": "UPDATE things SET id = 1", "parts": "INSERT INTO parts (id) VALUES (1)"}
EMPTY_HANDED = """
SELECT bool_or(NOT granted AND relation = CAST(:held AS regclass))
   AND NOT bool_or(granted AND relation = CAST(:other AS regclass))
FROM pg_locks WHERE mode IN ('AccessExclusiveLock', 'ShareRowExclusiveLock')
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

STEPS: dict[str, Callable[[], object]] = {
    "add a foreign key": lambda: add_foreign_key_online("fk_other", "parts", "things", ["other_id"], ["id"]),
    "drop a foreign key": lambda: drop_constraint_online("parts", "fk_parts_things"),
    "drop its column": lambda: drop_column_contract("parts", "thing_id"),
    "drop its table": lambda: drop_table_contract("parts"),
}


@pytest.fixture
def two_tables(database: Database) -> Database:
    database.execute(TWO_TABLES)
    return database


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("held", OTHER)
def test_it_waits_for_one_table_empty_handed(two_tables: Database, step: Callable[[], object], held: str) -> None:
    """A transaction that has written the one, and goes on to the other, finds that free, and ends."""
    tables = {"held": held, "other": OTHER[held]}
    with ThreadPoolExecutor(1) as pool:
        with two_tables.holding(WRITES[held]):
            migrating = pool.submit(two_tables.migrate, step)
            wait_until(lambda: two_tables.scalar(EMPTY_HANDED, **tables) or migrating.done(), "it waits, or fails")
            assert not migrating.done(), migrating.exception()
        migrating.result()


EXCUSE = "excused"  # no operation; see docs/schema-changes.md


def test_signatures_and_sql_are_those_of_the_code() -> None:
    page = PAGE.read_text()
    assert regenerated(page) == page, "write them again: python -m tests.release.operation_docs"


def test_every_operation_has_its_section_and_no_other_has_one() -> None:
    sections = [section["name"] for section in SECTION.finditer(PAGE.read_text())]
    assert {*sections, EXCUSE} == set(operations.__all__)


def test_every_section_shows_the_sql_of_an_example_and_says_how_it_behaves() -> None:
    page = PAGE.read_text()
    for section in page.split("\n### ")[1:]:
        for part in ("```sql\n", "**Waits:**", "**Run again:**", "**Downgrade:**"):
            assert part in section, f"{section.splitlines()[0]} lacks {part}"
