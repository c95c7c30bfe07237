"""Lock two tables in either order, so that no transaction that writes both can keep a step out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.release.operations import (
    add_foreign_key_online,
    drop_column_contract,
    drop_constraint_online,
    drop_table_contract,
)
from tests.release.migrating import Database
from tests.waiting import wait_until

TABLES = """
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
    database.execute(TABLES)
    return database


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("held", OTHER)
def test_it_comes_to_wait_for_one_table_without_holding_the_other(
    two_tables: Database, step: Callable[[], object], held: str
) -> None:
    """A transaction that has written the one, and goes on to the other, finds that free, and ends."""
    tables = {"held": held, "other": OTHER[held]}
    with ThreadPoolExecutor(1) as pool:
        with two_tables.holding(WRITES[held]):
            migrating = pool.submit(two_tables.migrate, step)
            wait_until(lambda: two_tables.scalar(EMPTY_HANDED, **tables) or migrating.done(), "it waits, or fails")
            assert not migrating.done(), migrating.exception()
        migrating.result()
