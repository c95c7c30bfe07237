"""widen_text_online reads no row and builds no index while nobody can read the table, whatever stands on the column."""

import pytest
from sqlalchemy.exc import IntegrityError

from app.release.errors import UnsafeOperation
from app.release.operations import widen_text_online
from tests.release.migrating import Database

TABLE = """
CREATE TABLE names (id bigint PRIMARY KEY, name varchar(50), CONSTRAINT ck_names_name CHECK (name <> ''));
INSERT INTO names SELECT n, 'name ' || n FROM generate_series(1, 100) n;
"""
TYPE = (
    "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'names'::regclass AND attname = 'name'"
)
CHECK = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_names_name' AND convalidated"


@pytest.fixture
def names(database: Database) -> Database:
    database.execute(TABLE)
    return database


def widen() -> None:
    widen_text_online("names", "name", "VARCHAR(80)")


def test_a_check_holds_before_and_after(names: Database) -> None:
    before = names.scalar(CHECK)
    names.migrate(widen)
    assert names.scalar(TYPE) == "character varying(80)"
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
    assert names.scalar(TYPE) == "character varying(80)"
    assert names.scalar("SELECT convalidated FROM pg_constraint WHERE conname = 'ck_names_long'") is False


@pytest.mark.parametrize(
    "index",
    ["CREATE INDEX ix_names ON names (lower(name))", "CREATE INDEX ix_names ON names (id) WHERE name > 'm'"],
    ids=["an expression", "a condition"],
)
def test_an_index_over_it_is_refused_with_the_way_that_builds_it_beside_the_requests(
    names: Database, index: str
) -> None:
    names.execute(index)
    file = names.scalar("SELECT pg_relation_filenode('ix_names'::regclass)")
    with pytest.raises(UnsafeOperation, match=r"ix_names has .* change_type_online\('names'"):
        names.migrate(widen)
    assert names.scalar(TYPE) == "character varying(50)"
    assert names.scalar("SELECT pg_relation_filenode('ix_names'::regclass)") == file


def test_an_index_of_the_column_as_it_is_is_not_built_anew(names: Database) -> None:
    names.execute("CREATE INDEX ix_names ON names (name)")
    file = names.scalar("SELECT pg_relation_filenode('ix_names'::regclass)")
    names.migrate(widen)
    assert names.scalar("SELECT pg_relation_filenode('ix_names'::regclass)") == file
