"""Unsafe: what the service uses besides its tables goes, or does something else."""

from tests.release.revision_corpus.cases import Danger, in_do_block
from tests.release.revision_corpus.probes import (
    column,
    exists,
    function,
    index,
    lacks,
    relation,
    trigger,
)

DROP_VIEW = Danger(
    "a view is dropped",
    names=("open_todos",),
    harm=lacks(relation("open_todos")),
    spellings={
        "SQL": 'op.execute("DROP VIEW open_todos")',
        "quoted, if it is there": """op.execute('drop view if exists public."open_todos"')""",
        "renamed": 'op.execute("ALTER VIEW open_todos RENAME TO unfinished_todos")',
    },
)

NARROW_VIEW = Danger(
    "a view lacks a column from now on",
    names=("open_todos", "position"),
    harm=lacks(column("open_todos", "position")),
    spellings={
        "recreated": """
            op.execute("DROP VIEW open_todos")
            op.execute("CREATE VIEW open_todos AS SELECT id, user_id, description FROM todos WHERE NOT completed")
            """,
        "renamed": 'op.execute("ALTER VIEW open_todos RENAME COLUMN position TO place")',
    },
)

SHOW_OTHER_ROWS = Danger(
    "a view shows other rows from now on",
    names=("open_todos",),
    harm="SELECT pg_get_viewdef('open_todos'::regclass) !~ 'NOT completed\\)?;$' OR EXISTS (SELECT FROM pg_class"
    " WHERE oid = 'open_todos'::regclass AND reloptions IS NOT NULL)",
    instead=r"excused\(",
    spellings={
        "replaced": """
            op.execute("CREATE OR REPLACE VIEW open_todos AS SELECT id, user_id, description, position FROM todos"
                " WHERE NOT completed AND due_on IS NOT NULL")
            """,
        "recreated": """
            op.execute("DROP VIEW open_todos")
            op.execute("CREATE VIEW open_todos AS SELECT id, user_id, description, position FROM todos")
            """,
        "by the rights of who asks": 'op.execute("ALTER VIEW open_todos SET (security_invoker = true)")',
    },
)

STAND_IN_WITH_FEWER_ROWS = Danger(
    "a table is renamed, and the view in its place shows fewer rows",
    names=("surveys",),
    harm=exists(relation("questionnaires")),
    instead=r"excused\(",
    spellings={
        "SQL": """
            op.execute("ALTER TABLE surveys RENAME TO questionnaires")
            op.execute("CREATE VIEW surveys AS SELECT * FROM questionnaires WHERE title <> ''")
            """
    },
)

DROP_MATERIALIZED_VIEW = Danger(
    "a materialized view is dropped",
    names=("todo_counts",),
    harm=lacks(relation("todo_counts")),
    spellings={"SQL": 'op.execute("DROP MATERIALIZED VIEW todo_counts")'},
)

DROP_FUNCTION = Danger(
    "a function is dropped",
    names=("seat_label",),
    harm=lacks(function("seat_label")),
    spellings={
        "SQL": 'op.execute("DROP FUNCTION seat_label(text)")',
        "in a DO block": in_do_block("DROP ROUTINE seat_label"),
        "renamed": 'op.execute("ALTER FUNCTION seat_label RENAME TO label_of_seat")',
    },
)

DROP_QUEUE_FUNCTION = Danger(
    "a function of the queue is dropped",
    names=("procrastinate_finish_job_v1",),
    harm=lacks(function("procrastinate_finish_job_v1")),
    spellings={"SQL": 'op.execute("DROP FUNCTION procrastinate_finish_job_v1")'},
)

DROP_OTHERS = Danger(
    "an aggregate, operator or collation is dropped",
    names=("longest|===|by_code_point",),
    harm="SELECT (SELECT count(*) FROM pg_proc WHERE proname = 'longest')"
    " + (SELECT count(*) FROM pg_operator WHERE oprname = '===')"
    " + (SELECT count(*) FROM pg_collation WHERE collname = 'by_code_point') < 3",
    spellings={
        "aggregate": 'op.execute("DROP AGGREGATE longest(text)")',
        "operator": 'op.execute("DROP OPERATOR === (text, text)")',
        "collation": 'op.execute("DROP COLLATION by_code_point")',
    },
)

CHANGE_SIGNATURE = Danger(
    "a function takes other arguments from now on",
    names=("seat_label",),
    harm="SELECT NOT EXISTS (SELECT FROM pg_proc WHERE proname = 'seat_label' AND pronargs = 1)",
    spellings={
        "recreated": """
            op.execute("DROP FUNCTION seat_label")
            op.execute("CREATE FUNCTION seat_label(seat text, room text) RETURNS text LANGUAGE sql AS 'SELECT seat'")
            """
    },
)

DROP_TRIGGER = Danger(
    "a trigger is dropped",
    names=("tickets", "touch"),
    harm=lacks(trigger("tickets", "touch_tickets")),
    spellings={
        "SQL": 'op.execute("DROP TRIGGER touch_tickets ON tickets")',
        "with its function": 'op.execute("DROP FUNCTION touch() CASCADE")',
        "switched off": 'op.execute("ALTER TABLE tickets DISABLE TRIGGER touch_tickets")',
        "all switched off": 'op.execute("ALTER TABLE tickets DISABLE TRIGGER USER")',
    },
)

DROP_SEQUENCE = Danger(
    "a sequence is dropped, and the default that it gave",
    names=("ticket_numbers",),
    harm=lacks(relation("ticket_numbers")),
    spellings={
        "SQL": 'op.execute("DROP SEQUENCE ticket_numbers CASCADE")',
        "with the default first": """
            op.alter_column("tickets", "number", server_default=None)
            op.execute(sa.schema.DropSequence(sa.Sequence("ticket_numbers")))
            """,
    },
)

RESTART_SEQUENCE = Danger(
    "a key begins again at one",
    names=("notes_id_seq|notes.*id",),
    harm="SELECT NOT is_called FROM notes_id_seq",
    spellings={
        "ALTER SEQUENCE": 'op.execute("ALTER SEQUENCE notes_id_seq RESTART WITH 1")',
        "among other options": 'op.execute("ALTER SEQUENCE notes_id_seq CACHE 10 RESTART")',
        "ALTER COLUMN": 'op.execute("ALTER TABLE notes ALTER COLUMN id RESTART")',
    },
)

OTHER_NUMBERS = Danger(
    "a sequence counts in another way, so that it gives numbers again or none",
    names=("notes_id_seq|ticket_numbers",),
    harm="SELECT seqincrement < 0 FROM pg_sequence WHERE seqrelid = 'notes_id_seq'::regclass",
    spellings={
        "backwards": 'op.execute("ALTER SEQUENCE notes_id_seq INCREMENT BY -1")',
        "in a circle": 'op.execute("ALTER SEQUENCE ticket_numbers CYCLE")',
        "in a circle, the key of a table": 'op.execute("ALTER TABLE notes ALTER id SET CYCLE")',
        "up to a lower end": 'op.execute("ALTER SEQUENCE ticket_numbers MAXVALUE 10")',
        "of a smaller type": 'op.execute("ALTER SEQUENCE ticket_numbers AS smallint")',
        "in steps, to its end": 'op.execute("ALTER SEQUENCE notes_id_seq INCREMENT BY 1000000000000000000")',
    },
)

DROP_TYPE = Danger(
    "a type is dropped, and the columns of it",
    names=("mood",),
    harm=lacks(column("tickets", "mood")),
    spellings={
        "SQL": 'op.execute("DROP TYPE mood CASCADE")',
        "sa.Enum": """
            op.drop_column("tickets", "mood")
            sa.Enum(name="mood").drop(op.get_bind())
            """,
    },
)

RENAME_ENUM_VALUE = Danger(
    "a value of an enum gets another name",
    names=("mood", "sad"),
    harm=lacks("SELECT FROM pg_enum WHERE enumlabel = 'sad'"),
    spellings={
        "SQL": """op.execute("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'")""",
        "another type in its place": """
            op.execute("ALTER TYPE mood RENAME TO mood_of_before")
            op.execute("CREATE TYPE mood AS ENUM ('glad', 'blue')")
            op.execute("ALTER TABLE tickets ALTER mood TYPE mood USING replace(mood::text, 'sad', 'blue')::mood")
            op.execute("DROP TYPE mood_of_before")
            """,
    },
)

NARROW_DOMAIN = Danger(
    "a domain refuses what it took",
    names=("short_text",),
    harm=exists("SELECT FROM pg_constraint WHERE conname = 'ck_short_text'"),
    spellings={
        "SQL": "op.execute(\"ALTER DOMAIN short_text ADD CONSTRAINT ck_short_text CHECK (VALUE <> '')\")",
        "not validated": (
            "op.execute(\"ALTER DOMAIN short_text ADD CONSTRAINT ck_short_text CHECK (VALUE <> '') NOT VALID\")"
        ),
    },
)

KEEP_INVALID_INDEX = Danger(
    "an INVALID index is taken for one that is there",
    names=("ix_todos_completed_at",),
    harm="SELECT obj_description('ix_todos_completed_at'::regclass, 'pg_class') IS NOT NULL",
    instead="create_index_online",
    spellings={
        "SQL": """
            with op.get_context().autocommit_block():
                op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_todos_completed_at ON todos (completed_at)")
                op.execute("COMMENT ON INDEX ix_todos_completed_at IS 'for the list of done todos'")
            """,
        "op": """
            with op.get_context().autocommit_block():
                op.create_index(
                    "ix_todos_completed_at", "todos", ["completed_at"],
                    if_not_exists=True, postgresql_concurrently=True,
                )
                op.execute("COMMENT ON INDEX ix_todos_completed_at IS 'for the list of done todos'")
            """,
    },
)

DROP_UNIQUE_INDEX = Danger(
    "a unique index is dropped while the live release counts on it",
    names=("uq_users_email",),
    harm=lacks(index("uq_users_email")),
    spellings={
        "op": 'op.drop_constraint("uq_users_email", "users")',
        "keyword arguments": (
            'op.drop_constraint(constraint_name="uq_users_email", table_name="users", type_="unique")'
        ),
        "SQL": """op.execute('alter table "users" drop constraint if exists "uq_users_email" cascade')""",
        "by our own operation": 'drop_constraint_online("users", "uq_users_email")',
    },
)

DANGERS = (
    DROP_VIEW,
    NARROW_VIEW,
    SHOW_OTHER_ROWS,
    STAND_IN_WITH_FEWER_ROWS,
    DROP_OTHERS,
    DROP_MATERIALIZED_VIEW,
    DROP_FUNCTION,
    DROP_QUEUE_FUNCTION,
    CHANGE_SIGNATURE,
    DROP_TRIGGER,
    DROP_SEQUENCE,
    RESTART_SEQUENCE,
    OTHER_NUMBERS,
    DROP_TYPE,
    RENAME_ENUM_VALUE,
    NARROW_DOMAIN,
    KEEP_INVALID_INDEX,
    DROP_UNIQUE_INDEX,
)
