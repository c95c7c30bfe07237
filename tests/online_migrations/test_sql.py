"""Read SQL as the server does: statements, names, and the locks that it takes; and plan a revision by them."""

import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from online_migrations.plan import (
    ACCESS_EXCLUSIVE,
    ACTIONS,
    MODES,
    STATEMENTS,
    Lock,
    LockedTable,
    RevisionPlan,
    locks,
    plan,
    render,
)
from online_migrations.sql import (
    alterations,
    created_table,
    normalize,
    split_at_commas,
    split_statements,
    unqualified_name,
)
from tests.online_migrations.history import BLOCK, history
from tests.online_migrations.migrating import Database
from tests.online_migrations.revision_corpus.cases import CASES

SPLITS = {
    "SELECT 1; SELECT 2;": ["SELECT 1", "SELECT 2"],
    "SELECT ';'; SELECT 2": ["SELECT ';'", "SELECT 2"],
    "SELECT 'it''s; here'": ["SELECT 'it''s; here'"],
    r"SELECT E'it\'s; here'; SELECT 2": [r"SELECT E'it\'s; here'", "SELECT 2"],
    r"SELECT '\'; SELECT 2": [r"SELECT '\'", "SELECT 2"],
    'SELECT "a;b"; SELECT 2': ['SELECT "a;b"', "SELECT 2"],
    "DO $$ BEGIN; END $$; SELECT 2": ["DO $$ BEGIN; END $$", "SELECT 2"],
    "DO $a$ BEGIN; $b$;$b$ END $a$": ["DO $a$ BEGIN; $b$;$b$ END $a$"],
    "SELECT 1 -- one; two\n; SELECT 2": ["SELECT 1 -- one; two", "SELECT 2"],
    "SELECT 1 /* one; two */": ["SELECT 1 /* one; two */"],
    " ;; ": [],
}


def test_statements_end_at_semicolons_that_are_none_of_a_text() -> None:
    assert {text: split_statements(text) for text in SPLITS} == SPLITS


BARE = {
    "SELECT  'a'\n , 1;": "SELECT '' , 1",
    "-- first\nSELECT 1 /* and */ + 2": "SELECT 1 + 2",
    "SELECT $$a -- b$$, E'\\'', '--'": "SELECT '', '', ''",
    'DROP TABLE "--x"': 'DROP TABLE "--x"',
    "-- nothing": "",
}


def test_literals_and_comments_are_left_out() -> None:
    assert {text: normalize(text) for text in BARE} == BARE


NAMES = {"Todos": "todos", '"Todos"': "Todos", "public.todos": "todos", 'public."a""b"': 'a"b', '"a.b"': "a.b"}


def test_a_name_is_as_the_catalog_has_it() -> None:
    assert {name: unqualified_name(name) for name in NAMES} == NAMES


def test_the_actions_of_an_alter_table_and_a_created_table() -> None:
    statement = "ALTER TABLE IF EXISTS ONLY public.Todos ADD COLUMN n numeric(10, 2), DROP COLUMN a"
    assert list(alterations(statement)) == [("todos", "ADD COLUMN n numeric(10, 2)"), ("todos", "DROP COLUMN a")]
    assert list(alterations("ALTER INDEX a RENAME TO b")) == []
    assert created_table("CREATE UNLOGGED TABLE IF NOT EXISTS public.Tags ( id bigint )") == "tags"
    assert created_table("CREATE TABLE tags AS SELECT 1") == "tags"
    assert created_table("CREATE INDEX tags ON t (id)") is None


def test_a_comma_in_parentheses_splits_nothing() -> None:
    assert split_at_commas("a, b(c, d), e") == ["a", "b(c, d)", "e"]


def test_a_comment_belongs_to_the_statement_after_it(tmp_path: Path) -> None:
    code = 'op.execute("-- why")\nop.execute("SELECT 1")\nop.execute("SELECT 2")'
    [first, second] = render(history(tmp_path, code).get_revision("0002")).statements
    assert (first.sql, second.sql) == ("-- why;\nSELECT 1", "SELECT 2")


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

RUN = Path(__file__).with_name("locks.sql").read_text().splitlines()[1:]
# These refuse to run in a transaction, so the manual has the word.
IN_THE_MANUAL = {
    "CREATE UNIQUE INDEX CONCURRENTLY ix ON todos (note)": "SHARE UPDATE EXCLUSIVE",
    "DROP INDEX CONCURRENTLY IF EXISTS ix_todos_note": "SHARE UPDATE EXCLUSIVE",
    "REINDEX INDEX CONCURRENTLY ix_todos_note": "SHARE UPDATE EXCLUSIVE",
    "VACUUM (ANALYZE) todos": "SHARE UPDATE EXCLUSIVE",
    "VACUUM (FULL, ANALYZE) todos": "ACCESS EXCLUSIVE",
}
INDEXES = {"ix_todos_user_id": "todos", "ix_todos_note": "todos", "ix_counts": "counts"}

HELD = text(
    "SELECT relation::bigint, mode FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = ANY (:oids) AND granted"
)
OIDS = text("SELECT oid::bigint, relname FROM pg_class WHERE oid = ANY (CAST(CAST(:names AS text[]) AS regclass[]))")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    database.execute(SETUP)
    with database.engine.connect() as connection:
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


TODOS = """
    CREATE TABLE todos (id bigint PRIMARY KEY, user_id bigint, note text);
    INSERT INTO todos SELECT n, n, repeat('x', 100) FROM generate_series(1, 1000) n;
    CREATE INDEX ix_todos_user_id ON todos (user_id);
"""


def planned_for(folder: Path, database: Database, code: str) -> RevisionPlan:
    """Plan a revision whose upgrade() has these lines."""
    script = history(folder, code).get_revision("0002")
    with database.engine.connect() as connection:
        [planned] = plan(connection, [script])
    return planned


def planned_locks(folder: Path, database: Database, sql: str) -> list[LockedTable]:
    [step] = planned_for(folder, database, f"op.execute({sql!r})").steps
    return step.locks


def test_a_revision_that_takes_a_connection_is_not_let_near_the_database(tmp_path: Path, database: Database) -> None:
    database.execute(TODOS)
    delete = (
        f'with sa.create_engine({database.url!r}).begin() as other:\n    other.execute(sa.text("DELETE FROM todos"))'
    )
    planned = planned_for(tmp_path, database, delete)
    assert "Use op.get_bind()" in str(planned)
    assert database.scalar("SELECT count(*) FROM todos") == 1000


def test_a_table_has_its_size_and_its_rows_and_an_index_stands_for_it(tmp_path: Path, database: Database) -> None:
    database.execute(f'{TODOS}; CREATE TABLE "Odd name" (id bigint PRIMARY KEY)')
    [lock] = planned_locks(tmp_path, database, 'TRUNCATE "Odd name"')
    assert (lock.table, lock.size, lock.rows) == ("Odd name", "8192 bytes", None), "nobody has counted them"
    database.execute("ANALYZE todos")
    for sql in ("ALTER TABLE todos DROP COLUMN note", "DROP INDEX ix_todos_user_id"):
        [lock] = planned_locks(tmp_path, database, sql)
        assert (lock.lock, lock.table, lock.rows) == ("ACCESS EXCLUSIVE", "todos", 1000)
        assert lock.bytes > 100_000
        assert lock.size.endswith(" kB")


def test_a_table_that_is_not_there_is_new_and_a_foreign_key_locks_two(tmp_path: Path, database: Database) -> None:
    """An earlier pending revision creates it."""
    sql = "ALTER TABLE todos ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES people (id) NOT VALID"
    assert planned_locks(tmp_path, database, sql) == [
        LockedTable("SHARE ROW EXCLUSIVE", table, "new", 0, None) for table in ("todos", "people")
    ]


def test_statements_are_told_apart_by_their_transactions(tmp_path: Path, database: Database) -> None:
    code = f'op.execute("SELECT 1; SELECT 2")\n{BLOCK}op.execute("SELECT 3")\nop.execute("SELECT \';\' /* 4; */")'
    planned = planned_for(tmp_path, database, code)
    assert [(step.sql, step.transaction) for step in planned.steps] == [
        ("SELECT 1", 1),
        ("SELECT 2", 1),
        ("SELECT 3", None),
        ("SELECT ';' /* 4; */", 2),
    ]


def test_what_cannot_be_shown_is_said(tmp_path: Path, database: Database) -> None:
    planned = planned_for(tmp_path, database, 'op.execute("SELECT 1")\nraise RuntimeError("no database")')
    assert (planned.revision, planned.title, planned.phase, len(planned.steps)) == ("0002", "Step 0002.", "expand", 1)
    assert planned.unreadable == "RuntimeError: no database"


NO_LOCK = ("add_enum_value_online", "backfill")  # on a table, for which anybody waits


def test_it_tells_the_lock_of_each_statement_of_each_operation(tmp_path: Path, database: Database) -> None:
    unknown = {}
    for case in CASES:
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        planned = planned_for(folder, database, case.call)
        tables = [lock.table for step in planned.steps for lock in step.locks]
        if planned.unreadable or None in tables or not (tables or case.name in NO_LOCK):
            unknown[case.call] = planned
    assert unknown == {}


def test_a_block_of_an_operation_is_shown_whole_and_any_other_counts_as_the_heaviest(
    tmp_path: Path, database: Database
) -> None:
    planned = planned_for(tmp_path, database, 'backfill("todos", "note = \'\'", "note IS NULL")')
    [step] = planned.steps
    assert ("UPDATE todos" in step.sql, step.locks, step.transaction) == (True, [], None)
    [lock] = planned_locks(tmp_path, database, "DO $$ BEGIN UPDATE todos SET note = 1; END $$")
    assert (lock.lock, lock.table) == (ACCESS_EXCLUSIVE, None)
