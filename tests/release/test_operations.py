"""Every operation does its work, may be done again, can be printed, and is refused where it hurts."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.release import live, operations
from app.release.connection import direct_engine
from app.release.errors import DeadlineExceeded, ReleaseError, UnsafeOperation
from app.release.operations import (
    add_check_online,
    add_column_online,
    add_foreign_key_online,
    add_unique_online,
    backfill,
    create_index_online,
    drop_not_null_online,
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
from tests.release.operation_cases import CASES, TABLES, Case

COUNT = "SELECT count(*) FROM things"


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(TABLES)
    return database


@pytest.fixture
def printed_things(server_environment: Environment, things: Database) -> Iterator[Database]:
    """Make the same tables in another database, for the SQL that is printed."""
    with empty_database(server_environment) as own:
        engine, migrating = sa.create_engine(own["DATABASE_URL"]), direct_engine(url=own["DATABASE_URL"])
        database = Database(engine, migrating)
        database.execute(TABLES)
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
    """test_backfill_guards.py tries the one that is left out."""
    assert {case.operation for case in CASES} == {*operations.__all__} - {"excused", "require_backfilled"}


@pytest.mark.parametrize("case", CASES, ids=[case.operation for case in CASES])
def test_an_operation(
    things: Database, printed_things: Database, case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
    if case.operation not in NOT_WAITING:
        before = schema_fingerprint(things.engine)
        monkeypatch.setattr(steps, "LOCK_TIMEOUT", "20ms")
        with things.holding("LOCK TABLE things IN ROW EXCLUSIVE MODE"), pytest.raises(DeadlineExceeded):
            things.migrate(case.upgrade, seconds=DEADLINE)
        monkeypatch.undo()
        after = schema_fingerprint(things.engine)
        assert after >= before if case.operation in LEAVES_AN_INVALID_INDEX else after == before
    judged.upgrade(things, judged.written(tmp_path, case.call, case.phase))
    assert things.scalar(case.holds)
    once = schema_fingerprint(things.engine)
    things.migrate(case.upgrade)
    assert schema_fingerprint(things.engine) == once

    url = printed_things.engine.url.render_as_string(hide_password=False)
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


def test_a_row_that_breaks_the_rule_is_told_and_half_a_rule_is_not_left(
    things: Database, schema: Callable[[], Fingerprint]
) -> None:
    for row, upgrade, reason in BREAKS_A_RULE:
        things.execute(f"INSERT INTO things (owner_id, name) VALUES ({row})")
        before = schema()
        with pytest.raises(UnsafeOperation, match=reason):
            things.migrate(upgrade)
        assert schema() == before
        assert things.scalar(COUNT) == 3001
        things.execute("DELETE FROM things WHERE id > 3000")


def test_an_index_that_a_failed_build_left_is_built_anew(things: Database) -> None:
    things.execute("INSERT INTO things (name) VALUES ('thing 1')")
    with (
        things.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(sa.exc.IntegrityError),
    ):
        connection.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY ix_things_name ON things (name)")
    invalid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_things_name')"
    assert things.scalar(invalid) is False
    things.migrate(lambda: create_index_online("ix_things_name", "things", ["name"]))
    assert things.scalar(invalid) is True


def test_a_column_that_is_not_there_is_told(things: Database) -> None:
    with pytest.raises(ReleaseError, match="not there"):
        things.migrate(lambda: drop_not_null_online("things", "colour"))


def test_through_the_view_of_the_old_name_old_code_reads_and_writes(things: Database) -> None:
    things.migrate(lambda: rename_with_view("things", "objects"))
    new_id = things.scalar("INSERT INTO things (name) VALUES ('new') RETURNING id")
    things.execute("UPDATE things SET size = 4 WHERE id = :id", id=new_id)
    assert things.scalar("SELECT size FROM objects WHERE id = :id", id=new_id) == 4
    things.execute("DELETE FROM things WHERE id = :id", id=new_id)
    assert things.scalar("SELECT count(*) FROM objects") == 3000


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


def test_a_backfill_by_a_key_that_may_be_null_is_refused(things: Database) -> None:
    with pytest.raises(UnsafeOperation, match="may be NULL, so it cannot be the key"):
        things.migrate(lambda: backfill("things", set_sql="size = 1", where="size IS NULL", pk="owner_id"))
    assert things.scalar("SELECT count(*) FROM things WHERE size IS NOT NULL") == 0


def test_an_index_may_include_a_column(things: Database) -> None:
    things.migrate(lambda: create_index_online("ix_name", "things", ["name"], postgresql_include=["size"]))
    assert things.scalar("SELECT indnatts FROM pg_index WHERE indexrelid = 'ix_name'::regclass") == 2


@pytest.mark.parametrize(("default", "read"), [("''", ""), (None, None)])
def test_code_that_knows_a_retired_column_reads_its_constant_where_there_is_one(
    things: Database, default: str | None, read: str | None
) -> None:
    things.migrate(lambda: retire_column_online("things", "name", default=default))
    new_id = things.scalar("INSERT INTO things (owner_id) VALUES (1) RETURNING id")
    assert things.scalar("SELECT name FROM things WHERE id = :id", id=new_id) == read


def test_the_comment_of_a_new_column_is_written(things: Database) -> None:
    things.migrate(lambda: add_column_online("things", sa.Column("x", sa.Integer, comment="it's new")))
    comment = "SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attname = 'x' AND attrelid = "
    assert things.scalar(f"{comment} 'things'::regclass") == "it's new"


def test_a_backfill_that_would_never_end_is_stopped_at_its_first_batch(things: Database) -> None:
    with pytest.raises(UnsafeOperation, match="without an end"):
        things.migrate(lambda: backfill("things", set_sql="size = 1", where="name LIKE 'thing%' AND id::int > 0"))


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


def test_a_check_holds_before_and_after(names: Database) -> None:
    before = names.scalar(CHECK)
    names.migrate(widen)
    assert names.scalar(TYPE_OF_NAME) == "character varying(80)"
    assert names.scalar(CHECK) == before
    with pytest.raises(IntegrityError):
        names.execute("INSERT INTO names VALUES (101, '')")


def test_a_check_is_validated_by_the_next_run_after_a_kill(names: Database) -> None:
    before = names.scalar(CHECK)
    names.execute("ALTER TABLE names DROP CONSTRAINT ck_names_name, ALTER name TYPE varchar(80)")
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


def test_an_index_of_the_column_as_it_is_is_not_built_anew(names: Database) -> None:
    names.execute("CREATE INDEX ix_names ON names (name)")
    file = names.scalar("SELECT pg_relation_filenode('ix_names'::regclass)")
    names.migrate(widen)
    assert names.scalar("SELECT pg_relation_filenode('ix_names'::regclass)") == file
