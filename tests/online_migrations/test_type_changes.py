"""change_type_online: whatever stands on the column, and back again, no value is wrong."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from online_migrations.errors import DeadlineExceeded, ReleaseError, UnsafeOperation
from online_migrations.operations.type_changes import change_type_online, drop_shadow_contract
from tests.online_migrations import judged
from tests.online_migrations.migrating import Database

# `size` has one of everything that may stand on a column; `id` is a key that others refer to.
SCHEMA = """
CREATE TABLE sizes (size int PRIMARY KEY, name text);
CREATE TABLE things (
    id int GENERATED ALWAYS AS IDENTITY (START WITH 5 INCREMENT BY 2) PRIMARY KEY,
    name varchar(50) NOT NULL,
    size int NOT NULL DEFAULT 3 CONSTRAINT ck_things_size CHECK (size < 100 AND name <> 'size'),
    code int CONSTRAINT uq_things_code UNIQUE DEFERRABLE,
    parent_id int CONSTRAINT fk_things_parent REFERENCES things (id) ON DELETE SET NULL,
    CONSTRAINT uq_things_size_name UNIQUE (size, name),
    CONSTRAINT fk_things_size FOREIGN KEY (size) REFERENCES sizes (size) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON COLUMN things.size IS 'how it''s sized';
CREATE INDEX ix_things_size ON things USING hash (size);
CREATE INDEX ix_part ON things (name, (size + 1) DESC) INCLUDE (code) WHERE size > 2;
ALTER TABLE things ALTER size SET STATISTICS 50;
ALTER INDEX ix_part ALTER 2 SET STATISTICS 0;
CREATE TABLE parts (
    id bigserial PRIMARY KEY, thing_id int CONSTRAINT fk_parts_things REFERENCES things ON DELETE CASCADE
);
CREATE TABLE tickets (id serial PRIMARY KEY);
INSERT INTO sizes SELECT n, 'size' FROM generate_series(0, 20) n;
INSERT INTO things (name, size, code) SELECT 'thing ' || n, n % 10, n FROM generate_series(1, 500) n;
UPDATE things SET parent_id = id - 2 WHERE id > 5;
INSERT INTO parts (thing_id) SELECT id FROM things;
INSERT INTO tickets SELECT FROM generate_series(1, 3);
"""
TYPE = "SELECT data_type FROM information_schema.columns WHERE table_name = :table AND column_name = :column"
WRONG = "SELECT count(*) FROM things WHERE size IS DISTINCT FROM size_shadow"
INDEXES = "SELECT array_agg(indexdef ORDER BY indexname) FROM pg_indexes WHERE tablename = :table"
STATISTICS = (
    "SELECT array_agg(attname || attstattarget ORDER BY attname) FROM pg_attribute"
    " WHERE attstattarget >= 0 AND attnum > 0 AND attname NOT LIKE '%shadow'"
)
CONSTRAINTS = (
    "SELECT array_agg(conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated ORDER BY conname)"
    " FROM pg_constraint WHERE conrelid = CAST(:table AS regclass)"
)
to_bigint = partial(change_type_online, "things", "size", "BIGINT")
to_integer = partial(change_type_online, "things", "size", "INTEGER")


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(SCHEMA)
    return database


def described(database: Database, table: str) -> tuple[Any, ...]:
    standing = (database.scalar(query, table=table) for query in (INDEXES, CONSTRAINTS))
    return (*standing, database.scalar(STATISTICS))


@pytest.mark.smoke
def test_what_stands_on_the_column_goes_over_and_back(things: Database) -> None:
    before, standing = things.definitions(), described(things, "things")
    rows = things.scalar("SELECT jsonb_agg(t ORDER BY id) FROM things t")
    things.migrate(to_bigint)
    assert things.scalar(TYPE, table="things", column="size") == "bigint"
    assert described(things, "things") == standing
    default = "SELECT column_default || is_nullable FROM information_schema.columns WHERE table_name = 'things'"
    assert things.scalar(f"{default} AND column_name = 'size'") == "3NO"
    of = "FROM pg_attribute WHERE attrelid = 'things'::regclass AND attname = :column"
    comment = f"SELECT col_description(attrelid, attnum) {of}"
    assert things.scalar(comment, column="size") == "how it's sized"
    assert things.scalar(comment, column="size_shadow").startswith("shadow: ")
    things.migrate(to_integer)
    things.migrate(lambda: drop_shadow_contract("things", "size"))
    assert things.definitions() == before
    assert things.scalar("SELECT jsonb_agg(t ORDER BY id) FROM things t") == rows


def test_a_key_goes_over_with_identity_and_foreign_keys(things: Database) -> None:
    before, owned, referring = things.definitions(), described(things, "things"), described(things, "parts")
    newest = things.scalar("SELECT max(id) FROM things")
    things.migrate(lambda: change_type_online("things", "id", "BIGINT"))
    assert things.scalar(TYPE, table="things", column="id") == "bigint"
    assert (described(things, "things"), described(things, "parts")) == (owned, referring)
    added = "INSERT INTO things (name) VALUES (gen_random_uuid()) RETURNING id"
    assert things.scalar(added) == newest + 2, "the identity goes on where it was"
    things.execute("DELETE FROM things WHERE id = :id", id=newest)
    assert things.scalar("SELECT count(*) FROM parts") == 499, "ON DELETE CASCADE"

    things.migrate(lambda: change_type_online("things", "parent_id", "BIGINT"))
    things.migrate(lambda: change_type_online("parts", "thing_id", "BIGINT"))
    things.execute("INSERT INTO things (id, name) OVERRIDING SYSTEM VALUE VALUES (3000000001, 'far')")
    things.execute("INSERT INTO parts (thing_id) VALUES (3000000001)")
    things.execute("DELETE FROM things WHERE id = 3000000001")
    for table, column in (("parts", "thing_id"), ("things", "parent_id"), ("things", "id")):
        things.migrate(partial(change_type_online, table, column, "INTEGER"))
        things.migrate(partial(drop_shadow_contract, table, column))
    assert things.definitions() == before
    assert things.scalar(added) == newest + 4


def test_a_serial_key_keeps_its_sequence(things: Database) -> None:
    before = things.definitions()
    things.migrate(lambda: change_type_online("tickets", "id", "BIGINT"))
    things.execute("SELECT setval('tickets_id_seq', 3000000000)")
    assert things.scalar("INSERT INTO tickets DEFAULT VALUES RETURNING id") == 3000000001
    assert things.scalar("SELECT pg_get_serial_sequence('tickets', 'id')") == "public.tickets_id_seq"
    things.execute("DELETE FROM tickets WHERE id > 3")
    things.execute("SELECT setval('tickets_id_seq', 3)")
    things.migrate(lambda: change_type_online("tickets", "id", "INTEGER"))
    things.migrate(lambda: drop_shadow_contract("tickets", "id"))
    assert things.definitions() == before


def test_each_write_is_in_both_columns_before_the_swap_and_after_it(things: Database) -> None:
    things.migrate(to_bigint)
    things.execute("INSERT INTO things (name, size) VALUES ('new', 7)")
    things.execute("INSERT INTO things (name) VALUES ('by default')")
    things.execute("UPDATE things SET size = 11 WHERE name = 'thing 1'")
    things.execute("UPDATE sizes SET size = 50 WHERE size = 5")
    things.execute("DELETE FROM sizes WHERE size = 6")
    assert things.scalar(WRONG) == 0
    assert things.scalar("SELECT count(*) FROM things WHERE size_shadow = 50") == 50
    things.migrate(to_integer)
    things.execute("UPDATE things SET size = 12 WHERE name = 'thing 1'")
    assert things.scalar(WRONG) == 0


def test_a_value_that_only_the_new_type_holds_is_stored_and_then_there_is_no_way_back(things: Database) -> None:
    things.migrate(lambda: change_type_online("things", "code", "BIGINT"))
    things.execute("UPDATE things SET code = 3000000000 WHERE name = 'thing 1'")
    assert things.scalar("SELECT code_shadow FROM things WHERE name = 'thing 1'") is None
    with pytest.raises(UnsafeOperation, match="cannot become INTEGER"):
        things.migrate(lambda: change_type_online("things", "code", "INTEGER"))
    assert things.scalar("SELECT code FROM things WHERE name = 'thing 1'") == 3000000000
    assert things.scalar(TYPE, table="things", column="code") == "bigint"
    things.execute("UPDATE things SET code = 3000 WHERE name = 'thing 1'")
    things.migrate(lambda: change_type_online("things", "code", "INTEGER"))
    assert things.scalar("SELECT code FROM things WHERE name = 'thing 1'") == 3000


LOSSES: list[tuple[Callable[[], object], str]] = [
    (lambda: change_type_online("things", "name", "INTEGER"), "cannot become INTEGER"),
    (lambda: change_type_online("things", "name", "VARCHAR(7)"), "would be lost as VARCHAR"),
    (lambda: change_type_online("things", "size", "BIGINT", using="colour"), "not a value for things"),
    (lambda: change_type_online("things", "size", "BIGINT", using="size + code"), "reads code too"),
    (lambda: change_type_online("things", "size", "BIGINT", back="size / 2"), "would be lost"),
    (lambda: change_type_online("things", "size", "BIGINT", back="lower(size)"), "not a value for things"),
    (lambda: change_type_online("things", "size", "BIGINT", using="1", back="1"), "would be lost"),
]


def test_a_change_that_loses_a_value_is_refused_and_nothing_of_it_is_left(things: Database) -> None:
    for change, reason in LOSSES:
        with things.unchanged(), pytest.raises(UnsafeOperation, match=reason):
            things.migrate(change)
    things.execute("INSERT INTO things (name) VALUES ('new')")


STANDING = """
CREATE VIEW seen AS SELECT size FROM things;
ALTER TABLE things ADD twice int GENERATED ALWAYS AS (size * 2) STORED;
ALTER TABLE things ADD CONSTRAINT excl EXCLUDE USING btree (size WITH =) WHERE (name = 'none');
CREATE STATISTICS together ON size, code FROM things;
CREATE POLICY own ON things USING (size > 0);
GRANT SELECT (size) ON things TO PUBLIC;
CREATE TABLE more () INHERITS (things);
"""
NAMED = ("view seen", "column twice", "excl", "statistics object together", "policy own", "privileges", "inherit")


def test_what_cannot_be_carried_over_is_named_before_anything_is_done(things: Database) -> None:
    things.execute(STANDING)
    with things.unchanged(), pytest.raises(UnsafeOperation) as refused:
        things.migrate(to_bigint)
    assert [name for name in NAMED if name not in refused.value.message] == []


def test_what_an_expand_began_and_cannot_end_is_dropped(things: Database, tmp_path: Path) -> None:
    with things.unchanged(), pytest.raises(UnsafeOperation, match="cannot become INTEGER"):
        judged.upgrade(things, judged.written(tmp_path, 'change_type_online("things", "name", "INTEGER")'))


def test_a_killed_step_may_go_on_though_the_shadow_was_there(things: Database, tmp_path: Path) -> None:
    """Nobody has noted what the live release uses, so it might be the shadow."""
    things.migrate(to_bigint)
    things.migrate(to_integer)
    judged.upgrade(things, judged.written(tmp_path, 'change_type_online("things", "size", "BIGINT")'))
    assert things.scalar(TYPE, table="things", column="size") == "bigint"


def test_a_second_change_waits_and_another_column_is_no_shadow(things: Database) -> None:
    things.migrate(to_bigint)
    things.execute("ALTER TABLE things ADD code_shadow bigint")
    waits, is_there = r"drop_shadow_contract\('things', 'size'\)", "is there already"
    for column, kind, reason in (("size", "NUMERIC", waits), ("code", "BIGINT", is_there)):
        with things.unchanged(), pytest.raises(ReleaseError, match=reason):
            things.migrate(partial(change_type_online, "things", column, kind))


def test_in_a_session_that_was_there_before_every_trigger_goes_on(things: Database) -> None:
    """A session keeps PL/pgSQL functions as it compiled them, with the types of then."""
    things.execute(
        "CREATE FUNCTION limit_size() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.size := least(NEW.size, 15); RETURN NEW; END $$;"
        " CREATE TRIGGER limit_size BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION limit_size()"
    )
    write = text("UPDATE things SET size = :size WHERE name = 'thing 1'")
    with things.engine.connect() as session:
        for size, upgrade in ((18, to_bigint), (17, to_integer), (16, lambda: None)):
            session.execute(write, {"size": size})
            session.commit()
            things.migrate(upgrade)
    assert things.scalar("SELECT size FROM things WHERE name = 'thing 1'") == 15
    assert things.scalar(WRONG) == 0


def test_a_transaction_that_reads_what_was_before_is_waited_for(things: Database) -> None:
    """It would find NULL under the column's name, in rows as they were before the backfill."""
    change = partial(change_type_online, "things", "parent_id", "BIGINT")
    with things.engine.connect().execution_options(isolation_level="REPEATABLE READ") as reader:
        reader.execute(text("SELECT FROM sizes"))
        with pytest.raises(DeadlineExceeded, match="reads what was there before"):
            things.migrate(change, seconds=1)
        assert reader.scalar(text("SELECT count(*) FROM things WHERE parent_id IS NULL")) == 1
    things.migrate(change)
