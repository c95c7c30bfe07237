"""An operation skips something of the same name when it is the same, and is red when it is another thing."""

from collections.abc import Callable
from functools import partial

import pytest
import sqlalchemy as sa

from app.release.errors import ReleaseError
from app.release.operations import add_check_online, create_index_online
from tests.release.fingerprint import Fingerprint, schema_fingerprint
from tests.release.migrating import Database
from tests.release.model_project import ModelProject
from tests.release.operation_cases import TABLES
from tests.release.revision_corpus.cases import Operation, read_operations

REPLACEABLE: list[Callable[[], object]] = [
    lambda: add_check_online("things", "ck_things_small", "size < 20", replace=True),
    lambda: create_index_online("ix_things_size", "things", ["size", "name"], replace=True),
    lambda: create_index_online("ix_things_size", "things", ["name"], unique=True, replace=True),
]


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(TABLES)
    return database


@pytest.fixture
def schema(things: Database) -> Callable[[], Fingerprint]:
    return partial(schema_fingerprint, things.engine)


@pytest.mark.parametrize("case", read_operations("same_names"), ids=str)
def test_another_thing_is_told_and_kept(things: Database, case: Operation, schema: Callable[[], Fingerprint]) -> None:
    things.execute(case.setup)
    before = schema()
    with pytest.raises((ReleaseError, sa.exc.ProgrammingError), match=r"wanted"):
        things.migrate(case.upgrade)
    assert schema() == before


def test_it_can_be_replaced_and_nothing_is_left_over(things: Database, schema: Callable[[], Fingerprint]) -> None:
    for upgrade in REPLACEABLE:
        before = schema()
        things.migrate(upgrade)
        once = schema()
        assert once != before
        assert [name for _, name, _ in once if name.endswith(("_new", "_old"))] == []
        things.migrate(upgrade)
        assert schema() == once


def test_a_rule_that_rows_break_replaces_nothing(things: Database, schema: Callable[[], Fingerprint]) -> None:
    things.execute("UPDATE things SET size = 9 WHERE id = 1")
    before = schema()
    with pytest.raises(ReleaseError, match="does not meet"):
        things.migrate(lambda: add_check_online("things", "ck_things_small", "size < 5", replace=True))
    assert schema() == before


def test_what_a_killed_replacement_left_is_not_taken_for_what_is_wanted(things: Database) -> None:
    things.execute("ALTER TABLE things ADD CONSTRAINT ck_things_small_new CHECK (size < 15)")
    things.migrate(lambda: add_check_online("things", "ck_things_small", "size < 20", replace=True))
    definitions = (
        "SELECT string_agg(pg_get_constraintdef(oid), ';') FROM pg_constraint WHERE conname LIKE 'ck_things_small%'"
    )
    assert things.scalar(definitions) == "CHECK ((size < 20))"


def test_the_same_in_other_words_is_the_same(things: Database) -> None:
    things.execute(
        "ALTER TABLE things ADD CONSTRAINT wanted CHECK (name = ANY (ARRAY['thing 1', 'b']::text[])) NOT VALID"
    )
    things.execute("UPDATE things SET name = 'b'")
    things.migrate(lambda: add_check_online("things", "wanted", "name IN ('thing 1', 'b')"))
    assert things.scalar("SELECT convalidated FROM pg_constraint WHERE conname = 'wanted'")


def test_an_index_restored_from_a_dump_is_the_same(things: Database, schema: Callable[[], Fingerprint]) -> None:
    """The server prints its condition with other casts once it has read what it printed."""
    definition = "SELECT pg_get_indexdef('wanted'::regclass)"
    things.execute("CREATE INDEX wanted ON things (size) WHERE name IN ('a', 'b')")
    dumped = things.scalar(definition)
    things.execute(f"DROP INDEX wanted; {dumped}")
    assert things.scalar(definition) != dumped
    before = schema()
    condition = sa.text("name IN ('a', 'b')")
    things.migrate(lambda: create_index_online("wanted", "things", ["size"], postgresql_where=condition))
    assert schema() == before


def rewritten(project: ModelProject, *lines: str) -> None:
    """Write the newest revision anew."""
    project.number -= 1
    project.write("\n".join(lines), phase="contract")


def test_a_column_that_was_mended_after_the_revision_failed_at_its_second_step(project: ModelProject) -> None:
    fails = 'add_unique_online("things", "uq_things_note", ["note"])'
    project.write(f'add_column_online("things", sa.Column("mark", sa.Integer()))\n{fails}', phase="contract")
    with pytest.raises(ReleaseError, match="cannot be unique"):
        project.upgrade()
    project.database.execute("UPDATE things SET note = id::text")
    rewritten(project, 'add_column_online("things", sa.Column("mark", sa.BigInteger()))', fails)
    with pytest.raises(
        ReleaseError, match=r"things\.mark is there already, as integer; this revision would add it as bigint"
    ):
        project.upgrade()
    project.database.execute("ALTER TABLE things DROP COLUMN mark")  # as the sentence says
    project.upgrade()
    assert project.database.scalar("SELECT pg_typeof(max(mark))::text FROM things") == "bigint"


def test_a_default_and_not_null_may_come_from_a_later_line(project: ModelProject) -> None:
    project.database.execute("ALTER TABLE things ADD mark integer DEFAULT 3 NOT NULL")
    adds = 'add_column_online("things", sa.Column("mark", sa.Integer()))'
    project.write(adds, phase="contract")
    with pytest.raises(ReleaseError, match="is there already"):
        project.upgrade()
    assert project.database.scalar("SELECT version_num FROM alembic_version") == "0001"
    later = ['set_default_online("things", "mark", "3")', 'set_not_null_online("things", "mark")']
    rewritten(project, adds, *later)
    project.upgrade()
    assert project.database.scalar("SELECT version_num FROM alembic_version") == "0002"
