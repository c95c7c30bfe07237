"""Safe: our own operations, in the phase that they are for, and contracts that come after what they need."""

from app.release.ledger import CONTRACT
from tests.release.revision_corpus.cases import Safe
from tests.release.revision_corpus.probes import (
    column,
    column_type,
    constraint,
    exists,
    function,
    index,
    lacks,
    relation,
    rows,
)

MARK = exists(column("notes", "mark"))

EXPANDS = (
    Safe("add_column_online, nullable", 'add_column_online("notes", sa.Column("mark", sa.Text()))', MARK),
    Safe(
        "add_column_online, required",
        'add_column_online("notes", sa.Column("mark", sa.Text(), server_default="x", nullable=False))',
        exists(column("notes", "mark", "attnotnull AND atthasmissing")),
    ),
    Safe(
        "set_default_online",
        """set_default_online("todos", "due_on", "'2030-01-01'")""",
        exists(column("todos", "due_on", "atthasdef")),
    ),
    Safe(
        "widen_text_online",
        'widen_text_online("user_sessions", "user_agent", "VARCHAR(800)")',
        exists(column_type("user_sessions", "user_agent", "character varying(800)")),
    ),
    Safe(
        "drop_not_null_online",
        'drop_not_null_online("tickets", "seat")',
        exists(column("tickets", "seat", "NOT attnotnull")),
    ),
    Safe(
        "create_index_online",
        'create_index_online("ix_todos_due_on", "todos", ["due_on"])',
        exists(index("ix_todos_due_on")),
    ),
    Safe(
        "create_index_online, where an INVALID one is",
        'create_index_online("ix_todos_completed_at", "todos", ["completed_at"])',
        exists(index("ix_todos_completed_at", "indisvalid AND NOT indisunique")),
    ),
    Safe("drop_index_online", 'drop_index_online("ix_tickets_seat")', lacks(index("ix_tickets_seat"))),
    Safe(
        "add_check_online, of a new column",
        """
        add_column_online("notes", sa.Column("mark", sa.Text()))
        add_check_online("notes", "ck_notes_mark", "mark <> ''")
        """,
        exists(constraint("notes", "ck_notes_mark", "convalidated")),
    ),
    Safe(
        "add_foreign_key_online, of a new column",
        """
        add_column_online("notes", sa.Column("survey_id", sa.BigInteger()))
        add_foreign_key_online("fk_notes_survey_id", "notes", "surveys", ["survey_id"], ["id"])
        """,
        exists(constraint("notes", "fk_notes_survey_id", "convalidated")),
    ),
    Safe(
        "add_unique_online, of a new column",
        """
        add_column_online("notes", sa.Column("slug", sa.Text()))
        add_unique_online("notes", "uq_notes_slug", ["slug"])
        """,
        exists(constraint("notes", "uq_notes_slug")),
    ),
    Safe(
        "drop_constraint_online, of a CHECK",
        'drop_constraint_online("todos", "ck_todos_remark")',
        lacks(constraint("todos", "ck_todos_remark")),
    ),
    Safe("backfill", 'backfill("todos", "position = 7", "position = 0")', rows("todos", "position = 7", at_least=3000)),
    Safe(
        "backfill_later, of a large table",
        'backfill_later("sevens", "todos", "position = 7", "position = 0")',
        "SELECT count(*) = 1 FROM schema_backfills WHERE name = 'sevens' AND state = 'running'",
    ),
    Safe(
        "backfill_later, of a small table that the same step makes",
        """
        op.execute("CREATE TABLE few (id bigint PRIMARY KEY, size int)")
        op.execute("INSERT INTO few SELECT n FROM generate_series(1, 900) n")
        backfill_later("few", "few", "size = 1", "size IS NULL")
        """,
        "SELECT count(*) = 1 FROM schema_backfills WHERE name = 'few' AND rows_done = 900",
    ),
    Safe(
        "retire_column_online",
        'retire_column_online("notes", "pinned")',
        "SELECT col_description('notes'::regclass, attnum) LIKE 'retired%' IS TRUE FROM pg_attribute"
        " WHERE attrelid = 'notes'::regclass AND attname = 'pinned'",
    ),
    Safe(
        "retire_table_online",
        'retire_table_online("surveys")',
        "SELECT obj_description('surveys'::regclass, 'pg_class') LIKE 'retired%' IS TRUE",
    ),
    Safe(
        "reinstate_column_online",
        'reinstate_column_online("notes", "colour")',
        "SELECT col_description('notes'::regclass, attnum) IS NULL FROM pg_attribute"
        " WHERE attrelid = 'notes'::regclass AND attname = 'colour'",
    ),
    Safe(
        "reinstate_table_online",
        'reinstate_table_online("drafts")',
        "SELECT obj_description('drafts'::regclass, 'pg_class') IS NULL",
    ),
    Safe("rename_with_view", 'rename_with_view("results", "counts")', exists(relation("counts"))),
    Safe(
        "nothing but an index on a new table",
        """
        op.create_table("tags", sa.Column("name", sa.Text(), primary_key=True))
        create_index_online("ix_tags_lower_name", "tags", [sa.text("lower(name)")])
        """,
        exists(index("ix_tags_lower_name")),
    ),
    Safe(
        "a view of the old name, by hand",
        """
        op.execute("ALTER TABLE results RENAME TO counts")
        op.execute("CREATE VIEW results AS SELECT * FROM counts")
        """,
        exists(relation("counts")),
    ),
)

CONTRACTS = (
    Safe(
        "a retired column is dropped", 'op.drop_column("notes", "colour")', lacks(column("notes", "colour")), CONTRACT
    ),
    Safe(
        "two retired columns are dropped, in SQL",
        'op.execute("ALTER TABLE notes DROP COLUMN colour, DROP COLUMN IF EXISTS size")',
        lacks(column("notes", "size")),
        CONTRACT,
    ),
    Safe(
        "drop_column_contract, of a retired column",
        'drop_column_contract("notes", "colour")',
        lacks(column("notes", "colour")),
        CONTRACT,
    ),
    Safe("a retired table is dropped", 'op.drop_table("drafts")', lacks(relation("drafts")), CONTRACT),
    Safe(
        "drop_table_contract, of a retired table",
        'drop_table_contract("drafts")',
        lacks(relation("drafts")),
        CONTRACT,
    ),
    Safe("drop_compat_view", 'drop_compat_view("page_views")', lacks(relation("page_views")), CONTRACT),
    Safe(
        "a view that nobody maps is dropped",
        'op.execute("DROP VIEW page_views")',
        lacks(relation("page_views")),
        CONTRACT,
    ),
    Safe(
        "a table that nobody maps is dropped",
        'op.drop_table("leftovers")',
        lacks(relation("leftovers")),
        CONTRACT,
    ),
    Safe(
        "set_not_null_online",
        'set_not_null_online("todos", "due_on")',
        exists(column("todos", "due_on", "attnotnull")),
        CONTRACT,
    ),
    Safe(
        "NOT NULL, after a CHECK that proves it",
        'op.execute("ALTER TABLE todos ALTER COLUMN remark SET NOT NULL")',
        exists(column("todos", "remark", "attnotnull")),
        CONTRACT,
    ),
    Safe(
        "NOT NULL, after a CHECK of the same revision",
        """
        op.execute("ALTER TABLE todos ADD CONSTRAINT ck_todos_due_on CHECK (due_on IS NOT NULL) NOT VALID")
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE todos VALIDATE CONSTRAINT ck_todos_due_on")
        op.execute("ALTER TABLE todos ALTER COLUMN due_on SET NOT NULL")
        op.execute("ALTER TABLE todos DROP CONSTRAINT ck_todos_due_on")
        """,
        exists(column("todos", "due_on", "attnotnull")),
        CONTRACT,
    ),
    Safe(
        "add_check_online",
        """add_check_online("todos", "ck_todos_description", "description <> ''")""",
        exists(constraint("todos", "ck_todos_description", "convalidated")),
        CONTRACT,
    ),
    Safe(
        "a CHECK that is not validated yet",
        "op.execute(\"ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (description <> '') NOT VALID\")",
        exists(constraint("todos", "ck_todos_description")),
        CONTRACT,
    ),
    Safe(
        "a CHECK, validated in a transaction of its own",
        """
        op.execute("ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (description <> '') NOT VALID")
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE todos VALIDATE CONSTRAINT ck_todos_description")
        """,
        exists(constraint("todos", "ck_todos_description", "convalidated")),
        CONTRACT,
    ),
    Safe(
        "add_foreign_key_online",
        'add_foreign_key_online("fk_tickets_todo_id", "tickets", "todos", ["todo_id"], ["id"])',
        exists(constraint("tickets", "fk_tickets_todo_id", "convalidated")),
        CONTRACT,
    ),
    Safe(
        "a foreign key that is not validated yet",
        'op.create_foreign_key("fk_tickets_todo_id", "tickets", "todos", ["todo_id"], ["id"],'
        " postgresql_not_valid=True)",
        exists(constraint("tickets", "fk_tickets_todo_id")),
        CONTRACT,
    ),
    Safe(
        "add_unique_online",
        'add_unique_online("todos", "uq_todos_user_id_description", ["user_id", "description"])',
        exists(constraint("todos", "uq_todos_user_id_description")),
        CONTRACT,
    ),
    Safe(
        "a unique index, built concurrently and attached",
        """
        with op.get_context().autocommit_block():
            op.execute("CREATE UNIQUE INDEX CONCURRENTLY uq_todos_description ON todos (user_id, description)")
        op.execute("ALTER TABLE todos ADD CONSTRAINT uq_todos_description UNIQUE USING INDEX uq_todos_description")
        """,
        exists(constraint("todos", "uq_todos_description")),
        CONTRACT,
    ),
    Safe(
        "a default is dropped",
        'op.alter_column("tickets", "price", server_default=None)',
        exists(column("tickets", "price", "NOT atthasdef")),
        CONTRACT,
    ),
    Safe(
        "a unique constraint is dropped",
        'op.drop_constraint("uq_users_image_url", "users")',
        lacks(constraint("users", "uq_users_image_url")),
        CONTRACT,
    ),
    Safe(
        "a function is dropped",
        'op.execute("DROP FUNCTION seat_label(text)")',
        lacks(function("seat_label")),
        CONTRACT,
    ),
)

SAFE = (*EXPANDS, *CONTRACTS)
