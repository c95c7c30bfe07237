"""While a dual write comes and goes, code of both releases reads and writes: nothing fails, and no value is wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
import sqlalchemy as sa
from sqlalchemy import text

from app.release.operations import (
    add_computed_column_online,
    add_synced_column_online,
    change_type_online,
    drop_dual_write_contract,
    drop_shadow_contract,
)
from tests.release.migrating import Database

ROWS = 3000
WRITERS = 3
TABLES = f"""
CREATE TABLE things (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, size int NOT NULL DEFAULT 3);
CREATE INDEX ix_things_size ON things (size);
CREATE TABLE parts (id serial PRIMARY KEY, thing_id int NOT NULL CONSTRAINT fk_parts_things REFERENCES things);
INSERT INTO things (name, size) SELECT 'thing ' || n, n FROM generate_series(1, {ROWS}) n;
INSERT INTO parts (thing_id) SELECT id FROM things;
"""


class Writer(Thread):
    """A process of a release: it changes rows of its own, adds some, reads each back, and remembers what it wrote."""

    def __init__(self, database: Database, number: int, stopped: Event) -> None:
        super().__init__(daemon=True)
        self.database, self.number, self.stopped = database, number, stopped
        self.wrote: dict[int, tuple[str, int]] = {}
        self.failed: list[str] = []

    def run(self) -> None:
        own = range(self.number, ROWS + 1, WRITERS)
        turn = 0
        while not self.stopped.is_set():
            turn += 1
            try:
                self.write(own[turn * 7 % len(own)], turn)
            except Exception as error:
                self.failed.append(str(error))

    def write(self, key: int, turn: int) -> None:
        with self.database.engine.begin() as connection:
            name = "x" * (turn % 9)
            values = {"id": key, "name": name, "size": turn}
            connection.execute(text("UPDATE things SET name = :name, size = :size WHERE id = :id"), values)
            added = "INSERT INTO things (name, size) VALUES (:name, :size) RETURNING id"
            new_key = connection.scalar(text(added), values)
            connection.execute(text("INSERT INTO parts (thing_id) VALUES (:id)"), {"id": new_key})
        for written in (key, new_key):
            self.wrote[written] = (name, turn)
        with self.database.engine.begin() as connection:
            read = connection.execute(text("SELECT name, size FROM things WHERE id = :id"), values).one()
        if tuple(read) != self.wrote[key]:
            self.failed.append(f"read {read}, wrote {self.wrote[key]}")


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(TABLES)
    return database


@contextmanager
def traffic(database: Database) -> Iterator[list[Writer]]:
    """While the block runs; afterwards everything that was written is there, and nothing failed."""
    stopped = Event()
    writers = [Writer(database, number, stopped) for number in range(1, WRITERS + 1)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        stopped.set()
        for writer in writers:
            writer.join()
    wrote = {key: value for writer in writers for key, value in writer.wrote.items()}
    assert [failure for writer in writers for failure in writer.failed] == []
    assert len(wrote) > 50
    with database.engine.begin() as connection:
        found = {row.id: (row.name, row.size) for row in connection.execute(text("SELECT id, name, size FROM things"))}
    assert {key: found[key] for key in wrote} == wrote


def take_back(column: str) -> None:
    change_type_online("things", column, "INTEGER")
    drop_shadow_contract("things", column)


CHANGES: dict[str, tuple[Callable[[], object], str, Callable[[], object]]] = {
    "type": (
        lambda: change_type_online("things", "size", "BIGINT"),
        "size IS DISTINCT FROM size_shadow",
        lambda: take_back("size"),
    ),
    "key": (
        lambda: change_type_online("things", "id", "BIGINT"),
        "id IS DISTINCT FROM id_shadow",
        lambda: take_back("id"),
    ),
    "computed": (
        lambda: add_computed_column_online("things", sa.Column("words", sa.Integer, nullable=False), "length(name)"),
        "words IS DISTINCT FROM length(name)",
        lambda: drop_dual_write_contract("things", "words"),
    ),
    "synced": (
        lambda: add_synced_column_online("things", "size", sa.Column("label", sa.Text), "size::text", "label::int"),
        "label IS DISTINCT FROM size::text",
        lambda: drop_dual_write_contract("things", "label"),
    ),
}


@pytest.mark.minutes
@pytest.mark.parametrize(("change", "wrong", "back"), CHANGES.values(), ids=CHANGES)
def test_forth_and_back_under_traffic_no_write_fails_and_no_value_is_wrong(
    things: Database, change: Callable[[], object], wrong: str, back: Callable[[], object]
) -> None:
    with traffic(things):
        things.migrate(change)
        assert things.scalar(f"SELECT count(*) FROM things WHERE {wrong}") == 0
        things.migrate(back)
