"""What every operation keeps: it does its work, may be done again, can be printed, and is refused where it hurts."""

import re
from collections.abc import Callable
from functools import partial

import pytest
import sqlalchemy as sa

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
    widen_text_online,
)
from app.release.operations.backfill_batches import Batch, Progress
from tests.release.fingerprint import Fingerprint, schema_fingerprint
from tests.release.migrating import Database, printed
from tests.release.operation_cases import CASES, TABLES, Case

COUNT = "SELECT count(*) FROM things"

each_operation = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(TABLES)
    return database


@pytest.fixture
def schema(things: Database) -> Callable[[], Fingerprint]:
    return partial(schema_fingerprint, things.engine)


@each_operation
def test_it_does_its_work_and_done_again_it_changes_nothing(
    things: Database, case: Case, schema: Callable[[], Fingerprint]
) -> None:
    if case.setup:
        things.execute(case.setup)
    assert not things.scalar(case.holds)
    things.migrate(case.upgrade)
    assert things.scalar(case.holds)
    once = schema()
    things.migrate(case.upgrade)
    assert schema() == once


@each_operation
def test_what_is_printed_does_the_same_in_psql(
    things: Database, case: Case, psql: Callable[[str], None], schema: Callable[[], Fingerprint]
) -> None:
    if case.setup:
        things.execute(case.setup)
    psql(printed(case.upgrade))
    assert things.scalar(case.holds)
    by_hand = schema()
    things.migrate(case.upgrade)
    assert schema() == by_hand


# A backfill passes over what is held, a comment and a type ask for no lock that a writer holds, and a half-dropped
# index is no longer in the dump: the next run drops the rest.
NOT_WAITING = (
    *("backfill", "backfill_later", "cancel_backfill"),
    *("retire_table", "reinstate_table", "reinstate_column", "drop_index", "add_enum_value"),
)
WAITING = [case for case in CASES if case.name not in NOT_WAITING]
DEADLINE = 0.35  # seconds; a little more than LOCK_TIMEOUT, so the lock is asked for and not had


@pytest.mark.parametrize("case", WAITING, ids=[case.name for case in WAITING])
def test_a_lock_that_is_not_to_be_had_ends_at_the_deadline_with_nothing_changed(
    things: Database, case: Case, schema_dump: Callable[[], str]
) -> None:
    """An INVALID index may be left, which no dump has; the next run rebuilds it."""
    if case.setup:
        things.execute(case.setup)
    before = schema_dump()
    with things.holding("LOCK TABLE things IN ROW EXCLUSIVE MODE"), pytest.raises(DeadlineExceeded, match="deadline"):
        things.migrate(case.upgrade, seconds=DEADLINE)
    assert schema_dump() == before


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (sa.Column("x", sa.Integer, nullable=False), "has no server_default"),
        (sa.Column("x", sa.Uuid, server_default=sa.text("gen_random_uuid()")), "differs from row to row"),
        (sa.Column("x", sa.DateTime, server_default=sa.text("clock_timestamp()")), "differs from row to row"),
        (sa.Column("x", sa.Float, server_default=sa.text('"random"()')), "differs from row to row"),
        (sa.Column("x", sa.Integer, sa.Computed("size + 1")), "rewrites"),
        (sa.Column("x", sa.Integer, sa.Identity()), "rewrites"),
        (sa.Column("x", sa.Integer, sa.ForeignKey("owners.id")), "add_foreign_key_online"),
        (sa.Column("x", sa.Integer, unique=True), "add_unique_online"),
        (sa.Column("x", sa.Integer, index=True), "create_index_online"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_column_is_refused_that_would_stop_the_site(
    things: Database, column: sa.Column[object], reason: str, schema: Callable[[], Fingerprint]
) -> None:
    before = schema()
    with pytest.raises(UnsafeOperation, match=reason):
        things.migrate(lambda: add_column_online("things", column))
    assert schema() == before


@pytest.mark.parametrize(
    ("column", "type_"), [("name", "VARCHAR(49)"), ("name", "INTEGER"), ("name", "VARCHAR"), ("size", "TEXT")]
)
def test_a_text_is_not_made_shorter_nor_another_type(
    things: Database, column: str, type_: str, schema: Callable[[], Fingerprint]
) -> None:
    before = schema()
    with pytest.raises(UnsafeOperation, match="may grow"):
        things.migrate(lambda: widen_text_online("things", column, type_))
    assert schema() == before


@pytest.mark.parametrize(
    ("fault", "upgrade", "reason"),
    [
        (
            "INSERT INTO things (name) VALUES ('nobody''s')",
            lambda: set_not_null_online("things", "owner_id"),
            "owner_id still holds NULL",
        ),
        (
            "INSERT INTO things (owner_id, name) VALUES (1, 'other')",
            lambda: add_check_online("things", "ck_things_named", "name LIKE 'thing%'"),
            "does not meet",
        ),
        (
            "INSERT INTO things (owner_id, name) VALUES (99, 'lost')",
            lambda: add_foreign_key_online("fk_things_owners", "things", "owners", ["owner_id"], ["id"]),
            "refers to no owners",
        ),
        (
            "INSERT INTO things (owner_id, name) VALUES (1, 'thing 1')",
            lambda: add_unique_online("things", "uq_things_name", ["name"]),
            "cannot be unique",
        ),
    ],
    ids=["not_null", "check", "foreign_key", "unique"],
)
def test_a_row_that_breaks_the_rule_is_told_and_half_a_rule_is_not_left(
    things: Database, fault: str, upgrade: Callable[[], object], reason: str, schema: Callable[[], Fingerprint]
) -> None:
    things.execute(fault)
    before = schema()
    with pytest.raises(UnsafeOperation, match=reason):
        things.migrate(upgrade)
    assert schema() == before
    assert things.scalar(COUNT) == 3001


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
    rename = next(case for case in CASES if case.name == "rename_with_view")
    things.migrate(rename.upgrade)
    new_id = things.scalar("INSERT INTO things (name) VALUES ('new') RETURNING id")
    things.execute("UPDATE things SET size = 4 WHERE id = :id", id=new_id)
    assert things.scalar("SELECT size FROM objects WHERE id = :id", id=new_id) == 4
    things.execute("DELETE FROM things WHERE id = :id", id=new_id)
    assert things.scalar("SELECT count(*) FROM objects") == 3000


def test_a_table_that_is_renamed_already_gets_its_view(things: Database) -> None:
    things.execute("ALTER TABLE things RENAME TO objects")
    things.migrate(lambda: rename_with_view("things", "objects"))
    assert things.scalar("SELECT count(*) FROM things") == 3000


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
