"""Unsafe: a strong lock is held while PostgreSQL reads a table, or more than one is held at a time."""

from app.release.ledger import CONTRACT
from tests.release.revision_corpus.cases import Danger, in_do_block
from tests.release.revision_corpus.probes import column, constraint, exists, index, rows

# These are contracts, so the new rule itself is allowed, but not how it comes.
NOT_NULL_UNDER_LOCK = Danger(
    "NOT NULL reads the table under its lock",
    names=("todos", "due_on"),
    harm=exists(column("todos", "due_on", "attnotnull")),
    instead="set_not_null_online",
    phase=CONTRACT,
    spellings={
        "op": 'op.alter_column("todos", "due_on", nullable=False)',
        "SQL": 'op.execute("ALTER TABLE todos ALTER COLUMN due_on SET NOT NULL")',
        "a CHECK that nobody validated": """
            op.execute("ALTER TABLE todos ADD CONSTRAINT ck_todos_due_on CHECK (due_on IS NOT NULL) NOT VALID")
            op.execute("ALTER TABLE todos ALTER COLUMN due_on SET NOT NULL")
            """,
        "beside CHECKs of other columns": """
            op.execute("COMMENT ON CONSTRAINT ck_todos_remark ON todos IS 'proves nothing about due_on'")
            op.execute("ALTER TABLE todos ALTER COLUMN due_on SET NOT NULL")
            """,
    },
)

CHECK_UNDER_LOCK = Danger(
    "a CHECK reads the table under its lock",
    names=("todos", "ck_todos_description"),
    harm=exists(constraint("todos", "ck_todos_description", "convalidated")),
    instead="add_check_online",
    phase=CONTRACT,
    spellings={
        "op": """op.create_check_constraint("ck_todos_description", "todos", "description <> ''")""",
        "SQL": "op.execute(\"ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (description <> '')\")",
        "validated in the same transaction": """
            op.execute("ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (description <> '') NOT VALID")
            op.execute("ALTER TABLE todos VALIDATE CONSTRAINT ck_todos_description")
            """,
        "validated in the same statement": """
            op.execute(
                "ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (description <> '') NOT VALID,"
                " VALIDATE CONSTRAINT ck_todos_description"
            )
            """,
        "in a DO block": in_do_block(
            "ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (length(description) > 0)"
        ),
    },
)

CHECK_OF_NEW_COLUMN = Danger(
    "a new column brings a CHECK, for which each row is read under the lock",
    names=("notes", "mark"),
    harm=exists(column("notes", "mark")),
    instead="add_check_online",
    spellings={
        "op": """
            check = sa.CheckConstraint("mark > 0", name="ck_notes_mark")
            op.add_column("notes", sa.Column("mark", sa.Integer(), check))
            """,
        "SQL": 'op.execute("ALTER TABLE notes ADD COLUMN mark int DEFAULT 1 CHECK (mark > 0)")',
        "in a second statement": """
            op.add_column("notes", sa.Column("mark", sa.Integer()))
            op.create_check_constraint("ck_notes_mark", "notes", "mark > 0")
            """,
    },
)

VALIDATE_BESIDE_ALTER = Danger(
    "a CHECK is validated under the lock of another step",
    names=("todos", "ck_todos_position"),
    harm=exists(constraint("todos", "ck_todos_position", "convalidated")),
    phase=CONTRACT,
    spellings={
        "SQL": """
            op.execute("ALTER TABLE todos ADD COLUMN place text")
            op.execute("ALTER TABLE todos VALIDATE CONSTRAINT ck_todos_position")
            """
    },
)

CHECK_AGAIN_UNDER_LOCK = Danger(
    "a text gets longer, for which its CHECK reads the table under the lock",
    names=("surveys", "ck_surveys_place"),
    harm=exists(column("surveys", "place", "atttypmod = 84")),
    instead="add_check_online",
    spellings={
        "SQL": 'op.execute("ALTER TABLE surveys ALTER place TYPE varchar(80)")',
        "op": 'op.alter_column("surveys", "place", type_=sa.String(80))',
        "the CHECK is added again by hand": """
            op.execute(
                "ALTER TABLE surveys DROP CONSTRAINT ck_surveys_place, ALTER place TYPE varchar(80),"
                " ADD CONSTRAINT ck_surveys_place CHECK (place <> '')"
            )
            """,
    },
)

FOREIGN_KEY_UNDER_LOCK = Danger(
    "a foreign key reads two tables under their locks",
    names=("tickets", "fk_tickets_todo_id"),
    harm=exists(constraint("tickets", "fk_tickets_todo_id", "convalidated")),
    instead="add_foreign_key_online",
    phase=CONTRACT,
    spellings={
        "op": 'op.create_foreign_key("fk_tickets_todo_id", "tickets", "todos", ["todo_id"], ["id"])',
        "SQL": (
            'op.execute("ALTER TABLE tickets ADD CONSTRAINT fk_tickets_todo_id FOREIGN KEY (todo_id) REFERENCES todos")'
        ),
        "validated in the same transaction": """
            op.create_foreign_key(
                "fk_tickets_todo_id", "tickets", "todos", ["todo_id"], ["id"], postgresql_not_valid=True
            )
            op.execute("ALTER TABLE tickets VALIDATE CONSTRAINT fk_tickets_todo_id")
            """,
    },
)

UNIQUE_UNDER_LOCK = Danger(
    "a unique constraint builds its index under the lock",
    names=("todos", "uq_todos_user_id_description"),
    harm=exists(index("uq_todos_user_id_description")),
    instead="add_unique_online",
    phase=CONTRACT,
    spellings={
        "op": 'op.create_unique_constraint("uq_todos_user_id_description", "todos", ["user_id", "description"])',
        "SQL": 'op.execute("CREATE UNIQUE INDEX uq_todos_user_id_description ON todos (user_id, description)")',
    },
)

ATTACH_PARTITION = Danger(
    "a table becomes a partition and is read under its lock",
    names=("visits_2025",),
    harm="SELECT relispartition FROM pg_class WHERE oid = 'visits_2025'::regclass",
    spellings={
        "SQL": (
            'op.execute("ALTER TABLE visits ATTACH PARTITION visits_2025'
            " FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')\")"
        )
    },
)

LOCK_OVER_WRITE = Danger(
    "a table is locked while its rows are written",
    names=("todos",),
    harm=rows("todos", "position = 7"),
    spellings={
        "LOCK TABLE": """
            op.execute("LOCK TABLE todos IN ACCESS EXCLUSIVE MODE")
            op.execute("UPDATE todos SET position = 7 WHERE id <= 900")
            """,
        "without the word TABLE": """
            op.execute('lock public."todos"; update todos set position = 7 where id between 1 and 900')
            """,
    },
)

TWO_TABLES = Danger(
    "two tables are locked in one transaction",
    names=("todos", "users"),
    harm=exists(column("users", "place")),
    spellings={
        "op": """
            op.add_column("todos", sa.Column("place", sa.Text()))
            op.add_column("users", sa.Column("place", sa.Text()))
            """,
        "SQL": 'op.execute("ALTER TABLE todos ADD place text; ALTER TABLE users ADD place text")',
        "in a DO block": """
            op.execute(
                "DO $$ DECLARE found text; BEGIN FOREACH found IN ARRAY ARRAY['todos', 'users']"
                " LOOP EXECUTE format('ALTER TABLE %I ADD place text', found); END LOOP; END $$"
            )
            """,
        "LOCK TABLE": """
            op.execute("LOCK TABLE todos, users IN ACCESS EXCLUSIVE MODE")
            op.execute("ALTER TABLE users ADD place text")
            """,
    },
)

UNBOUNDED_WAIT = Danger(
    "a lock is waited for without an end, and every request behind it",
    names=("lock_timeout",),
    harm=exists(column("todos", "place")),
    spellings={
        "SET LOCAL": """
            op.execute("SET LOCAL lock_timeout = 0")
            op.add_column("todos", sa.Column("place", sa.Text()))
            """,
        "SET, in lower case": """
            op.execute("set lock_timeout to '1h'")
            op.add_column("todos", sa.Column("place", sa.Text()))
            """,
        "set_config()": """
            op.execute("SELECT set_config('lock_timeout', '0', true)")
            op.add_column("todos", sa.Column("place", sa.Text()))
            """,
        "SET, then SET LOCAL": """
            op.execute("SET lock_timeout TO DEFAULT; SET LOCAL lock_timeout = '10min'")
            op.add_column("todos", sa.Column("place", sa.Text()))
            """,
    },
)

DANGERS = (
    NOT_NULL_UNDER_LOCK,
    CHECK_UNDER_LOCK,
    CHECK_AGAIN_UNDER_LOCK,
    CHECK_OF_NEW_COLUMN,
    VALIDATE_BESIDE_ALTER,
    FOREIGN_KEY_UNDER_LOCK,
    UNIQUE_UNDER_LOCK,
    ATTACH_PARTITION,
    LOCK_OVER_WRITE,
    TWO_TABLES,
    UNBOUNDED_WAIT,
)
