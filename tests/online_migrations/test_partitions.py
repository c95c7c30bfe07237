"""Partitioned tables: what an operation makes of the whole is made of each partition beside the traffic before."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, text

from online_migrations import operations as ops
from online_migrations.errors import UnsafeOperation
from online_migrations.plan import plan
from tests.online_migrations.migrating import Database
from tests.online_migrations.model_project import ModelProject
from tests.online_migrations.test_interruptions import ended

TABLES = """
CREATE TABLE owners (id bigint PRIMARY KEY);
CREATE TABLE events (at date NOT NULL, id bigint NOT NULL, owner_id bigint, size int) PARTITION BY RANGE (at)
"""
PARTS = """
CREATE TABLE early PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE late PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (id);
CREATE SCHEMA parts; CREATE TABLE parts.late_1 PARTITION OF late FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO events SELECT '2025-09-01'::date + n, n FROM generate_series(1, 200) n;
"""
COMES = """
CREATE TABLE next (LIKE events); INSERT INTO next VALUES ('2027-01-01', 1);
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')
"""
INDEX = partial(ops.create_index_online, "ix", "events")
UNIQUE = partial(ops.add_unique_online, "events", "uq")
FOREIGN_KEY = partial(ops.add_foreign_key_online, "fk", "events", "owners", ["owner_id"], ["id"])
OPERATIONS: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
    "index": (partial(INDEX, ["size"]), partial(ops.drop_index_online, "ix")),
    "other index": (partial(INDEX, [text("(size + 1)")], replace=True), partial(INDEX, ["size"], replace=True)),
    "unique": (partial(UNIQUE, ["id", "at"]), partial(ops.drop_constraint_online, "events", "uq")),
    "other unique": (partial(UNIQUE, ["at", "id"], replace=True), partial(UNIQUE, ["id", "at"], replace=True)),
    "key": (
        partial(ops.add_primary_key_online, "events", "pk", ["at", "id"]),
        partial(ops.drop_constraint_online, "events", "pk"),
    ),
    "foreign key": (FOREIGN_KEY, partial(ops.drop_constraint_online, "events", "fk")),
    "other foreign key": (partial(FOREIGN_KEY, ondelete="CASCADE", replace=True), partial(FOREIGN_KEY, replace=True)),
}
QUICK = ("index", "foreign key")
OTHERS = [name for name in OPERATIONS if name not in QUICK]


@pytest.fixture
def events(database: Database) -> Database:
    database.execute(TABLES)
    return database


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.minutes) for name in OTHERS)])
def test_forth_back_and_again_though_it_was_killed_and_a_partition_has_come(events: Database, name: str) -> None:
    up, down = OPERATIONS[name]
    found = []
    for number in itertools.count():
        events.execute(
            f"DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS parts CASCADE; CREATE SCHEMA public; {TABLES}"
        )
        events.execute(PARTS)
        if name.startswith("other"):
            events.migrate(down)
        if not ended(events, up, number):
            break
        events.execute(COMES)
        for operation in (up, down, up):
            events.migrate(operation)
            found.append(events.definitions())
    assert number > 3
    assert len({*found[::3], *found[2::3]}) == len({*found[1::3]}) == 1


def test_what_a_partition_has_already_is_taken_and_not_built_again(events: Database) -> None:
    """Also where an INVALID index of the whole, which was begun by hand, holds it."""
    events.execute(PARTS)
    events.execute("CREATE INDEX mine ON early (size); ALTER TABLE early ADD CONSTRAINT hers UNIQUE (id, at)")
    file = "SELECT pg_relation_filenode('mine'), pg_relation_filenode('hers')"
    before = events.scalar(file)
    events.migrate(OPERATIONS["index"][0])
    events.migrate(OPERATIONS["unique"][0])
    assert events.scalar(file) == before
    taken = "SELECT array_agg(inhrelid::regclass::text) @> ARRAY['mine', 'hers'] AND count(*) = 4 FROM pg_inherits"
    assert events.scalar(f"{taken} WHERE inhparent IN ('ix'::regclass, 'uq'::regclass)")
    events.migrate(OPERATIONS["index"][1])
    events.execute("CREATE INDEX ix ON ONLY events (size); CREATE INDEX mine ON early (size)")
    events.execute("ALTER INDEX ix ATTACH PARTITION mine")
    events.migrate(OPERATIONS["index"][0])
    whole = "SELECT indisvalid AND to_regclass('mine') IS NULL FROM pg_index WHERE indexrelid = 'ix'::regclass"
    assert events.scalar(whole)


def test_a_row_that_breaks_the_rule_or_a_key_of_some_partitions_leaves_nothing(events: Database) -> None:
    events.execute(f"{PARTS}; INSERT INTO events VALUES ('2026-02-01', 1, 9), ('2026-02-01', 1, 9)")
    refused: dict[str, Callable[[], None]] = {
        "late_1 has rows that are the same": OPERATIONS["unique"][0],
        "a row of events refers to no owners": FOREIGN_KEY,
        "partitioned by at, .* Put the partition key into it: id, at": partial(UNIQUE, ["id"]),
        "partitioned by id, ": partial(INDEX, ["at"], unique=True),
        "ix, parts.ix_half has": partial(ops.widen_text_online, "events", "what", "TEXT"),
    }
    events.execute("ALTER TABLE events ADD what varchar(9); CREATE INDEX ix ON events (what)")
    events.execute("CREATE INDEX ix_half ON parts.late_1 (size) WHERE what > ''")
    with events.unchanged():
        for said, operation in refused.items():
            with pytest.raises(UnsafeOperation, match=said):
                events.migrate(operation)


SHORT = sa.String(9)


def mapped(models: MetaData, *more: Any, size: Any = sa.Integer, what: Any = SHORT) -> None:
    columns = (sa.Column("at", sa.Date, primary_key=True), sa.Column("id", sa.BigInteger, primary_key=True))
    others = (sa.Column("owner_id", sa.BigInteger), sa.Column("size", size), sa.Column("what", what, index=True))
    Table("events", models, *columns, *others, *more, postgresql_partition_by="RANGE (at)")


def grown(models: MetaData) -> None:
    mapped(
        models,
        sa.Column("colour", sa.String(9), nullable=False, server_default="red", index=True),
        sa.CheckConstraint("size > 0", name="size"),
        sa.UniqueConstraint("size", "id", "at"),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"]),
    )
    columns = (sa.Column("event_at", sa.Date), sa.Column("event_id", sa.BigInteger))
    Table("notes", models, *columns, sa.ForeignKeyConstraint(["event_at", "event_id"], ["events.at", "events.id"]))


def test_a_mapped_one_is_changed_as_others_are_or_refused_before_a_revision_is_written(project: ModelProject) -> None:
    project.change(mapped)
    project.migrate()
    project.upgrade()
    project.database.execute(PARTS)
    before = project.database.definitions()
    refused: dict[str, Callable[[MetaData], None]] = {
        "Put the partition key into it: size, at, id": lambda models: mapped(models, sa.UniqueConstraint("size")),
        "INTEGER to BIGINT, .* has partitions": partial(mapped, size=sa.BigInteger),
        "ix_events_what has": partial(mapped, what=sa.Text),
    }
    for said, change in refused.items():
        project.change(change)
        with pytest.raises(UnsafeOperation, match=said):
            project.migrate()
    project.change(grown)
    assert project.migrate() is not None
    with project.database.migrating.connect() as connection:
        notes = plan(connection, ScriptDirectory(str(project.folder)), project.metadata).notes
    assert [note.partition(":")[0] for note in notes] == ["events is partitioned"]
    for _ in range(2):
        project.upgrade()
        project.check()
        assert project.migrate() is None
        assert [one.what for one in project.diagnosed() if "event" in one.what] == []
        project.downgrade(2)
        assert project.database.definitions() == before
