"""Operations that are interrupted before any statement, and dual writes that come and go while both releases write."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy import event, text
from sqlalchemy.exc import PendingRollbackError

from app.release.operations import (
    add_computed_column_online,
    add_synced_column_online,
    change_type_online,
    drop_dual_write_contract,
    drop_shadow_contract,
)
from tests.databases import Environment, copied_database, template
from tests.release import dumps
from tests.release.migrating import Database, connected, traffic
from tests.release.operation_cases import CASES, WITH_BACKFILLS
from tests.release.revision_corpus.cases import Operation

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
WRITE = (
    "UPDATE things SET size = (size + 1) % 10, name = name || '.' WHERE id % 7 = :n % 7;"
    " INSERT INTO things (name) VALUES ('new')"
)


class Change(NamedTuple):
    """
    Args:
        wrong: which rows a dual write has left wrong, after `up`.
    """

    up: Callable[[], object]
    down: Callable[[], object]
    wrong: str


def narrow(column: str) -> None:
    change_type_online("things", column, "INTEGER")
    drop_shadow_contract("things", column)


DUAL_WRITES = {
    "type": Change(
        lambda: change_type_online("things", "size", "BIGINT"),
        lambda: narrow("size"),
        "size IS DISTINCT FROM size_shadow",
    ),
    "key": Change(
        lambda: change_type_online("things", "id", "BIGINT"), lambda: narrow("id"), "id IS DISTINCT FROM id_shadow"
    ),
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


def wrong_rows(database: Database, change: Change) -> int:
    return int(database.scalar(f"SELECT count(*) FROM things WHERE {change.wrong}"))


class Interrupted(BaseException):
    """Stand for the end of a process that is killed."""


class Interruptions:
    """End a run before its statement number n; a query of what there is, and a setting, count as none."""

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
        """Return whether the run came so far that it was ended."""
        self.left = statement
        try:
            self.database.migrate(upgrade)
        except (Interrupted, PendingRollbackError):  # what wants to clean up finds the connection gone
            return True
        self.left = None
        return False


@contextmanager
def interrupted_runs(database: Database) -> Iterator[Interruptions]:
    interruptions = Interruptions(database)
    event.listen(database.migrating, "before_cursor_execute", interruptions.count)
    yield interruptions
    event.remove(database.migrating, "before_cursor_execute", interruptions.count)


@pytest.fixture
def interruptions(database: Database) -> Iterator[Interruptions]:
    with interrupted_runs(database) as interruptions:
        yield interruptions


@pytest.mark.timeout(300)
@pytest.mark.parametrize("change", DUAL_WRITES.values(), ids=DUAL_WRITES)
def test_interrupted_before_any_statement_and_run_again_it_ends_as_if_nothing_had_been(
    database: Database, interruptions: Interruptions, change: Change, schema_dump: Callable[[], str]
) -> None:
    database.execute(TABLES.format(rows=FEW))
    before = schema_dump()
    database.migrate(change.up)
    after, points = schema_dump(), 0
    for upgrade, reset, expected in ((change.down, change.up, before), (change.up, change.down, after)):
        statement = 0
        while interruptions.ended(upgrade, statement):
            database.execute(WRITE, n=statement)
            database.migrate(upgrade)
            assert schema_dump() == expected, f"interrupted before statement {statement}"
            assert expected == before or wrong_rows(database, change) == 0
            database.migrate(reset)
            statement += 1
        points += statement
    assert points >= 4, "every step was interrupted"
    assert database.scalar("SELECT count(*) FROM things") == FEW + points


OTHERS = [case for case in CASES if case.name not in ("change_type_online", "require_backfilled")]


@pytest.mark.parametrize("case", OTHERS, ids=[case.name for case in OTHERS])
def test_an_interrupted_one_is_finished_by_the_next_run(server_environment: Environment, case: Operation) -> None:
    def make(environment: Environment) -> None:
        with connected(environment) as database:
            database.execute(f"{WITH_BACKFILLS}; {case.setup}")

    made = template(server_environment, f"interrupted_{CASES.index(case)}", make)
    finished: set[str] = set()
    for statement in itertools.count():
        with copied_database(server_environment, made) as environment, connected(environment) as database:
            with interrupted_runs(database) as interruptions:
                ended = interruptions.ended(case.upgrade, statement)
            database.migrate(case.upgrade)
            assert database.scalar(case.holds), f"interrupted before statement {statement}"
            finished.add(dumps.schema_dump(environment))
        if not ended:
            break
    assert statement > 0
    assert len(finished) == 1


class Process:
    """Change rows as a process of a release does, add some, read them back, and remember all of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.wrote: dict[int, tuple[str, int]] = {}

    def write(self, writer: int, turn: int) -> None:
        own = range(writer + 1, MANY + 1, WRITERS)
        values: dict[str, Any] = {"id": own[turn * 7 % len(own)], "name": "x" * (turn % 9), "size": turn % 100}
        with self.database.engine.begin() as connection:
            connection.execute(text("UPDATE things SET name = :name, size = :size WHERE id = :id"), values)
            added = "INSERT INTO things (name, size) VALUES (:name, :size) RETURNING id"
            new_key = connection.scalar(text(added), values)
            connection.execute(text("INSERT INTO parts (thing_id) VALUES (:id)"), {"id": new_key})
        for written in (values["id"], new_key):
            self.wrote[written] = (values["name"], values["size"])
        assert self.read(values["id"]) == {values["id"]: self.wrote[values["id"]]}

    def read(self, key: int = 0) -> dict[int, tuple[str, int]]:
        query = text("SELECT id, name, size FROM things WHERE id = :id OR :id = 0")
        with self.database.engine.begin() as connection:
            return {row.id: (row.name, row.size) for row in connection.execute(query, {"id": key})}


@pytest.mark.parametrize("change", DUAL_WRITES.values(), ids=DUAL_WRITES)
def test_forth_and_back_under_traffic_no_write_fails_and_no_value_is_wrong(database: Database, change: Change) -> None:
    database.execute(TABLES.format(rows=MANY))
    process = Process(database)
    with traffic(WRITERS, process.write):
        database.migrate(change.up)
        assert wrong_rows(database, change) == 0
        database.migrate(change.down)
    found = process.read()
    assert {key: found[key] for key in process.wrote} == process.wrote
