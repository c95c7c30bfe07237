"""The database of the corpus: the service's own at head, with many rows, and things that a service may have besides."""

from contextlib import suppress

from sqlalchemy import Column, Engine, MetaData, Table, inspect, text
from sqlalchemy.exc import IntegrityError

from app.release import live
from app.release.marks import RETIRED_COMMENT
from tests.databases import Environment
from tests.release.migrating import connected

MANY = 3_000  # rows; the most that a revision may write in one transaction is a thousand

ROWS = f"""
INSERT INTO notes (user_id, title, content, tags)
    SELECT (SELECT min(id) FROM users), 'note ' || n, 'text ' || n, ARRAY['tag'] FROM generate_series(1, {MANY}) n;
INSERT INTO todos (user_id, description)
    SELECT (SELECT min(id) FROM users), 'thing ' || n FROM generate_series(1, {MANY}) n;
UPDATE notes SET tags = ARRAY['tag'];
UPDATE todos SET due_on = '2030-01-01';
"""

# A table that no model of today maps, and what hangs on it.
TICKETS = """
CREATE DOMAIN short_text AS varchar(20) CHECK (length(VALUE) < 20);
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE SEQUENCE ticket_numbers;
CREATE TABLE tickets (
    number bigint CONSTRAINT pk_tickets PRIMARY KEY DEFAULT nextval('ticket_numbers'),
    user_id bigint NOT NULL,
    todo_id bigint,
    seat varchar(10) NOT NULL DEFAULT 'any',
    label short_text,
    mood mood,
    price numeric(5, 2) NOT NULL DEFAULT 0,
    during daterange NOT NULL
);
INSERT INTO tickets (user_id, during, mood, label)
    SELECT (SELECT min(id) FROM users), daterange(date '2030-01-01' + n, date '2030-01-01' + n + 1), 'sad', 'x'
    FROM generate_series(1, 5) n;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.seat := coalesce(NEW.seat, 'any'); RETURN NEW; END $$;
CREATE TRIGGER touch_tickets BEFORE UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW := jsonb_populate_record(NEW, jsonb_build_object('place_id', 7, 'note', 'x')); RETURN NEW; END $$;
CREATE FUNCTION seat_label(seat text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'seat ' || seat $$;
CREATE PROCEDURE tidy_notes() LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE notes DROP COLUMN tags; COMMIT; END $$;
CREATE AGGREGATE longest(text) (SFUNC = text_larger, STYPE = text);
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
CREATE COLLATION by_code_point FROM "C";
CREATE TABLE surveys (id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_surveys PRIMARY KEY, title text NOT NULL,
    place varchar(50) CONSTRAINT ck_surveys_place CHECK (place <> ''));
CREATE TRIGGER fill_surveys BEFORE INSERT ON surveys FOR EACH ROW EXECUTE FUNCTION fill();
"""

VIEWS_AND_PARTITIONS = """
CREATE VIEW open_todos AS SELECT id, user_id, description, position FROM todos WHERE NOT completed;
CREATE MATERIALIZED VIEW todo_counts AS SELECT user_id, count(*) AS todos FROM todos GROUP BY user_id;
INSERT INTO todos (user_id, description, due_on) SELECT max(id), 'one more', '2030-01-01' FROM users;
CREATE SCHEMA archive;
CREATE TABLE archive.letters (id bigint CONSTRAINT pk_letters PRIMARY KEY, body text NOT NULL,
    survey_id bigint CONSTRAINT fk_letters_survey_id REFERENCES surveys ON UPDATE CASCADE);
INSERT INTO archive.letters VALUES (1, 'dear');
CREATE TABLE visits (day date NOT NULL, page text NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE visits_2025 (day date NOT NULL, page text NOT NULL);
INSERT INTO visits VALUES ('2026-05-05', '/');
INSERT INTO visits_2025 SELECT date '2025-01-01' + n % 365, '/' FROM generate_series(1, 2000) n;
"""

# What an earlier release left half done: a step of its own is to follow.
HALF_DONE = f"""
ALTER TABLE notes ADD COLUMN colour text, ADD COLUMN size int;
COMMENT ON COLUMN notes.colour IS '{RETIRED_COMMENT}';
COMMENT ON COLUMN notes.size IS '{RETIRED_COMMENT}';
CREATE TABLE drafts (id bigint CONSTRAINT pk_drafts PRIMARY KEY);
INSERT INTO drafts VALUES (1);
COMMENT ON TABLE drafts IS '{RETIRED_COMMENT}';
CREATE TABLE pages_seen (id bigint CONSTRAINT pk_pages_seen PRIMARY KEY);
CREATE VIEW page_views AS SELECT * FROM pages_seen;
ALTER TABLE todos ADD COLUMN remark text DEFAULT '';
ALTER TABLE todos ADD CONSTRAINT ck_todos_remark CHECK (remark IS NOT NULL);
ALTER TABLE todos ADD CONSTRAINT ck_todos_position CHECK (position >= 0) NOT VALID;
ALTER TABLE tickets ADD CONSTRAINT fk_tickets_user_id
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE NOT VALID;
CREATE TABLE leftovers (id bigint);
CREATE INDEX ix_tickets_seat ON tickets (seat);
GRANT CREATE ON SCHEMA public TO pg_database_owner;
GRANT SELECT ON surveys TO pg_monitor;
GRANT SELECT (title) ON surveys TO pg_monitor;
GRANT USAGE ON SEQUENCE ticket_numbers TO pg_monitor WITH GRANT OPTION;
"""

# What the live release does not map: no more, or since it is a tool's.
UNMAPPED_TABLES = {"drafts", "leftovers", "page_views", "alembic_version", "schema_ledger", "schema_releases"}
TOOLS_PREFIX = "procrastinate_"
UNMAPPED_COLUMNS = ("colour", "size")  # of notes
FILLED = ("due_on", "remark")  # of todos: its models say NOT NULL, and the database does not yet

# Fails, since one user has many todos, and leaves an INVALID index.
INVALID_INDEX = "CREATE UNIQUE INDEX CONCURRENTLY ix_todos_completed_at ON todos (user_id)"


def build(environment: Environment) -> None:
    """Build it on a database at head with rows in every table."""
    with connected(environment) as database:
        for script in (ROWS, TICKETS, VIEWS_AND_PARTITIONS, HALF_DONE):
            database.execute(script)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            with suppress(IntegrityError):
                connection.execute(text(INVALID_INDEX))
            connection.execute(text("ANALYZE"))
        with database.migrating.connect() as connection:
            live.prepare(connection)
            live.record_live(connection, live_models(database.engine), "0024")


def live_models(engine: Engine) -> MetaData:
    """Return the models of the release that serves the database."""
    metadata, inspector = MetaData(), inspect(engine)
    for schema in (None, "archive"):
        names = {*inspector.get_table_names(schema), *inspector.get_view_names(schema)} - UNMAPPED_TABLES
        for name in (name for name in names if not name.startswith(TOOLS_PREFIX)):
            columns = (
                column for column in inspector.get_columns(name, schema) if column["name"] not in UNMAPPED_COLUMNS
            )
            mapped = (
                Column(column["name"], column["type"], nullable=column["nullable"] and column["name"] not in FILLED)
                for column in columns
            )
            Table(name, metadata, *mapped, schema=schema)
    return metadata
