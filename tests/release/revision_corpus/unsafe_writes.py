"""Unsafe: more rows are written in one transaction than requests can wait for, or all rows are lost."""

from app.release.ledger import CONTRACT
from tests.release.revision_corpus.cases import Danger, in_do_block
from tests.release.revision_corpus.probes import no_rows, rows

WRITTEN = rows("todos", "position = 7", at_least=1001)

UPDATE_ALL = Danger(
    "every row is written in one transaction",
    names=("todos", "rows"),
    harm=WRITTEN,
    instead="backfill",
    spellings={
        "SQL": 'op.execute("UPDATE todos SET position = 7")',
        "quoted, with its schema": """op.execute('update only "public"."todos" as t set position = 7 where true')""",
        "a condition that all rows meet": 'op.execute("UPDATE todos SET position = 7 WHERE due_on IS NOT NULL")',
        "a LIMIT that is a comment": 'op.execute("UPDATE todos SET position = 7 -- LIMIT 1000")',
        "sa.update": """
            todos = sa.table("todos", sa.column("position"))
            op.execute(sa.update(todos).values(position=7))
            """,
        "a row at a time": """
            for (id_,) in op.get_bind().execute(sa.text("SELECT id FROM todos LIMIT 1001")).all():
                op.execute(f"UPDATE todos SET position = 7 WHERE id = {id_}")
            """,
        "executemany": """
            update = sa.text("UPDATE todos SET position = 7 WHERE id = :id")
            op.get_bind().execute(update, [{"id": n} for n in range(1, 1501)])
            """,
        "batches in one transaction": """
            for first in range(1, 3002, 500):
                op.execute(f"UPDATE todos SET position = 7 WHERE id BETWEEN {first} AND {first + 499}")
            """,
        "a LIMIT of another table": """
            op.execute("UPDATE todos SET position = 7 WHERE user_id IN (SELECT id FROM users ORDER BY id LIMIT 1)")
            """,
        "FROM": 'op.execute("UPDATE todos SET position = 7 FROM users WHERE users.id = user_id")',
        "WITH": """
            op.execute(
                "WITH written AS (UPDATE todos SET position = 7 RETURNING id) SELECT count(*) FROM written"
            )
            """,
        "MERGE": """
            op.execute(
                "MERGE INTO todos USING users ON users.id = user_id WHEN MATCHED THEN UPDATE SET position = 7"
            )
            """,
        "INSERT … ON CONFLICT": """
            op.execute(
                "INSERT INTO todos (id, user_id, description) OVERRIDING SYSTEM VALUE"
                " SELECT id, user_id, description FROM todos ON CONFLICT (id) DO UPDATE SET position = 7"
            )
            """,
        "through a view": 'op.execute("UPDATE open_todos SET position = 7")',
        "PREPARE": """
            op.execute("PREPARE fill AS UPDATE todos SET position = $1")
            op.execute("EXECUTE fill (7)")
            """,
        "in a DO block": in_do_block("UPDATE todos SET position = 7"),
        "in a function that is called": """
            op.execute("CREATE FUNCTION move_all() RETURNS void LANGUAGE sql AS 'UPDATE todos SET position = 7'")
            op.execute("SELECT move_all()")
            """,
        "EXPLAIN ANALYZE": 'op.execute("EXPLAIN ANALYZE UPDATE todos SET position = 7")',
        "in an autocommit_block": """
            with op.get_context().autocommit_block():
                op.execute("UPDATE todos SET position = 7")
            """,
        "by exec_driver_sql": 'op.get_bind().exec_driver_sql("UPDATE todos SET position = %s", (7,))',
        "the seed's recipe": """
            op.add_column("todos", sa.Column("place", sa.Integer()))
            op.execute("UPDATE todos SET place = 1, position = 7")
            op.alter_column("todos", "place", nullable=False, server_default="1")
            """,
    },
)

UPDATE_ALL_IN_CONTRACT = Danger(
    "a contract writes every row in one transaction",
    names=("todos", "rows"),
    harm=WRITTEN,
    instead="backfill",
    phase=CONTRACT,
    spellings={"SQL": 'op.execute("UPDATE todos SET position = 7")'},
)

DELETE_ALL = Danger(
    "all rows are deleted",
    names=("todos", "rows|emptied"),
    harm=no_rows("todos"),
    spellings={
        "SQL": 'op.execute("DELETE FROM todos")',
        "USING": 'op.execute("DELETE FROM todos USING users WHERE users.id = user_id")',
        "WITH": 'op.execute("WITH gone AS (DELETE FROM todos RETURNING id) SELECT count(*) FROM gone")',
        "sa.delete": 'op.execute(sa.delete(sa.table("todos")))',
        "PREPARE": 'op.execute("PREPARE gone AS DELETE FROM todos; EXECUTE gone")',
        "TRUNCATE": 'op.execute("TRUNCATE todos")',
        "TRUNCATE, quoted": """op.execute('truncate table only "public"."todos" restart identity')""",
        "in a DO block": in_do_block("TRUNCATE todos"),
    },
)

TRUNCATE_FEW = Danger(
    "a table is emptied, however few rows it has",
    names=("results",),
    harm=no_rows("results"),
    spellings={
        "TRUNCATE": 'op.execute("TRUNCATE results")',
        "exec_driver_sql": 'op.get_bind().exec_driver_sql("truncate results")',
    },
)

DELETE_OTHERS = Danger(
    "the rows of other tables are deleted along",
    names=(r"users|notes|todos|And \d+ more", "rows|emptied"),  # three tables are named
    harm=no_rows("notes"),
    spellings={
        "ON DELETE CASCADE": 'op.execute("DELETE FROM users")',
        "TRUNCATE … CASCADE": 'op.execute("TRUNCATE users CASCADE")',
    },
)

EMPTY_OTHERS = Danger(
    "the tables that refer to one are emptied along, and each is named",
    names=("users", "user_sessions", "notes", "todos", "results", "emptied"),
    harm=no_rows("results"),
    spellings={
        "TRUNCATE … CASCADE": 'op.execute("TRUNCATE users CASCADE")',
        "quoted": """op.execute('truncate table public."users" restart identity cascade')""",
        "in a DO block": in_do_block("TRUNCATE users CASCADE"),
    },
)

FORGET_LIVE_RELEASE = Danger(
    "what the live release maps is forgotten, by which later steps are judged",
    names=("schema_releases",),
    harm="SELECT NOT EXISTS (SELECT FROM schema_releases)",
    instead="release commands",
    spellings={
        "SQL": 'op.execute("DELETE FROM schema_releases")',
        "in a DO block": in_do_block("DELETE FROM schema_releases WHERE true"),
    },
)

DANGERS = (
    FORGET_LIVE_RELEASE,
    UPDATE_ALL,
    UPDATE_ALL_IN_CONTRACT,
    DELETE_ALL,
    TRUNCATE_FEW,
    DELETE_OTHERS,
    EMPTY_OTHERS,
)
