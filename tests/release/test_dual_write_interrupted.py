"""Dual writes that were interrupted before any of their statements, while others write: the next run ends the same."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import PendingRollbackError

from app.release.operations import (
    add_check_online,
    add_computed_column_online,
    add_synced_column_online,
    change_type_online,
    drop_dual_write_contract,
    drop_shadow_contract,
)
from tests.release.migrating import Database

TABLES = """
CREATE TABLE things (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name varchar(200) NOT NULL,
    size int NOT NULL DEFAULT 3 CONSTRAINT ck_things_size CHECK (size < 100),
    parent_id int CONSTRAINT fk_things_parent REFERENCES things (id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX ix_things ON things (size, id);
CREATE TABLE parts (id serial PRIMARY KEY, thing_id int CONSTRAINT fk_parts_things REFERENCES things);
INSERT INTO things (name, size) SELECT 'thing ' || n, n % 10 FROM generate_series(1, 60) n;
UPDATE things SET parent_id = id - 1 WHERE id > 1;
INSERT INTO parts (thing_id) SELECT id FROM things;
"""
WRITE = (
    "UPDATE things SET size = (size + 1) % 10, name = name || '.' WHERE id % 7 = :n % 7;"
    " INSERT INTO things (name) VALUES ('new')"
)


class Change(NamedTuple):
    """
    Args:
        wrong: a query that counts the rows in which a dual write is wrong, after `up`.
    """

    up: Callable[[], object]
    down: Callable[[], object]
    wrong: str


def narrow(column: str) -> None:
    change_type_online("things", column, "INTEGER")
    drop_shadow_contract("things", column)


CHANGES = {
    "type": Change(
        lambda: change_type_online("things", "size", "BIGINT"),
        lambda: narrow("size"),
        "SELECT count(*) FROM things WHERE size IS DISTINCT FROM size_shadow",
    ),
    "key": Change(
        lambda: change_type_online("things", "id", "BIGINT"),
        lambda: narrow("id"),
        "SELECT count(*) FROM things WHERE id IS DISTINCT FROM id_shadow",
    ),
    "computed": Change(
        lambda: add_computed_column_online("things", sa.Column("words", sa.Integer, nullable=False), "length(name)"),
        lambda: drop_dual_write_contract("things", "words"),
        "SELECT count(*) FROM things WHERE words IS DISTINCT FROM length(name)",
    ),
    "synced": Change(
        lambda: add_synced_column_online("things", "size", sa.Column("label", sa.Text), "size::text", "label::int"),
        lambda: drop_dual_write_contract("things", "label"),
        "SELECT count(*) FROM things WHERE label IS DISTINCT FROM size::text",
    ),
    "check": Change(
        lambda: add_check_online("things", "ck_things_size", "size < 200", replace=True),
        lambda: add_check_online("things", "ck_things_size", "size < 100", replace=True),
        "SELECT count(*) FROM things WHERE size >= 200",
    ),
}


class Interrupted(BaseException):
    """As if the process had been killed."""


class Interruptions:
    """Ends a run before its statement number n; a query of what there is, and a setting, count as none."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.left: int | None = None

    def count(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if self.left is None or statement.startswith(("SELECT", "SET lock_timeout", "SET statement_timeout")):
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Interrupted

    def ended(self, upgrade: Callable[[], object], statement: int) -> bool:
        """Whether the run came so far that it was ended."""
        self.left = statement
        try:
            self.database.migrate(upgrade)
        except (Interrupted, PendingRollbackError):  # what wants to clean up finds the connection gone
            return True
        self.left = None
        return False


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(TABLES)
    return database


@pytest.fixture
def interruptions(things: Database) -> Iterator[Interruptions]:
    interruptions = Interruptions(things)
    event.listen(things.migrating, "before_cursor_execute", interruptions.count)
    yield interruptions
    event.remove(things.migrating, "before_cursor_execute", interruptions.count)


@pytest.mark.minutes
@pytest.mark.timeout(300)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_interrupted_before_any_statement_and_run_again_it_ends_as_if_nothing_had_been(
    things: Database, interruptions: Interruptions, change: Change, schema_dump: Callable[[], str]
) -> None:
    before = schema_dump()
    things.migrate(change.up)
    after, statement, points = schema_dump(), 0, 0
    for upgrade, reset, expected in ((change.down, change.up, before), (change.up, change.down, after)):
        statement = 0
        while interruptions.ended(upgrade, statement):
            things.execute(WRITE, n=statement)
            things.migrate(upgrade)
            assert schema_dump() == expected, f"interrupted before statement {statement}"
            assert expected == before or things.scalar(change.wrong) == 0
            things.migrate(reset)
            statement += 1
        points += statement
    assert points >= 4, "every step was interrupted"
    assert things.scalar("SELECT count(*) FROM things") == 60 + points
