"""Operations that are interrupted before any statement, and dual writes that come and go while both releases write."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy import event, text
from sqlalchemy.exc import PendingRollbackError

from online_migrations.operations.dual_writes import (
    add_computed_column_online,
    add_synced_column_online,
    drop_dual_write_contract,
)
from online_migrations.operations.type_changes import change_type_online, drop_shadow_contract
from tests.online_migrations.dumps import Fingerprint
from tests.online_migrations.migrating import Database, traffic
from tests.online_migrations.revision_corpus.cases import CASES, WITH_BACKFILLS

pytestmark = pytest.mark.minutes

WRITERS = 3
TABLES = """
CREATE TABLE things (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name varchar(200) NOT NULL,
    size int NOT NULL DEFAULT 3 CONSTRAINT ck_things_size CHECK (size < 100),
    parent_id int CONSTRAINT fk_things_parent REFERENCES things (id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX ix_things ON things (size, id);
CREATE TABLE parts (id serial PRIMARY KEY, thing_id int CONSTRAINT fk_parts_things REFERENCES things);
INSERT INTO things (name, size) SELECT 'thing ' || n, n % 10 FROM generate_series(1, {rows}) n;
UPDATE things SET parent_id = id - 1 WHERE id > 1;
INSERT INTO parts (thing_id) SELECT id FROM things;
"""
FEW, MANY = 60, 3000
EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
WRITE = """UPDATE things SET size = 9 - size, name = name || '.' WHERE id % 7 = 3;
    INSERT INTO things (name) VALUES ('new')"""


class Change(NamedTuple):
    """Hold a dual write, the way back, and which rows it has left wrong."""

    up: Callable[[], object]
    down: Callable[[], object]
    wrong: str


def widened(column: str) -> Change:
    def narrow() -> None:
        change_type_online("things", column, "INTEGER")
        drop_shadow_contract("things", column)

    wrong = f"{column} IS DISTINCT FROM {column}_shadow"
    return Change(lambda: change_type_online("things", column, "BIGINT"), narrow, wrong)


DUAL_WRITES = {
    "type": widened("size"),
    "key": widened("id"),
    "computed": Change(
        lambda: add_computed_column_online("things", sa.Column("words", sa.Integer, nullable=False), "length(name)"),
        lambda: drop_dual_write_contract("things", "words"),
        "words IS DISTINCT FROM length(name)",
    ),
    "synced": Change(
        lambda: add_synced_column_online("things", "size", sa.Column("label", sa.Text), "size::text", "label::int"),
        lambda: drop_dual_write_contract("things", "label"),
        "label IS DISTINCT FROM size::text",
    ),
}


class Interruptible(NamedTuple):
    """Hold what is there before an operation; what the live release writes before the next run; what holds then."""

    setup: str
    before: Callable[[], object]
    upgrade: Callable[[], object]
    write: str
    holds: str


def fewer(operation: str, sql: str) -> str:
    """Return the SQL with fewer rows, unless they are what is interrupted: a backfill works in batches."""
    return sql if "backfill" in operation else sql.replace("3000", str(FEW))


ROWS = f"SELECT count(*) = {FEW + 1} AND count(*) FILTER (WHERE {{wrong}}) = 0 FROM things"
INTERRUPTIBLE = {
    **{
        f"{number} {case.name}": Interruptible(
            fewer(case.name, f"{WITH_BACKFILLS}; {case.setup}"),
            *(lambda: None, case.upgrade, "SELECT 1", fewer(case.name, case.holds)),
        )
        for number, case in enumerate(CASES)
        if case.name not in ("change_type_online", "require_backfilled")
    },
    **{
        f"{name} {way}": Interruptible(TABLES.format(rows=FEW), before, upgrade, WRITE, ROWS.format(wrong=wrong))
        for name, change in DUAL_WRITES.items()
        for way, before, upgrade, wrong in (
            ("up", lambda: None, change.up, change.wrong),
            ("down", change.up, change.down, "false"),
        )
    },
}


class Interrupted(BaseException):
    """Stand for the end of a process that is killed."""


def ended(database: Database, upgrade: Callable[[], object], number: int) -> bool:
    """End the run before its statement of this number; return whether it came so far.

    A query of what there is, and a setting, count as none.
    """
    left = itertools.count(number, -1)

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("SELECT", "SET lock_timeout", "SET statement_timeout")) and next(left) == 0:
            raise Interrupted

    event.listen(database.migrating, "before_cursor_execute", count)
    try:
        database.migrate(upgrade)
    except (Interrupted, PendingRollbackError):  # what wants to clean up finds the connection gone
        return True
    finally:
        event.remove(database.migrating, "before_cursor_execute", count)
    return False


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", INTERRUPTIBLE)
def test_an_interrupted_one_is_finished_by_the_next_run(database: Database, name: str) -> None:
    case = INTERRUPTIBLE[name]
    finished: set[Fingerprint] = set()
    for number in itertools.count():
        database.execute(EMPTY)
        database.execute(case.setup)
        database.migrate(case.before)
        is_interrupted = ended(database, case.upgrade, number)
        database.execute(case.write)
        database.migrate(case.upgrade)
        assert database.scalar(case.holds), f"interrupted before statement {number}"
        finished.add(database.definitions())
        if not is_interrupted:
            break
    assert number > 0
    assert len(finished) == 1


ADD = text("INSERT INTO things (name, size) VALUES (:name, :size) RETURNING id")
CHANGE = text("UPDATE things SET name = :name, size = :size WHERE id = :id")


@pytest.mark.parametrize("change", DUAL_WRITES.values(), ids=DUAL_WRITES)
def test_forth_and_back_under_traffic_no_write_fails_and_no_value_is_wrong(database: Database, change: Change) -> None:
    wrote: dict[int, list[Any]] = {}

    def write(writer: int, turn: int) -> None:
        """Change a row as a process of a release does, add one, read the first back, and remember both."""
        own = range(writer + 1, MANY + 1, WRITERS)
        values: dict[str, Any] = {"id": own[turn * 7 % len(own)], "name": "x" * (turn % 9), "size": turn % 100}
        with database.engine.begin() as connection:
            connection.execute(CHANGE, values)
            new_key = connection.scalar(ADD, values)
            connection.execute(text("INSERT INTO parts (thing_id) VALUES (:id)"), {"id": new_key})
        wrote[values["id"]] = wrote[new_key] = [values["name"], values["size"]]
        read = database.scalar("SELECT jsonb_build_array(name, size) FROM things WHERE id = :id", id=values["id"])
        assert read == wrote[values["id"]]

    database.execute(TABLES.format(rows=MANY))
    with traffic(WRITERS, write):
        database.migrate(change.up)
        assert database.scalar(f"SELECT count(*) FROM things WHERE {change.wrong}") == 0
        database.migrate(change.down)
    found = database.scalar("SELECT jsonb_object_agg(id, jsonb_build_array(name, size)) FROM things")
    assert {key: found[str(key)] for key in wrote} == wrote
