"""Computed and synced columns: right in every row, whichever release wrote it, and taken back when a row refuses."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.operations.dual_writes import (
    add_computed_column_online,
    add_synced_column_online,
    drop_dual_write_contract,
    stop_dual_write_contract,
)
from online_migrations.operations.tables import add_column_online, drop_column_contract
from online_migrations.operations.type_changes import change_type_online, drop_shadow_contract
from tests.online_migrations.migrating import Database

TABLE = """
CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, size text NOT NULL DEFAULT '0');
INSERT INTO things (name, size) SELECT 'thing ' || n, n::text FROM generate_series(1, 50) n;
UPDATE things SET size = '007' WHERE id = 7;
"""
FORWARD = r"CASE WHEN size ~ '^\d{1,9}$' THEN size::int END"
BOTH = "SELECT size || ' ' || amount FROM things WHERE id = :id"


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(TABLE)
    return database


def compute(expression: str, *, nullable: bool = True) -> Callable[[], None]:
    column = sa.Column("words", sa.Integer, nullable=nullable, comment="how many")
    return lambda: add_computed_column_online("things", column, expression)


def sync(forward: str = FORWARD, back: str = "amount::text", *, nullable: bool = True) -> Callable[[], None]:
    column = sa.Column("amount", sa.Integer, nullable=nullable)
    return lambda: add_synced_column_online("things", "size", column, forward, back)


WORDS = r"coalesce(array_length(regexp_split_to_array(name, '\s+'), 1), 0)"


@pytest.mark.smoke
def test_a_computed_column_is_right_in_every_row_that_old_code_writes(things: Database) -> None:
    things.migrate(compute(WORDS, nullable=False))
    things.execute("INSERT INTO things (name) VALUES ('one two three'), (NULL)")
    things.execute("UPDATE things SET name = 'one' WHERE id = 1")
    things.execute("UPDATE things SET words = 99 WHERE id = 2")
    assert things.scalar(f"SELECT count(*) FROM things WHERE words IS DISTINCT FROM {WORDS}".replace(":", r"\:")) == 0
    assert things.scalar("SELECT array_agg(words ORDER BY id DESC) FROM things WHERE id > 49") == [0, 3, 2]


def test_a_value_that_cannot_be_computed_does_not_fail_the_write(things: Database) -> None:
    things.execute("UPDATE things SET name = id")
    things.migrate(compute("100 / name::int"))
    things.execute("UPDATE things SET name = '0' WHERE id = 1")
    things.execute("UPDATE things SET name = 'none' WHERE id = 2")
    assert things.scalar("SELECT count(*) FROM things WHERE words IS NULL") == 2


NO_EXPRESSIONS: list[tuple[Callable[[], object], str]] = [
    (compute("length(colour)"), "not a value for things"),
    (compute("nowhere.f(name)"), "not a value for things"),
    (compute("count(*)"), "not a value for things"),
    (compute("row_number() OVER ()"), "not a value for things"),
    (compute("now()"), "not a value for things"),
    (compute("name::int"), "fails for a row"),
    (compute("(random() * 1000000000)::int"), "without an end"),
    (compute("nullif(length(name), 8)", nullable=False), "still holds NULL"),
    (sync("size::int + 'a'"), "not a value for things"),
    (sync(back="amount + colour"), "not a value for things"),
    (sync("name::int"), "fails for a row"),
    (sync("nullif(size::int, 8)", nullable=False), "still holds NULL"),
    (lambda: add_computed_column_online("things", sa.Column("x", sa.Integer, server_default="0"), "1"), "default"),
    (lambda: add_computed_column_online("things", sa.Column("x", sa.Integer, index=True), "1"), "an index"),
]


def test_an_expression_that_is_none_is_refused_and_nothing_of_it_is_left(things: Database) -> None:
    for upgrade, reason in NO_EXPRESSIONS:
        with things.unchanged(), pytest.raises(UnsafeOperation, match=reason):
            things.migrate(upgrade)
    things.execute("INSERT INTO things (name) VALUES ('new')")


def test_another_column_or_expression_is_not_taken_for_the_one_that_is_wanted(things: Database) -> None:
    things.execute("ALTER TABLE things ADD words text")
    with pytest.raises(ReleaseError, match=r"things\.words is there already"):
        things.migrate(compute("length(name)"))
    things.execute("ALTER TABLE things DROP words")
    things.migrate(compute("length(name)"))
    things.migrate(compute("length(name) + 1"))
    things.execute("UPDATE things SET name = 'one' WHERE id = 1")
    assert things.scalar("SELECT count(*) FROM things WHERE words IS DISTINCT FROM length(name) + 1") == 0


@pytest.mark.parametrize("column", ["name", "words"])
def test_what_a_dual_write_needs_cannot_be_dropped_under_it(things: Database, column: str) -> None:
    things.migrate(compute("length(name)"))
    with pytest.raises(DBAPIError, match="other objects depend on it"):
        things.migrate(lambda: drop_column_contract("things", column))
    things.execute("INSERT INTO things (name) VALUES ('new')")
    things.migrate(lambda: stop_dual_write_contract("things", "words"))
    assert things.scalar("UPDATE things SET words = 99 WHERE id = 2 RETURNING words") == 99
    things.migrate(lambda: drop_column_contract("things", column))
    things.execute("INSERT INTO things (size) VALUES ('new')")


WRITES = {
    "UPDATE things SET size = '40' WHERE id = 1": "40 40",
    "UPDATE things SET amount = 41 WHERE id = 1": "41 41",
    "UPDATE things SET amount = 42, size = '43' WHERE id = 1": "42 42",
    "UPDATE things SET amount = 44, size = '044' WHERE id = 1": "044 44",
    "UPDATE things SET name = 'other' WHERE id = 1": "044 44",
    "INSERT INTO things (size) VALUES ('45')": "45 45",
    "INSERT INTO things (amount) VALUES (46)": "46 46",
    "INSERT INTO things (name) VALUES ('by default')": "0 0",
    "INSERT INTO things (size, amount) VALUES ('047', 47)": "047 47",
}


def test_rows_that_were_there_keep_their_spelling_and_a_write_of_one_is_in_the_other(things: Database) -> None:
    things.migrate(sync())
    assert things.scalar(BOTH, id=7) == "007 7"
    assert things.scalar("SELECT count(*) FROM things WHERE size::int IS DISTINCT FROM amount") == 0
    for write, both in WRITES.items():
        written = things.scalar(f"{write} RETURNING id")
        assert things.scalar(BOTH, id=written) == both, write


def test_a_value_that_the_other_cannot_hold_is_kept_by_a_later_write_of_something_else(things: Database) -> None:
    things.migrate(sync())
    things.execute("UPDATE things SET size = 'many' WHERE id = 1")
    assert things.scalar("SELECT amount FROM things WHERE id = 1") is None
    things.execute("UPDATE things SET name = 'other'")
    assert things.scalar("SELECT size FROM things WHERE id = 1") == "many"
    assert things.scalar(BOTH, id=7) == "007 7"


def test_new_code_is_refused_what_old_code_could_not_read_where_it_must(things: Database) -> None:
    things.migrate(sync(back="nullif(amount, 13)::text"))
    with pytest.raises(IntegrityError, match="size"):
        things.execute("UPDATE things SET amount = 13 WHERE id = 1")
    assert things.scalar(BOTH, id=1) == "1 1"


def test_the_way_back_leaves_the_old_column_with_every_write(things: Database) -> None:
    before = things.definitions()
    things.migrate(sync(nullable=False))
    things.execute("UPDATE things SET amount = 41 WHERE id = 1")
    things.migrate(lambda: drop_dual_write_contract("things", "amount"))
    assert things.definitions() == before
    assert things.scalar("SELECT size FROM things WHERE id = 1") == "41"


@pytest.mark.parametrize("upgrade", [compute("length(name)"), sync()], ids=["computed", "synced"])
def test_a_session_that_was_there_before_goes_on(things: Database, upgrade: Callable[[], object]) -> None:
    """A session keeps the trigger's function as it compiled it, with the columns of then."""
    things.execute("ALTER TABLE things ADD first int DEFAULT 1, ADD second int DEFAULT 2")
    things.migrate(upgrade)
    changes: list[Callable[[], object]] = [
        lambda: add_column_online("things", sa.Column("third", sa.Text)),
        lambda: change_type_online("things", "second", "BIGINT"),
        lambda: drop_shadow_contract("things", "second"),
        lambda: drop_column_contract("things", "first"),
    ]
    write = sa.text("UPDATE things SET name = name || '.', size = :size WHERE id = 1")
    with things.engine.connect() as session:
        for size, change in enumerate(changes):
            session.execute(write, {"size": str(size)})
            session.commit()
            things.migrate(change)
        session.execute(write, {"size": "44"})
        session.commit()
    row = things.scalar("SELECT to_jsonb(things) FROM things WHERE id = 1")
    assert row.get("words", len(row["name"])) == len(row["name"])
    assert row.get("amount", 44) == 44


def test_a_name_in_an_expression_means_the_same_in_a_session_that_looks_elsewhere(things: Database) -> None:
    things.execute("CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS 'SELECT 2 * x'")
    things.migrate(compute("twice(length(name))"))
    with things.engine.begin() as session:
        session.execute(sa.text("SET LOCAL search_path = pg_catalog"))
        session.execute(sa.text("UPDATE public.things SET name = 'one' WHERE id = 1"))
    assert things.scalar("SELECT words FROM things WHERE id = 1") == 6
