"""Compare each pattern of the table of locks with what the server holds after running such a statement."""

import re
from collections.abc import Iterable, Iterator

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from app.release.sql.grammar import normalize, unqualified_name
from app.release.sql.locks import ACTIONS, MODES, STATEMENTS, Lock, locks
from tests.databases import Environment

SETUP = """
    CREATE TABLE people (id bigint PRIMARY KEY, name text UNIQUE);
    CREATE TABLE todos (id bigint PRIMARY KEY, user_id bigint, note text, CONSTRAINT ck CHECK (id > 0) NOT VALID);
    CREATE TABLE spare (id bigint);
    CREATE INDEX ix_todos_user_id ON todos (user_id);
    CREATE UNIQUE INDEX ix_todos_note ON todos (note);
    CREATE VIEW open_todos AS SELECT id FROM todos;
    CREATE MATERIALIZED VIEW counts AS SELECT user_id, count(*) FROM todos GROUP BY user_id;
    CREATE UNIQUE INDEX ix_counts ON counts (user_id);
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER old_trigger BEFORE INSERT ON todos FOR EACH ROW EXECUTE FUNCTION nothing();
"""
RELATIONS = ("people", "todos", "spare", "open_todos", "counts")

RUN = [
    "ALTER TABLE todos ADD COLUMN completed boolean DEFAULT false NOT NULL",
    "ALTER TABLE ONLY todos ADD COLUMN a int, ALTER COLUMN note SET STATISTICS 10",
    "ALTER TABLE todos ADD COLUMN owner bigint REFERENCES people (id)",
    "ALTER TABLE todos DROP COLUMN note",
    "ALTER TABLE todos ALTER COLUMN note SET NOT NULL",
    "ALTER TABLE todos ALTER COLUMN note DROP DEFAULT",
    "ALTER TABLE todos ALTER COLUMN note TYPE varchar(10)",
    "ALTER TABLE todos RENAME COLUMN note TO remark",
    "ALTER TABLE todos RENAME TO tasks",
    "ALTER TABLE todos ADD CONSTRAINT c CHECK (id > 1) NOT VALID",
    "ALTER TABLE todos ADD CONSTRAINT u UNIQUE USING INDEX ix_todos_note",
    "ALTER TABLE todos DROP CONSTRAINT ck",
    "ALTER TABLE todos VALIDATE CONSTRAINT ck",
    "ALTER TABLE todos ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES people (id) NOT VALID",
    "ALTER TABLE todos ADD FOREIGN KEY (user_id) REFERENCES todos (id)",
    "ALTER TABLE todos SET (fillfactor = 90)",
    "ALTER TABLE todos RESET (fillfactor)",
    "ALTER TABLE todos ALTER COLUMN note SET STATISTICS 100",
    "ALTER TABLE todos ALTER note SET (n_distinct = 5)",
    "ALTER TABLE todos CLUSTER ON ix_todos_note",
    "ALTER TABLE todos DISABLE TRIGGER old_trigger",
    "CREATE TABLE tags (id bigint, todo_id bigint REFERENCES todos (id), name text)",
    "CREATE TABLE tags (id bigint PRIMARY KEY, parent bigint REFERENCES tags (id))",
    "CREATE INDEX ix ON todos (user_id)",
    "CREATE UNIQUE INDEX IF NOT EXISTS ix ON ONLY todos USING btree (lower(note)) WHERE note IS NOT NULL",
    "DROP INDEX ix_todos_user_id",
    "DROP INDEX IF EXISTS ix_todos_user_id, ix_counts",
    "REINDEX TABLE todos",
    "REINDEX INDEX ix_todos_note",
    "DROP TABLE spare",
    "DROP TABLE IF EXISTS spare, people",
    "DROP VIEW open_todos",
    "CREATE OR REPLACE VIEW open_todos AS SELECT id FROM spare",
    "ALTER VIEW open_todos RENAME TO others",
    "CREATE VIEW tasks AS SELECT * FROM todos",
    "CREATE TRIGGER t BEFORE UPDATE ON todos FOR EACH ROW EXECUTE FUNCTION nothing()",
    "DROP TRIGGER old_trigger ON todos",
    "ALTER INDEX ix_todos_note RENAME TO ix_todos_remark",
    "CREATE STATISTICS s ON id, user_id FROM todos",
    "COMMENT ON TABLE todos IS 'what is to be done'",
    "COMMENT ON COLUMN todos.note IS 'a remark'",
    "ANALYZE todos",
    "CLUSTER todos USING ix_todos_note",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY counts",
    "REFRESH MATERIALIZED VIEW counts",
    "TRUNCATE TABLE spare",
    "TRUNCATE spare, todos",
    "LOCK TABLE todos IN SHARE UPDATE EXCLUSIVE MODE",
    "LOCK todos",
    "LOCK TABLE spare, ONLY todos IN SHARE ROW EXCLUSIVE MODE",
    "INSERT INTO todos (id) VALUES (1)",
    "UPDATE todos SET note = 'x' WHERE id IN (SELECT id FROM todos LIMIT 10)",
    "WITH batch AS (SELECT id FROM todos LIMIT 10) UPDATE todos SET note = 'x' FROM batch WHERE todos.id = batch.id",
    "DELETE FROM ONLY todos WHERE id = 1",
    "SELECT id FROM todos FOR UPDATE SKIP LOCKED",
    "SELECT count(*) FROM todos",
    "CREATE TYPE mood AS ENUM ('fine')",
    "CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SEQUENCE numbers",
    "SET LOCAL lock_timeout = '300ms'",
    "SELECT 1",
]
# These refuse to run in a transaction, so the manual has the word.
IN_THE_MANUAL = {
    "CREATE INDEX CONCURRENTLY ix ON todos (note)": "SHARE UPDATE EXCLUSIVE",
    "CREATE UNIQUE INDEX CONCURRENTLY ix ON todos (note)": "SHARE UPDATE EXCLUSIVE",
    "DROP INDEX CONCURRENTLY IF EXISTS ix_todos_note": "SHARE UPDATE EXCLUSIVE",
    "REINDEX INDEX CONCURRENTLY ix_todos_note": "SHARE UPDATE EXCLUSIVE",
    "VACUUM todos": "SHARE UPDATE EXCLUSIVE",
    "VACUUM (ANALYZE) todos": "SHARE UPDATE EXCLUSIVE",
    "VACUUM FULL todos": "ACCESS EXCLUSIVE",
    "VACUUM (FULL, ANALYZE) todos": "ACCESS EXCLUSIVE",
}
INDEXES = {"ix_todos_user_id": "todos", "ix_todos_note": "todos", "ix_counts": "counts"}

HELD = text(
    "SELECT relation::bigint, mode FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = ANY (:oids) AND granted"
)
OIDS = text("SELECT oid::bigint, relname FROM pg_class WHERE oid = ANY (CAST(CAST(:names AS text[]) AS regclass[]))")


@pytest.fixture
def connection(environment: Environment) -> Iterator[Connection]:
    engine = create_engine(environment["DATABASE_URL"], poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(SETUP)
        connection.commit()
        yield connection


def strictest(locks_by_relation: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the strictest lock on each relation, or on an index of it."""
    found: dict[str, str] = {}
    for relation, mode in locks_by_relation:
        name = INDEXES.get(relation, relation)
        found[name] = max(found.get(name, mode), mode, key=MODES.index)
    return found


def held(connection: Connection, statement: str) -> dict[str, str]:
    """Return what the server holds once the statement has run."""
    names = {row.oid: row.relname for row in connection.execute(OIDS, {"names": [*RELATIONS, *INDEXES]})}
    connection.commit()
    connection.exec_driver_sql(statement)
    granted = connection.execute(HELD, {"oids": list(names)}).all()
    connection.rollback()
    return strictest(
        (names[oid], re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()) for oid, mode in granted
    )


def told(statement: str) -> dict[str, str]:
    """Return what the table of locks says of the statement."""
    found = locks(normalize(statement))
    return strictest((unqualified_name(relation or "nobody knows"), mode) for mode, relation in found)


def test_the_server_takes_these_locks(connection: Connection) -> None:
    wrong = {}
    for statement in RUN:
        expected, foreseen = held(connection, statement), told(statement)
        if "VIEW" in statement or statement.startswith("WITH"):  # what a view reads and a CTE scans stays readable
            expected = {relation: mode for relation, mode in expected.items() if relation in foreseen} or expected
        if foreseen != expected:
            wrong[statement] = (foreseen, expected)
    assert wrong == {}


def test_the_manual_names_these_locks() -> None:
    assert {statement: told(statement) for statement in IN_THE_MANUAL} == {
        statement: {"todos": mode} for statement, mode in IN_THE_MANUAL.items()
    }


def test_each_pattern_is_tried() -> None:
    statements = [normalize(statement) for statement in (*RUN, *IN_THE_MANUAL)]
    actions = [re.sub(r"ALTER TABLE (?:ONLY )?\w+ ", "", statement) for statement in RUN if "ALTER TABLE" in statement]
    for patterns, texts in ((STATEMENTS, statements), (ACTIONS, actions)):
        firsts = [next((p for p in patterns if re.match(p.text, each, re.IGNORECASE)), None) for each in texts]
        assert [pattern.text for pattern in patterns if pattern not in firsts] == []


def test_what_nobody_knows_counts_as_the_heaviest() -> None:
    assert locks("DO ''") == [Lock("ACCESS EXCLUSIVE", None)]
    assert locks("SECURITY LABEL ON TABLE todos IS ''") == [Lock("ACCESS EXCLUSIVE", None)]
