"""Unsafe: PostgreSQL rewrites a table, under a lock that neither readers nor writers pass."""

from app.release.ledger import CONTRACT
from tests.release.revision_corpus.cases import Danger, in_do_block
from tests.release.revision_corpus.probes import column, column_type, exists, index, is_rewritten


def added(definition: str) -> str:
    return f'op.execute("ALTER TABLE notes ADD COLUMN token {definition}")'


CHANGE_TYPE = Danger(
    "a column becomes one of another type",
    names=("notes", "version"),
    harm=exists(column_type("notes", "version", "bigint")),
    spellings={
        "op": 'op.alter_column("notes", "version", type_=sa.BigInteger())',
        "keyword arguments": (
            'op.alter_column(column_name="version", existing_type=sa.Integer(), existing_nullable=False,'
            ' table_name="notes", type_=sa.BigInteger())'
        ),
        "batch_alter_table": """
            with op.batch_alter_table("notes") as notes:
                notes.alter_column("version", type_=sa.BigInteger(), existing_type=sa.Integer())
            """,
        "SQL": 'op.execute("ALTER TABLE notes ALTER COLUMN version TYPE bigint")',
        "quoted, SET DATA TYPE": (
            """op.execute('alter table "notes" alter "version" set data type int8 using "version"::int8')"""
        ),
        "in a DO block": in_do_block("ALTER TABLE notes ALTER version TYPE bigint"),
        "in an autocommit_block": """
            with op.get_context().autocommit_block():
                op.alter_column("notes", "version", type_=sa.BigInteger())
            """,
        "another column in its place": """
            op.execute("ALTER TABLE notes ADD COLUMN version_big bigint DEFAULT 1")
            op.execute("ALTER TABLE notes DROP COLUMN version")
            op.execute("ALTER TABLE notes RENAME COLUMN version_big TO version")
            """,
    },
)

CHANGE_TYPE_IN_CONTRACT = Danger(
    "a contract has a column become one of another type",
    names=("notes", "version"),
    harm=is_rewritten("notes"),
    phase=CONTRACT,
    spellings={
        "op": 'op.alter_column("notes", "version", type_=sa.BigInteger())',
        "SQL": 'op.execute("ALTER TABLE notes ALTER version TYPE text")',
    },
)

NARROW_TEXT = Danger(
    "a text may be shorter only from now on",
    names=("notes", "title"),
    harm=exists(column_type("notes", "title", "character varying(40)")),
    spellings={
        "op": 'op.alter_column("notes", "title", type_=sa.String(40))',
        "SQL": 'op.execute("ALTER TABLE notes ALTER title TYPE varchar(40)")',
    },
)

CHANGE_COLLATION = Danger(
    "a text is sorted by other rules, and its indexes are rebuilt",
    names=("users", "email"),
    harm=exists(column("users", "email", "attcollation = '\"C\"'::regcollation")),
    spellings={"SQL": """op.execute('ALTER TABLE users ALTER email TYPE varchar(120) COLLATE "C"')"""},
)

VOLATILE_DEFAULT = Danger(
    "a new column has a default that differs from row to row",
    names=("notes", "token"),
    harm=exists(column("notes", "token", "atthasdef AND NOT atthasmissing")),
    instead="backfill|default",
    spellings={
        "random()": added("float DEFAULT random()"),
        "quoted": """op.execute('ALTER TABLE notes ADD COLUMN token float DEFAULT "random"()')""",
        "with its schema": added("float DEFAULT pg_catalog.random() * 2"),
        "inside coalesce": added("text DEFAULT coalesce(NULL, random()::text)"),
        "gen_random_uuid()": added("uuid NOT NULL DEFAULT gen_random_uuid()"),
        "clock_timestamp()": added("timestamptz DEFAULT clock_timestamp()"),
        "nextval()": added("bigint DEFAULT nextval('ticket_numbers')"),
        "a function of one's own": """
            op.execute("CREATE FUNCTION lucky() RETURNS int LANGUAGE sql AS 'SELECT (random() * 7)::int'")
            op.execute("ALTER TABLE notes ADD COLUMN token int DEFAULT lucky()")
            """,
        "op": 'op.add_column("notes", sa.Column("token", sa.Uuid(), server_default=sa.text("gen_random_uuid()")))',
        "op, sa.func": 'op.add_column("notes", sa.Column("token", sa.Float(), server_default=sa.func.random()))',
    },
)

COMPUTED_COLUMN = Danger(
    "a new column is computed by the database, and stored",
    names=("notes", "words"),
    harm=exists(column("notes", "words", "attgenerated = 's'")),
    spellings={
        "op": 'op.add_column("notes", sa.Column("words", sa.Integer(), sa.Computed("version + 1", persisted=True)))',
        "SQL": 'op.execute("ALTER TABLE notes ADD words int GENERATED ALWAYS AS (length(content)) STORED")',
        "in a DO block": in_do_block("ALTER TABLE notes ADD words int GENERATED ALWAYS AS (version + 1) STORED"),
    },
)

NUMBERED_COLUMN = Danger(
    "a new column numbers the rows that are there",
    names=("notes", "number"),
    harm=exists(column("notes", "number")),
    spellings={
        "sa.Identity": 'op.add_column("notes", sa.Column("number", sa.BigInteger(), sa.Identity()))',
        "IDENTITY": 'op.execute("ALTER TABLE notes ADD number bigint GENERATED BY DEFAULT AS IDENTITY")',
        "serial": 'op.execute("ALTER TABLE notes ADD COLUMN number serial")',
        "bigserial, quoted": """op.execute('alter table "notes" add "number" bigserial')""",
    },
)

COLUMN_OF_A_DOMAIN = Danger(
    "a new column is of a domain with a condition",
    names=("notes", "label"),
    harm=is_rewritten("notes"),
    spellings={"SQL": 'op.execute("ALTER TABLE notes ADD COLUMN label short_text")'},
)

REWRITE = Danger(
    "a table is rewritten as it is",
    names=("notes",),
    harm=is_rewritten("notes"),
    spellings={
        "CLUSTER": 'op.execute("CLUSTER notes USING pk_notes")',
        "VACUUM FULL": """
            with op.get_context().autocommit_block():
                op.execute("VACUUM FULL notes")
            """,
        "VACUUM with options, in lower case": """
            with op.get_context().autocommit_block():
                op.execute("vacuum (analyze, full) public.notes")
            """,
        "the same type": """op.execute("ALTER TABLE notes ALTER content TYPE varchar(2000) USING content || ''")""",
    },
)

UNLOGGED = Danger(
    "a table no longer survives a crash",
    names=("results",),
    harm="SELECT relpersistence = 'u' FROM pg_class WHERE oid = 'results'::regclass",
    spellings={
        "SQL": 'op.execute("ALTER TABLE results SET UNLOGGED")',
        "in a DO block": in_do_block("ALTER TABLE results SET UNLOGGED"),
    },
)

LOGGED = Danger(
    "an UNLOGGED table is written into the log as a whole",
    names=("rate_limits",),
    harm="SELECT relpersistence = 'p' FROM pg_class WHERE oid = 'rate_limits'::regclass",
    spellings={"SQL": 'op.execute("ALTER TABLE rate_limits SET LOGGED")'},
)

REFRESH = Danger(
    "a materialized view is filled again while nobody can read it",
    names=("todo_counts",),
    harm="SELECT sum(todos) = (SELECT count(*) FROM todos) FROM todo_counts",
    spellings={"SQL": 'op.execute("REFRESH MATERIALIZED VIEW todo_counts")'},
)

REINDEX = Danger(
    "an index is rebuilt while nobody can write",
    names=("notes",),
    harm=is_rewritten("ix_notes_user_id_pinned_id"),
    spellings={
        "REINDEX INDEX": 'op.execute("REINDEX INDEX ix_notes_user_id_pinned_id")',
        "REINDEX TABLE": """op.execute('reindex table "notes"')""",
    },
)

BUILD_INDEX = Danger(
    "an index is built while nobody can write",
    names=("todos", "ix_todos_due_on"),
    harm=exists(index("ix_todos_due_on")),
    instead="create_index_online",
    spellings={
        "op": 'op.create_index("ix_todos_due_on", "todos", ["due_on"])',
        "keyword arguments": 'op.create_index(columns=["due_on"], index_name="ix_todos_due_on", table_name="todos")',
        "batch_alter_table": """
            with op.batch_alter_table("todos") as todos:
                todos.create_index("ix_todos_due_on", ["due_on"])
            """,
        "sa.Index": """
            todos = sa.Table("todos", sa.MetaData(), sa.Column("due_on", sa.Date()))
            sa.Index("ix_todos_due_on", todos.c.due_on).create(op.get_bind())
            """,
        "SQL": 'op.execute("CREATE INDEX ix_todos_due_on ON todos (due_on)")',
        "quoted, if it is not there": (
            """op.execute('create index if not exists "ix_todos_due_on" on only public."todos" (due_on)')"""
        ),
        "in a DO block": in_do_block("CREATE INDEX ix_todos_due_on ON todos (due_on)"),
        "in an autocommit_block, not concurrently": """
            with op.get_context().autocommit_block():
                op.create_index("ix_todos_due_on", "todos", ["due_on"])
            """,
        "of a column of now": """
            op.execute("ALTER TABLE todos ADD COLUMN place text")
            op.execute("CREATE INDEX ix_todos_due_on ON todos (place)")
            """,
    },
)

DANGERS = (
    CHANGE_TYPE,
    CHANGE_TYPE_IN_CONTRACT,
    NARROW_TEXT,
    CHANGE_COLLATION,
    VOLATILE_DEFAULT,
    COMPUTED_COLUMN,
    NUMBERED_COLUMN,
    COLUMN_OF_A_DOMAIN,
    REWRITE,
    UNLOGGED,
    LOGGED,
    REFRESH,
    REINDEX,
    BUILD_INDEX,
)
