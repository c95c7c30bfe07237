"""Safe: steps by hand after which the release before runs as it did."""

from tests.release.revision_corpus.cases import Safe, in_do_block
from tests.release.revision_corpus.probes import (
    column,
    column_type,
    comment,
    constraint,
    exists,
    function,
    index,
    lacks,
    relation,
    rows,
    schema,
    trigger,
    type_,
)

IN_BLOCK = "with op.get_context().autocommit_block():\n    "
DUE_INDEX = exists(index("ix_todos_due_on"))


def added(definition: str) -> str:
    return f'op.execute("ALTER TABLE notes ADD COLUMN mark {definition}")'


MARK = exists(column("notes", "mark"))
KEPT_DEFAULT = exists(column("notes", "mark", "atthasdef"))

NEW_COLUMNS = (
    Safe("a nullable column", 'op.add_column("notes", sa.Column("mark", sa.Text()))', MARK),
    Safe("a nullable column, if it is not there", added("text").replace("COLUMN", "COLUMN IF NOT EXISTS"), MARK),
    Safe(
        "a required column with a constant default",
        'op.add_column("notes", sa.Column("mark", sa.Boolean(), server_default=sa.false(), nullable=False))',
        KEPT_DEFAULT,
    ),
    Safe("a default that is the time of the statement", added("timestamptz NOT NULL DEFAULT now()"), KEPT_DEFAULT),
    Safe("CURRENT_DATE as a default", added("date NOT NULL DEFAULT CURRENT_DATE"), KEPT_DEFAULT),
    Safe("statement_timestamp() as a default", added("timestamptz DEFAULT statement_timestamp()"), KEPT_DEFAULT),
    Safe("a STABLE function as a default", added("text DEFAULT to_char(now(), 'YYYY')"), KEPT_DEFAULT),
    Safe("a STABLE function of the session", added("text DEFAULT current_setting('server_version')"), KEPT_DEFAULT),
    Safe("coalesce as a default", added("text NOT NULL DEFAULT coalesce(NULL, 'x')"), KEPT_DEFAULT),
    Safe("a text that speaks of random()", added("text DEFAULT 'random()'"), KEPT_DEFAULT),
    Safe("a default with a cast", added("jsonb NOT NULL DEFAULT '{}'::jsonb"), KEPT_DEFAULT),
    Safe(
        "several columns of one table",
        'op.execute("ALTER TABLE notes ADD COLUMN mark text, ADD COLUMN mark_at timestamptz")',
        MARK,
    ),
    Safe(
        "a column and a little of what it holds",
        """
        op.add_column("notes", sa.Column("mark", sa.Text()))
        op.execute("UPDATE notes SET mark = 'first' WHERE id <= 10")
        """,
        exists(column("notes", "mark")),
    ),
    Safe("a column, in a DO block", in_do_block("ALTER TABLE notes ADD mark text"), MARK),
    Safe("a column, in an autocommit_block", IN_BLOCK + added("text"), MARK),
    Safe(
        "a column of a new type",
        """
        op.execute("CREATE TYPE weight AS ENUM ('light', 'heavy')")
        op.execute("ALTER TABLE notes ADD COLUMN mark weight NOT NULL DEFAULT 'light'")
        """,
        MARK,
    ),
    Safe(
        "a column that is gone again",
        """
        op.execute("ALTER TABLE notes ADD COLUMN draft text")
        op.execute("ALTER TABLE notes DROP COLUMN draft")
        op.execute("COMMENT ON TABLE notes IS 'seen'")
        """,
        comment("notes", "seen"),
    ),
)

CHANGED_COLUMNS = (
    Safe(
        "a longer text",
        'op.alter_column("user_sessions", "user_agent", type_=sa.String(800))',
        exists(column_type("user_sessions", "user_agent", "character varying(800)")),
    ),
    Safe(
        "a longer text, of an indexed column",
        'op.execute("ALTER TABLE users ALTER email TYPE varchar(254)")',
        exists(column_type("users", "email", "character varying(254)")),
    ),
    Safe(
        "a text without a limit",
        'op.execute("ALTER TABLE user_sessions ALTER COLUMN user_agent TYPE text")',
        exists(column_type("user_sessions", "user_agent", "text")),
    ),
    Safe(
        "a number of more digits",
        'op.execute("ALTER TABLE tickets ALTER price TYPE numeric(10, 2)")',
        exists(column_type("tickets", "price", "numeric(10,2)")),
    ),
    Safe(
        "another default",
        """op.alter_column("notes", "version", server_default="2")""",
        "SELECT pg_get_expr(adbin, adrelid) = '2' FROM pg_attrdef WHERE adrelid = 'notes'::regclass AND adnum = 6",
    ),
    Safe(
        "a default that differs from row to row, of later rows",
        'op.execute("ALTER TABLE tickets ALTER COLUMN label SET DEFAULT left(random()::text, 9)")',
        exists(column("tickets", "label", "atthasdef")),
    ),
    Safe(
        "a default that its CHECK takes",
        """op.alter_column("surveys", "place", server_default="here")""",
        exists(column("surveys", "place", "atthasdef")),
    ),
    Safe(
        "a default that refers to a row",
        """
        first = op.get_bind().scalar(sa.text("SELECT min(id) FROM users"))
        op.alter_column("tickets", "user_id", server_default=str(first))
        """,
        exists(column("tickets", "user_id", "atthasdef")),
    ),
    Safe(
        "the numbers of another sequence, for a key",
        """
        op.execute("CREATE SEQUENCE more_numbers START 1000")
        op.execute("ALTER TABLE tickets ALTER number SET DEFAULT nextval('more_numbers')")
        """,
        "SELECT pg_get_expr(adbin, adrelid) LIKE '%more%' FROM pg_attrdef"
        " WHERE adrelid = 'tickets'::regclass AND adnum = 1",
    ),
    Safe(
        "a default of a domain",
        "op.execute(\"ALTER DOMAIN short_text SET DEFAULT 'short'\")",
        "SELECT typdefault IS NOT NULL FROM pg_type WHERE typname = 'short_text'",
    ),
    Safe(
        "no default, where none is required",
        'op.execute("ALTER TABLE tickets ALTER seat DROP NOT NULL, ALTER seat DROP DEFAULT")',
        exists(column("tickets", "seat", "NOT atthasdef")),
    ),
    Safe(
        "a required column that may be empty",
        'op.execute("ALTER TABLE tickets ALTER COLUMN seat DROP NOT NULL")',
        exists(column("tickets", "seat", "NOT attnotnull")),
    ),
    Safe(
        "statistics of a column",
        'op.execute("ALTER TABLE notes ALTER COLUMN title SET STATISTICS 500")',
        exists(column("notes", "title", "attstattarget = 500")),
    ),
    Safe(
        "how a column is stored",
        'op.execute("ALTER TABLE notes ALTER COLUMN content SET STORAGE EXTERNAL")',
        exists(column("notes", "content", "attstorage = 'e'")),
    ),
    Safe(
        "how full the pages of a table are",
        'op.execute("ALTER TABLE notes SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05)")',
        "SELECT reloptions IS NOT NULL FROM pg_class WHERE oid = 'notes'::regclass",
    ),
    Safe("a comment", 'op.create_table_comment("notes", "of users")', comment("notes", "of users")),
    Safe(
        "a comment that speaks of danger",
        "op.execute(\"/* UPDATE notes SET title = 1; */ COMMENT ON TABLE notes IS 'DROP TABLE notes; -- no'\")",
        comment("notes", "DROP TABLE notes; -- no"),
    ),
)

INDEXES = (
    Safe(
        "an index, concurrently",
        IN_BLOCK + 'op.create_index("ix_todos_due_on", "todos", ["due_on"], postgresql_concurrently=True)',
        DUE_INDEX,
    ),
    Safe(
        "an index, concurrently, in SQL",
        IN_BLOCK + 'op.execute("create index concurrently if not exists ix_todos_due_on on public.todos (due_on)")',
        DUE_INDEX,
    ),
    Safe(
        "an INVALID index is dropped and built",
        """
        with op.get_context().autocommit_block():
            op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_todos_completed_at")
            op.execute("CREATE INDEX CONCURRENTLY ix_todos_completed_at ON todos (completed_at)")
        """,
        exists(index("ix_todos_completed_at", "indisvalid AND NOT indisunique")),
    ),
    Safe(
        "an index is dropped, concurrently",
        IN_BLOCK + 'op.drop_index("ix_tickets_seat", "tickets", postgresql_concurrently=True)',
        lacks(index("ix_tickets_seat")),
    ),
    Safe(
        "an index is rebuilt, concurrently",
        IN_BLOCK + 'op.execute("REINDEX INDEX CONCURRENTLY ix_tickets_seat")',
        "SELECT relfilenode <> oid OR oid > 'ix_todos_completed_at'::regclass FROM pg_class"
        " WHERE oid = 'ix_tickets_seat'::regclass",
    ),
    Safe(
        "an index gets another name",
        'op.execute("ALTER INDEX ix_tickets_seat RENAME TO ix_tickets_place")',
        exists(index("ix_tickets_place")),
    ),
    Safe(
        "a constraint gets another name",
        'op.execute("ALTER TABLE todos RENAME CONSTRAINT ck_todos_remark TO ck_todos_note")',
        exists(constraint("todos", "ck_todos_note")),
    ),
    Safe(
        "a constraint of before is validated",
        'op.execute("ALTER TABLE todos VALIDATE CONSTRAINT ck_todos_position")',
        exists(constraint("todos", "ck_todos_position", "convalidated")),
    ),
    Safe(
        "a foreign key of before is validated, in an autocommit_block",
        IN_BLOCK + 'op.execute("ALTER TABLE tickets VALIDATE CONSTRAINT fk_tickets_user_id")',
        exists(constraint("tickets", "fk_tickets_user_id", "convalidated")),
    ),
    Safe(
        "a foreign key of a new column",
        """
        op.add_column("notes", sa.Column("survey_id", sa.BigInteger()))
        op.create_foreign_key("fk_notes_survey", "notes", "surveys", ["survey_id"], ["id"], postgresql_not_valid=True)
        """,
        exists(constraint("notes", "fk_notes_survey")),
    ),
    Safe(
        "a rule of a new column, which NULL meets",
        """
        op.add_column("notes", sa.Column("mark", sa.Integer()))
        op.execute("ALTER TABLE notes ADD CONSTRAINT ck_notes_mark CHECK (mark > 0) NOT VALID")
        """,
        exists(constraint("notes", "ck_notes_mark")),
    ),
    Safe(
        "a rule of two new columns, which the default and NULL meet",
        """
        op.add_column("notes", sa.Column("mark", sa.Integer(), server_default="1", nullable=False))
        op.add_column("notes", sa.Column("most", sa.Integer()))
        op.execute("ALTER TABLE notes ADD CONSTRAINT ck_notes_mark CHECK (mark <= coalesce(most, 5)) NOT VALID")
        """,
        exists(constraint("notes", "ck_notes_mark")),
    ),
    Safe(
        "a foreign key of two new columns, which takes NULL in both",
        """
        op.execute("CREATE TABLE seats (hall int, place int, PRIMARY KEY (hall, place))")
        op.execute("ALTER TABLE tickets ADD hall int, ADD place int")
        op.execute("ALTER TABLE tickets ADD CONSTRAINT fk_tickets_place FOREIGN KEY (hall, place)"
                   " REFERENCES seats MATCH FULL NOT VALID")
        """,
        exists(constraint("tickets", "fk_tickets_place")),
    ),
    Safe(
        "a foreign key of an old and a new column, which takes NULL in one",
        """
        op.execute("CREATE TABLE seats (todo_id bigint, place int, PRIMARY KEY (todo_id, place))")
        op.execute("ALTER TABLE tickets ADD place int")
        op.execute("ALTER TABLE tickets ADD CONSTRAINT fk_tickets_place FOREIGN KEY (todo_id, place)"
                   " REFERENCES seats NOT VALID")
        """,
        exists(constraint("tickets", "fk_tickets_place")),
    ),
    Safe(
        "extended statistics",
        'op.execute("CREATE STATISTICS notes_by_user ON user_id, pinned FROM notes")',
        exists("SELECT FROM pg_statistic_ext WHERE stxname = 'notes_by_user'"),
    ),
)

NEW_TABLES = (
    Safe(
        "a table",
        """
        op.create_table(
            "tags",
            sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
            sa.Column("name", sa.String(50), nullable=False, unique=True),
        )
        """,
        exists(relation("tags")),
    ),
    Safe(
        "a table with everything that would be unsafe on an old one",
        """
        op.execute("CREATE TABLE tags (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL)")
        op.execute("ALTER TABLE tags ADD COLUMN length int GENERATED ALWAYS AS (length(name)) STORED")
        op.execute("ALTER TABLE tags ADD CONSTRAINT ck_tags_name CHECK (name <> ''), ADD UNIQUE (name)")
        op.create_index("ix_tags_length", "tags", ["length"])
        op.execute("ALTER TABLE tags ENABLE ROW LEVEL SECURITY")
        """,
        exists(index("ix_tags_length")),
    ),
    Safe(
        "a table that refers to one of before",
        """
        op.create_table(
            "tags",
            sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
            sa.Column("user_id", sa.BigInteger(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        )
        op.create_index("ix_tags_user_id", "tags", ["user_id"])
        """,
        exists(index("ix_tags_user_id")),
    ),
    Safe(
        "a table that refers to two of before",
        """
        op.execute(
            "CREATE TABLE taggings (note_id bigint REFERENCES notes ON DELETE CASCADE,"
            " user_id bigint REFERENCES users ON DELETE CASCADE, PRIMARY KEY (note_id, user_id))"
        )
        """,
        exists(relation("taggings")),
    ),
    Safe(
        "a table and its rows",
        """
        op.execute("CREATE TABLE numbers (n int PRIMARY KEY)")
        op.execute("INSERT INTO numbers SELECT generate_series(1, 5000)")
        op.execute("UPDATE numbers SET n = n + 5000")
        """,
        exists(relation("numbers")),
    ),
    Safe(
        "a table from what others hold",
        'op.execute("CREATE TABLE letters_of_notes AS SELECT id, length(content) AS letters FROM notes")',
        exists(relation("letters_of_notes")),
    ),
    Safe(
        "a table for a while",
        """
        op.execute("CREATE TABLE draft AS SELECT * FROM notes")
        op.execute("DROP TABLE draft")
        op.execute("COMMENT ON TABLE notes IS 'looked at'")
        """,
        comment("notes", "looked at"),
    ),
    Safe(
        "a temporary table",
        """
        op.execute("CREATE TEMPORARY TABLE found ON COMMIT DROP AS SELECT id FROM todos")
        op.execute("COMMENT ON TABLE todos IS 'looked at'")
        """,
        comment("todos", "looked at"),
    ),
    Safe(
        "a partition",
        "op.execute(\"CREATE TABLE visits_2027 PARTITION OF visits FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')\")",
        exists(relation("visits_2027")),
    ),
    Safe(
        "a column of a table and of its partitions",
        'op.execute("ALTER TABLE visits ADD COLUMN seconds int")',
        exists(column("visits_2026", "seconds")),
    ),
    Safe(
        "a schema and a table in it",
        """
        op.execute("CREATE SCHEMA reports")
        op.create_table("days", sa.Column("day", sa.Date(), primary_key=True), schema="reports")
        """,
        exists(schema("reports")),
    ),
)

OTHER_OBJECTS = (
    Safe(
        "as many sessions as there may be",
        """
        name = op.get_bind().scalar(sa.text("SELECT current_database()"))
        op.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        op.execute("COMMENT ON TABLE notes IS 'for many'")
        """,
        comment("notes", "for many"),
    ),
    Safe(
        "tables with keys are published",
        'op.execute("CREATE PUBLICATION feed FOR TABLE notes, todos")',
        exists("SELECT FROM pg_publication"),
    ),
    Safe(
        "inserts of a table without a key are published",
        "op.execute(\"CREATE PUBLICATION feed FOR TABLE visits_2025 WITH (publish = 'insert')\")",
        exists("SELECT FROM pg_publication"),
    ),
    Safe(
        "a table is published with all that its rows hold",
        """
        op.execute("ALTER TABLE visits_2025 REPLICA IDENTITY FULL")
        op.execute("CREATE PUBLICATION feed FOR TABLE visits_2025")
        """,
        exists("SELECT FROM pg_publication"),
    ),
    Safe(
        "the replica identity of a table that is not published",
        'op.execute("ALTER TABLE notes REPLICA IDENTITY NOTHING")',
        "SELECT relreplident = 'n' FROM pg_class WHERE oid = 'notes'::regclass",
    ),
    Safe(
        "tables of its own that inherit",
        """
        op.execute("CREATE TABLE places (id int)")
        op.execute("CREATE TABLE towns () INHERITS (places)")
        """,
        exists(relation("towns")),
    ),
    Safe(
        "a view",
        'op.execute("CREATE VIEW pinned_notes AS SELECT * FROM notes WHERE pinned")',
        exists(relation("pinned_notes")),
    ),
    Safe(
        "a view with one column more",
        'op.execute("CREATE OR REPLACE VIEW open_todos AS SELECT id, user_id, description, position, due_on FROM todos'
        ' WHERE NOT completed")',
        exists(column("open_todos", "due_on")),
    ),
    Safe(
        "a view recreated with one column more",
        """
        op.execute("DROP VIEW open_todos")
        op.execute(
            "CREATE VIEW open_todos AS SELECT id, user_id, description, position, due_on FROM todos WHERE NOT completed"
        )
        """,
        exists(column("open_todos", "due_on")),
    ),
    Safe(
        "a materialized view",
        'op.execute("CREATE MATERIALIZED VIEW note_counts AS SELECT user_id, count(*) FROM notes GROUP BY user_id")',
        exists(relation("note_counts")),
    ),
    Safe(
        "a function",
        "op.execute(\"CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'\")",
        exists(function("twice")),
    ),
    Safe(
        "a function with a better body",
        'op.execute("CREATE OR REPLACE FUNCTION seat_label(seat text) RETURNS text LANGUAGE sql IMMUTABLE'
        " AS $$ SELECT 'Seat ' || seat $$\")",
        "SELECT prosrc LIKE '%Seat%' FROM pg_proc WHERE proname = 'seat_label'",
    ),
    Safe(
        "a helper that is gone again",
        """
        op.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        op.execute("SELECT one()")
        op.execute("DROP FUNCTION one()")
        op.execute("COMMENT ON TABLE notes IS 'one'")
        """,
        comment("notes", "one"),
    ),
    Safe(
        "a trigger recreated as it was",
        """
        op.execute("DROP TRIGGER touch_tickets ON tickets")
        op.execute("CREATE TRIGGER touch_tickets BEFORE UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION touch()")
        op.execute("COMMENT ON TABLE tickets IS 'touched'")
        """,
        exists(trigger("tickets", "touch_tickets") + " AND obj_description(tgrelid, 'pg_class') = 'touched'"),
    ),
    Safe("a type", """op.execute("CREATE TYPE weight AS ENUM ('light', 'heavy')")""", exists(type_("weight"))),
    Safe("a domain", """op.execute("CREATE DOMAIN percent AS int CHECK (VALUE <= 100)")""", exists(type_("percent"))),
    Safe(
        "a value of an enum",
        """op.execute("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'calm' BEFORE 'sad'")""",
        exists("SELECT FROM pg_enum WHERE enumlabel = 'calm'"),
    ),
    Safe(
        "a value of an enum, in an autocommit_block",
        IN_BLOCK + """op.execute("ALTER TYPE mood ADD VALUE 'calm'")""",
        exists("SELECT FROM pg_enum WHERE enumlabel = 'calm'"),
    ),
    Safe("a sequence", 'op.execute("CREATE SEQUENCE letter_numbers START 1000")', exists(relation("letter_numbers"))),
    Safe(
        "a sequence that goes on otherwise",
        'op.execute("ALTER SEQUENCE ticket_numbers CACHE 10 NO MAXVALUE INCREMENT BY 2")',
        exists("SELECT FROM pg_sequence WHERE seqrelid = 'ticket_numbers'::regclass AND seqcache = 10"),
    ),
    *(
        Safe(
            f"a role may do more with {what}, with which it may do something",
            f'op.execute("GRANT {privilege} ON {what} TO pg_monitor{option}")',
            f"SELECT {asked}",
        )
        for what, privilege, option, asked in (
            ("surveys", "INSERT", "", "has_table_privilege('pg_monitor', 'surveys', 'INSERT')"),
            (
                "surveys",
                "SELECT",
                " WITH GRANT OPTION",
                "has_table_privilege('pg_monitor', 'surveys', 'SELECT WITH GRANT OPTION')",
            ),
            ("ticket_numbers", "UPDATE", "", "has_sequence_privilege('pg_monitor', 'ticket_numbers', 'UPDATE')"),
        )
    ),
    Safe(
        "a role may do more with a column",
        'op.execute("GRANT UPDATE (title) ON surveys TO pg_monitor")',
        "SELECT has_column_privilege('pg_monitor', 'surveys', 'title', 'UPDATE')",
    ),
    Safe(
        "a role may do more",
        'op.execute("GRANT SELECT ON notes TO PUBLIC")',
        "SELECT relacl IS NOT NULL FROM pg_class WHERE oid = 'notes'::regclass",
    ),
)

ROWS_OF_TABLES = (
    Safe("one row", 'op.execute("UPDATE todos SET position = 7 WHERE id = 1")', rows("todos", "position = 7")),
    Safe(
        "a range of ids",
        'op.execute("UPDATE todos SET position = 7 WHERE id BETWEEN 1 AND 500")',
        rows("todos", "position = 7", at_least=400),
    ),
    Safe(
        "a batch",
        'op.execute("UPDATE todos SET position = 7 WHERE id IN (SELECT id FROM todos WHERE position = 0 LIMIT 1000)")',
        rows("todos", "position = 7", at_least=1000),
    ),
    Safe(
        "a small table as a whole",
        "op.execute(\"UPDATE users SET language = 'ko' WHERE language IS NULL\")",
        rows("users", "language = 'ko'"),
    ),
    Safe(
        "all rows, in batches of a transaction each",
        """
        with op.get_context().autocommit_block():
            for first in range(1, 3502, 500):
                op.execute(f"UPDATE todos SET position = 7 WHERE id BETWEEN {first} AND {first + 499}")
        """,
        rows("todos", "position = 7", at_least=3000),
    ),
    Safe(
        "all rows, by a backfill",
        'backfill("todos", "position = 7", "position = 0")',
        rows("todos", "position = 7", at_least=3000),
    ),
    Safe(
        "a few rows more",
        """
        surveys = sa.table("surveys", sa.column("title", sa.Text()))
        op.bulk_insert(surveys, [{"title": "How was it?"}, {"title": "And now?"}])
        """,
        rows("surveys", "true", at_least=2),
    ),
    Safe(
        "a row that may be there",
        "op.execute(\"INSERT INTO archive.letters VALUES (1, 'x'), (2, 'new') ON CONFLICT DO NOTHING\")",
        rows("archive.letters", "id = 2"),
    ),
    Safe(
        "a few rows less",
        'op.execute("DELETE FROM tickets WHERE number <= 2")',
        "SELECT count(*) = 3 FROM tickets",
    ),
    Safe(
        "a question, and what follows from the answer",
        """
        if op.get_bind().scalar(sa.text("SELECT count(*) FROM todos WHERE position > 5")) == 0:
            op.add_column("notes", sa.Column("mark", sa.Text()))
        """,
        MARK,
    ),
    Safe(
        "a savepoint that is rolled back",
        """
        with op.get_bind().begin_nested() as savepoint:
            op.execute("DELETE FROM todos WHERE id <= 10")
            savepoint.rollback()
        op.add_column("notes", sa.Column("mark", sa.Text()))
        """,
        MARK,
    ),
    Safe(
        "settings of its own transaction",
        """
        op.execute("SET LOCAL work_mem = '64MB'")
        op.execute("SET LOCAL statement_timeout = '5s'")
        op.add_column("notes", sa.Column("mark", sa.Text()))
        """,
        MARK,
    ),
    Safe(
        "ANALYZE and VACUUM",
        """
        with op.get_context().autocommit_block():
            op.execute("VACUUM (ANALYZE) todos")
            op.execute("COMMENT ON TABLE todos IS 'clean'")
        """,
        comment("todos", "clean"),
    ),
)

SAFE = (*NEW_COLUMNS, *CHANGED_COLUMNS, *INDEXES, *NEW_TABLES, *OTHER_OBJECTS, *ROWS_OF_TABLES)
