"""Do the work of every operation, also again and printed; wait for locks empty-handed, and refuse what hurts."""

import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from online_migrations import operations as ops
from online_migrations.errors import DeadlineExceeded, ReleaseError, UnsafeOperation
from online_migrations.sql import split_statements
from online_migrations.state import live, tables
from tests.online_migrations import dumps, judged
from tests.online_migrations.migrating import Database, printed
from tests.online_migrations.model_project import ModelProject
from tests.online_migrations.operation_docs import PAGE, generated
from tests.online_migrations.operation_docs import read as sections
from tests.online_migrations.revision_corpus.cases import CASES, WITH_BACKFILLS, Operation, one_in, read_operations
from tests.waiting import wait_until


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(WITH_BACKFILLS)
    return database


def test_every_operation_is_tried() -> None:
    """test_backfill_steps.py tries the one that is left out."""
    assert {case.name for case in CASES} == {*ops.__all__} - {"excused", "in_schema", "require_backfilled"}


@pytest.mark.parametrize("case", [pytest.param(CASES[0], marks=pytest.mark.smoke), *CASES[1:]], ids=str)
def test_it_passes_in_its_phase_does_its_work_and_changes_nothing_when_it_is_done_again(
    things: Database, case: Operation, tmp_path: Path
) -> None:
    things.execute(case.setup or "SELECT")
    with things.engine.connect() as connection:
        tables.prepare(connection)
        live.record_live(connection, sa.MetaData(), "0001")  # of a release that uses nothing of it
    assert not things.scalar(case.holds)
    judged.upgrade(things, judged.written(tmp_path, case.call, case.phase))
    assert things.scalar(case.holds)
    once = things.schema()
    things.migrate(case.upgrade)
    assert things.schema() == once


@pytest.mark.parametrize("case", one_in(6, CASES), ids=str)
def test_what_is_printed_for_psql_does_the_same(things: Database, case: Operation) -> None:
    things.execute(case.setup or "SELECT")
    if case.name == "change_type_online":
        with things.unchanged(), pytest.raises(AssertionError, match="no script can; run: flask db upgrade"):
            dumps.psql({"DATABASE_URL": things.url}, printed(case.upgrade))
        return
    dumps.psql({"DATABASE_URL": things.url}, printed(case.upgrade))
    assert things.scalar(case.holds)
    by_hand = things.schema()
    things.migrate(case.upgrade)
    assert things.schema() == by_hand


@pytest.mark.parametrize("name", ["add_column_online", "add_foreign_key_online", "add_unique_online"])
def test_it_waits_for_no_lock_beyond_the_deadline(things: Database, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each kind of step; which kind a statement is, the next test holds."""
    case = next(case for case in CASES if case.name == name)
    before = things.schema()
    monkeypatch.setattr(ops.steps, "LOCK_TIMEOUT", "20ms")
    with things.holding("LOCK TABLE things IN ROW EXCLUSIVE MODE"), pytest.raises(DeadlineExceeded):
        things.migrate(case.upgrade, seconds=0.2)
    after = things.schema()
    assert after >= before if name == "add_unique_online" else after == before, "an INVALID index is left, which goes"


IN_A_SHORT_LOCK = re.compile(
    r"^BEGIN;\nSET LOCAL lock_timeout = '2s';\nLOCK TABLE .* IN SHARE UPDATE EXCLUSIVE MODE;\n"
    r"SET LOCAL lock_timeout = '300ms';\n.*?^COMMIT;$",
    re.MULTILINE | re.DOTALL,
)
BLOCKS_NOBODY = re.compile(
    r"(CREATE|DROP) (UNIQUE )?INDEX CONCURRENTLY|ALTER INDEX .* RENAME|ALTER TABLE .* VALIDATE CONSTRAINT|ALTER TYPE"
    r"|ANALYZE|COMMENT ON|(INSERT INTO|DELETE FROM) schema_backfills|DO \$(backfill|guard)\$|SET lock_timeout"
    r"|(BEGIN|COMMIT)$"
)


def test_what_could_make_requests_wait_is_sent_in_a_short_lock() -> None:
    wrong = []
    for case in CASES:
        script = re.sub(r"^--.*\n", "", printed(case.upgrade), flags=re.MULTILINE)
        others = split_statements(IN_A_SHORT_LOCK.sub("", script))
        wrong += [(case.name, statement) for statement in others if not BLOCKS_NOBODY.match(statement)]
    assert wrong == []


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


def test_a_column_is_refused_that_would_stop_the_site(things: Database) -> None:
    for column, reason in REFUSED_COLUMNS:
        with things.unchanged(), pytest.raises(UnsafeOperation, match=reason):
            things.migrate(partial(ops.add_column_online, "things", column))


def test_a_text_is_not_made_shorter_nor_another_type(things: Database) -> None:
    for column, kind in (("name", "VARCHAR(49)"), ("name", "INTEGER"), ("size", "TEXT")):
        with things.unchanged(), pytest.raises(UnsafeOperation, match="may grow"):
            things.migrate(partial(ops.widen_text_online, "things", column, kind))


BREAKS_A_RULE: list[tuple[str, Callable[[], object], str]] = [
    ("NULL, 'nobody''s'", lambda: ops.set_not_null_online("things", "owner_id"), "owner_id still holds NULL"),
    ("1, 'other'", lambda: ops.add_check_online("things", "ck_things_named", "name LIKE 'thing%'"), "does not meet"),
    (
        "99, 'lost'",
        lambda: ops.add_foreign_key_online("fk", "things", "owners", ["owner_id"], ["id"]),
        "refers to no owners",
    ),
    ("1, 'thing 1'", lambda: ops.add_unique_online("things", "uq_things_name", ["name"]), "cannot be unique"),
    ("1, 'other'", lambda: ops.add_check_online("things", "ck_things_small", "id < 9", replace=True), "does not meet"),
    ("1, 'other'", lambda: ops.drop_not_null_online("things", "colour"), "does not exist"),
]


def test_a_row_that_breaks_the_rule_leaves_nothing_of_it(things: Database) -> None:
    for row, upgrade, reason in BREAKS_A_RULE:
        things.execute(f"INSERT INTO things (owner_id, name) VALUES ({row})")
        with things.unchanged(), pytest.raises(ReleaseError, match=reason):
            things.migrate(upgrade)
        assert things.scalar("SELECT count(*) FROM things") == 3001
        things.execute("DELETE FROM things WHERE id > 3000")


@pytest.mark.parametrize("renamed", ["", "; ALTER TABLE things RENAME TO objects"], ids=["renamed now", "already"])
def test_a_role_may_do_through_the_view_what_it_may_do_with_the_table(things: Database, renamed: str) -> None:
    things.execute(
        "GRANT SELECT ON things TO pg_monitor WITH GRANT OPTION; GRANT INSERT ON things TO PUBLIC;"
        f" GRANT UPDATE (name) ON things TO pg_monitor{renamed}"
    )
    things.migrate(lambda: ops.rename_with_view("things", "objects"))
    table = "SELECT has_table_privilege('pg_monitor', 'things', :privilege)"
    column = "SELECT has_column_privilege('pg_monitor', 'things', :column, 'UPDATE')"
    privileges = ("SELECT WITH GRANT OPTION", "INSERT", "UPDATE", "DELETE")
    assert [things.scalar(table, privilege=each) for each in privileges] == [True, True, False, False]
    assert [things.scalar(column, column=each) for each in ("name", "size")] == [True, False]


def test_a_stopped_backfill_goes_on_and_says_how_far_it_is(
    things: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "online_migrations")
    things.execute("UPDATE things SET size = 0 WHERE id <= 2000")
    things.migrate(lambda: ops.backfill("things", set_sql="size = 1", where="size IS NULL"))
    assert "backfill things: done; 1000 rows filled" in caplog.text
    assert things.scalar("SELECT count(*) FROM things WHERE size = 0") == 2000

    monkeypatch.setattr(sys.modules["online_migrations.operations.backfill"], "REPORT_EVERY", 0)
    things.migrate(lambda: ops.backfill("things", set_sql="size = 2", where="size = 0"))
    assert re.search(r"backfill things: \d+ of about \d+ rows seen, 2000 filled", caplog.text)


def test_a_backfill_passes_over_a_row_that_is_held_and_waits_for_it_at_the_end(things: Database) -> None:
    held = things.holding("UPDATE things SET owner_id = 5 WHERE id = 7")
    with held, pytest.raises(DeadlineExceeded, match="not done"):
        things.migrate(lambda: ops.backfill("things", set_sql="size = 1", where="size IS NULL"), seconds=1.5)
    assert things.scalar("SELECT array_agg(id) FROM things WHERE size IS NULL") == [7]


def test_a_backfill_that_cannot_end_is_refused_or_stopped_at_its_first_batch(things: Database) -> None:
    with pytest.raises(UnsafeOperation, match="may be NULL, so it cannot be the key"):
        things.migrate(lambda: ops.backfill("things", set_sql="size = 1", where="size IS NULL", pk="owner_id"))
    assert things.scalar("SELECT count(*) FROM things WHERE size IS NOT NULL") == 0
    with pytest.raises(UnsafeOperation, match="without an end"):
        things.migrate(lambda: ops.backfill("things", set_sql="size = 1", where="name LIKE 'thing%' AND id::int > 0"))


def test_code_that_knows_a_retired_column_reads_its_constant_where_there_is_one(things: Database) -> None:
    for default, read in (("''", ""), (None, None)):
        things.migrate(partial(ops.retire_column_online, "things", "name", default=default))
        new_id = things.scalar("INSERT INTO things (owner_id) VALUES (1) RETURNING id")
        assert things.scalar("SELECT name FROM things WHERE id = :id", id=new_id) == read
        things.execute("ALTER TABLE things ALTER name DROP DEFAULT")


# Objects that an operation finds under the name that it is to make.
REPLACEABLE: list[Callable[[], object]] = [
    lambda: ops.add_check_online("things", "ck_things_small", "size < 20", replace=True),
    lambda: ops.create_index_online("ix_things_size", "things", ["size", "name"], replace=True),
    lambda: ops.create_index_online("ix_things_size", "things", ["name"], unique=True, replace=True),
]


@pytest.mark.parametrize("case", read_operations("same_names"), ids=str)
def test_another_thing_is_told_and_kept(things: Database, case: Operation) -> None:
    things.execute(case.setup)
    with things.unchanged(), pytest.raises((ReleaseError, sa.exc.ProgrammingError), match=r"wanted"):
        things.migrate(case.upgrade)


def test_it_can_be_replaced_and_nothing_is_left_over(things: Database) -> None:
    for upgrade in REPLACEABLE:
        before = things.schema()
        things.migrate(upgrade)
        once = things.schema()
        assert once != before
        assert [name for _, name, _ in once if name.endswith(("_new", "_old"))] == []
        things.migrate(upgrade)
        assert things.schema() == once


def test_what_a_killed_replacement_left_is_not_taken_for_what_is_wanted(things: Database) -> None:
    things.execute("ALTER TABLE things ADD CONSTRAINT ck_things_small_new CHECK (size < 15)")
    things.migrate(lambda: ops.add_check_online("things", "ck_things_small", "size < 20", replace=True))
    there = "FROM pg_constraint WHERE conname LIKE 'ck_things_small%'"
    assert things.scalar(f"SELECT string_agg(pg_get_constraintdef(oid), ';') {there}") == "CHECK ((size < 20))"


def test_the_same_in_other_words_is_the_same(things: Database) -> None:
    in_other_words = "name = ANY (ARRAY['thing 1', 'b']::text[])"
    things.execute(f"ALTER TABLE things ADD CONSTRAINT wanted CHECK ({in_other_words}) NOT VALID")
    things.execute("UPDATE things SET name = 'b'")
    things.migrate(lambda: ops.add_check_online("things", "wanted", "name IN ('thing 1', 'b')"))
    assert things.scalar("SELECT convalidated FROM pg_constraint WHERE conname = 'wanted'")


def test_an_index_restored_from_a_dump_is_the_same(things: Database) -> None:
    """The server prints its condition with other casts once it has read what it printed."""
    definition = "SELECT pg_get_indexdef('wanted'::regclass)"
    things.execute("CREATE INDEX wanted ON things (size) WHERE name IN ('a', 'b')")
    dumped = things.scalar(definition)
    things.execute(f"DROP INDEX wanted; {dumped}")
    assert things.scalar(definition) != dumped
    before = things.schema()
    condition = sa.text("name IN ('a', 'b')")
    things.migrate(lambda: ops.create_index_online("wanted", "things", ["size"], postgresql_where=condition))
    assert things.schema() == before


def test_a_column_mended_after_the_revision_failed_at_its_second_step(things: Database, tmp_path: Path) -> None:
    def upgrade(kind: str) -> None:
        adds = f'add_column_online("things", sa.Column("mark", sa.{kind}()))'
        fails = 'add_unique_online("things", "uq_things_size", ["size"])'
        judged.upgrade(things, judged.written(tmp_path, f"{adds}\n{fails}", "contract"))

    things.execute("UPDATE things SET size = 1")
    with pytest.raises(ReleaseError, match="cannot be unique"):
        upgrade("Integer")
    things.execute("UPDATE things SET size = -id")
    with pytest.raises(ReleaseError, match=r"things\.mark is there already, as integer; .* would add it as bigint"):
        upgrade("BigInteger")
    things.execute("ALTER TABLE things DROP COLUMN mark")  # as the sentence says
    upgrade("BigInteger")
    assert things.scalar("SELECT pg_typeof(max(mark))::text FROM things") == "bigint"


def test_a_default_and_not_null_may_come_from_a_later_line(project: ModelProject) -> None:
    project.database.execute("ALTER TABLE things ADD mark integer DEFAULT 3 NOT NULL")
    adds = 'add_column_online("things", sa.Column("mark", sa.Integer()))'
    project.write(adds, phase="contract")
    with pytest.raises(ReleaseError, match="is there already"):
        project.upgrade()
    project.number -= 1
    later = 'set_default_online("things", "mark", "3")\nset_not_null_online("things", "mark")'
    project.write(f"{adds}\n{later}", phase="contract")
    project.upgrade()
    assert project.database.scalar("SELECT version_num FROM alembic_version") == "0002"


# widen_text_online reads no row and builds no index while nobody can read the table, whatever stands on the column.
NAMES = """
CREATE TABLE names (id bigint PRIMARY KEY, name varchar(50), CONSTRAINT ck_names_name CHECK (name <> ''));
INSERT INTO names SELECT n, 'name ' || n FROM generate_series(1, 100) n;
"""
OF_NAME = "FROM pg_attribute WHERE attrelid = 'names'::regclass AND attname = 'name'"
CHECK = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_names_name' AND convalidated"
widen = partial(ops.widen_text_online, "names", "name", "VARCHAR(80)")


@pytest.fixture
def names(database: Database) -> Database:
    database.execute(NAMES)
    return database


def test_checks_and_an_index_stand_before_and_after_and_after_a_kill(names: Database) -> None:
    """A CHECK that does not hold for all rows is left alone."""
    names.execute("ALTER TABLE names ADD CONSTRAINT ck_names_long CHECK (length(name) > 6) NOT VALID")
    names.execute("CREATE INDEX ix_names ON names (name)")
    index = "SELECT pg_relation_filenode('ix_names'::regclass)"
    before, file = names.scalar(CHECK), names.scalar(index)
    names.migrate(widen)
    assert names.scalar(f"SELECT format_type(atttypid, atttypmod) {OF_NAME}") == "character varying(80)"
    assert (names.scalar(CHECK), names.scalar(index)) == (before, file), "it is not built anew"
    assert names.scalar("SELECT convalidated FROM pg_constraint WHERE conname = 'ck_names_long'") is False
    names.execute("ALTER TABLE names DROP CONSTRAINT ck_names_long, DROP CONSTRAINT ck_names_name")
    names.execute("ALTER TABLE names ADD CONSTRAINT ck_names_name CHECK (name <> '') NOT VALID")
    names.migrate(widen)
    assert names.scalar(CHECK) == before


def test_an_index_over_it_is_refused_with_the_way_that_builds_it_beside_the_requests(names: Database) -> None:
    for index in ("(lower(name))", "(id) WHERE name > 'm'"):
        names.execute(f"CREATE INDEX ix_names ON names {index}")
        with names.unchanged(), pytest.raises(UnsafeOperation, match=r"ix_names has .* change_type_online\('names'"):
            names.migrate(widen)
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
    "add a foreign key": lambda: ops.add_foreign_key_online("fk_other", "parts", "things", ["other_id"], ["id"]),
    "drop a foreign key": lambda: ops.drop_constraint_online("parts", "fk_parts_things"),
    "drop its column": lambda: ops.drop_column_contract("parts", "thing_id"),
    "drop its table": lambda: ops.drop_table_contract("parts"),
}


@pytest.mark.newest_server
@pytest.mark.parametrize(("step", "held"), [*((step, "things") for step in STEPS), ("add a foreign key", "parts")])
def test_it_waits_for_one_table_empty_handed(database: Database, step: str, held: str) -> None:
    """A transaction that has written the one, and goes on to the other, finds that free, and ends."""
    database.execute(TWO_TABLES)
    tables = {"held": held, "other": OTHER[held]}
    with ThreadPoolExecutor(1) as pool:
        with database.holding(WRITES[held]):
            migrating = pool.submit(database.migrate, STEPS[step])
            wait_until(lambda: database.scalar(EMPTY_HANDED, **tables) or migrating.done(), "it waits, or fails")
            assert not migrating.done(), migrating.exception()
        migrating.result()


def test_the_page_is_that_of_the_docstrings_which_say_it_all() -> None:
    assert PAGE.read_text() == generated(), "write it again: python -m tests.online_migrations.operation_docs"
    said = {name: sections(getattr(ops, name)) for name in ops.__all__ if name not in ("excused", "in_schema")}
    assert [name for name, (_, parts) in said.items() if "Downgrade" not in parts] == []
    without_phase = {name for name, (text, _) in said.items() if not re.search(r"\b([Ee]xpand|[Cc]ontract)\b", text)}
    assert without_phase == {"cancel_backfill", "rename_back_from_view", "require_backfilled"}, "used in either phase"
