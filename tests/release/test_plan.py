"""Plan a revision: its statements in their transactions, with the lock and the size of each table."""

import secrets
from pathlib import Path

from app.release.plan import LockedTable, RevisionPlan, plan
from app.release.sql.locks import ACCESS_EXCLUSIVE
from tests.release.history import BLOCK, history
from tests.release.migrating import Database
from tests.release.operation_cases import CASES

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


def only_lock(folder: Path, database: Database, sql: str) -> LockedTable:
    [step] = planned_for(folder, database, f"op.execute({sql!r})").steps
    [lock] = step.locks
    return lock


def test_a_revision_that_takes_a_connection_is_not_let_near_the_database(tmp_path: Path, database: Database) -> None:
    database.execute(TODOS)
    url = database.engine.url.render_as_string(hide_password=False)
    delete = f'with sa.create_engine({url!r}).begin() as other:\n    other.execute(sa.text("DELETE FROM todos"))'
    planned = planned_for(tmp_path, database, delete)
    assert "Use op.get_bind()" in str(planned)
    assert database.scalar("SELECT count(*) FROM todos") == 1000


def test_a_table_has_its_size_and_its_rows(tmp_path: Path, database: Database) -> None:
    database.execute(TODOS)
    database.execute("CREATE TABLE never_counted AS SELECT 1 AS note")
    assert only_lock(tmp_path, database, "ALTER TABLE never_counted DROP COLUMN note").rows is None
    database.execute("ANALYZE todos")
    lock = only_lock(tmp_path, database, "ALTER TABLE todos DROP COLUMN note")
    assert (lock.lock, lock.table, lock.rows) == ("ACCESS EXCLUSIVE", "todos", 1000)
    assert lock.bytes > 100_000
    assert lock.size.endswith(" kB")


def test_a_table_that_is_not_there_is_new(tmp_path: Path, database: Database) -> None:
    """An earlier pending revision creates it."""
    lock = only_lock(tmp_path, database, "CREATE INDEX ix ON todos (user_id)")
    assert lock == LockedTable("SHARE", "todos", "new", 0, None)


def test_an_index_stands_for_its_table(tmp_path: Path, database: Database) -> None:
    database.execute(TODOS)
    lock = only_lock(tmp_path, database, "DROP INDEX ix_todos_user_id")
    assert (lock.lock, lock.table) == ("ACCESS EXCLUSIVE", "todos")


def test_a_quoted_name_is_found(tmp_path: Path, database: Database) -> None:
    database.execute('CREATE TABLE "Odd name" (id bigint PRIMARY KEY)')
    lock = only_lock(tmp_path, database, 'TRUNCATE "Odd name"')
    assert (lock.table, lock.size) == ("Odd name", "8192 bytes")


def test_a_foreign_key_locks_two_tables(tmp_path: Path, database: Database) -> None:
    sql = "ALTER TABLE todos ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES people (id) NOT VALID"
    [step] = planned_for(tmp_path, database, f"op.execute({sql!r})").steps
    assert [(lock.lock, lock.table) for lock in step.locks] == [
        ("SHARE ROW EXCLUSIVE", "todos"),
        ("SHARE ROW EXCLUSIVE", "people"),
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


def test_it_tells_the_lock_of_each_statement_of_each_operation(tmp_path: Path, database: Database) -> None:
    unknown = {}
    for case in CASES:
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        planned = planned_for(folder, database, case.call)
        tables = [lock.table for step in planned.steps for lock in step.locks]
        if planned.unreadable or None in tables or not (tables or case.operation == "add_enum_value_online"):
            unknown[case.call] = planned
    assert unknown == {}


def test_it_tells_what_a_backfill_locks(tmp_path: Path, database: Database) -> None:
    """Its script is a block of PL/pgSQL, which is text to everybody else."""
    planned = planned_for(tmp_path, database, 'backfill("todos", "note = \'\'", "note IS NULL")')
    assert {(lock.lock, lock.table) for step in planned.steps for lock in step.locks} == {("ROW EXCLUSIVE", "todos")}
    assert [step.transaction for step in planned.steps] == [None]


def test_it_counts_a_foreign_block_as_the_heaviest(tmp_path: Path, database: Database) -> None:
    planned = planned_for(tmp_path, database, 'op.execute("DO $$ BEGIN UPDATE todos SET note = 1; END $$")')
    assert [(lock.lock, lock.table) for lock in planned.steps[0].locks] == [(ACCESS_EXCLUSIVE, None)]
