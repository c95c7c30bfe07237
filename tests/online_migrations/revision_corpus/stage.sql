-- The database of the corpus: the service's own at head, with many rows, and things that a service may have besides.

INSERT INTO notes (user_id, title, content, tags)
    SELECT (SELECT min(id) FROM users), 'note ' || n, 'text ' || n, ARRAY['tag'] FROM generate_series(1, 3000) n;
INSERT INTO todos (user_id, description)
    SELECT (SELECT min(id) FROM users), 'thing ' || n FROM generate_series(1, 3000) n;
UPDATE notes SET tags = ARRAY['tag'];
UPDATE todos SET due_on = '2030-01-01';

-- A table that no model of today maps, and what hangs on it.
CREATE DOMAIN short_text AS varchar(20) CHECK (length(VALUE) < 20);
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TYPE spot AS (hall text, place int);
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

-- Views and partitions.
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

-- What an earlier release left half done: a step of its own is to follow.
ALTER TABLE notes ADD COLUMN colour text, ADD COLUMN size int;
COMMENT ON COLUMN notes.colour IS 'retired: no code reads or writes it any more; a later release drops it';
COMMENT ON COLUMN notes.size IS 'retired: no code reads or writes it any more; a later release drops it';
CREATE TABLE drafts (id bigint CONSTRAINT pk_drafts PRIMARY KEY);
INSERT INTO drafts VALUES (1);
COMMENT ON TABLE drafts IS 'retired: no code reads or writes it any more; a later release drops it';
CREATE TABLE pages_seen (id bigint CONSTRAINT pk_pages_seen PRIMARY KEY);
CREATE VIEW page_views AS SELECT * FROM pages_seen;
ALTER TABLE todos ADD COLUMN remark text DEFAULT '';
ALTER TABLE todos ADD CONSTRAINT ck_todos_remark CHECK (remark IS NOT NULL);
ALTER TABLE todos ADD CONSTRAINT ck_todos_position CHECK (position >= 0) NOT VALID;
ALTER TABLE tickets ADD CONSTRAINT ck_tickets_mood CHECK (mood IS NOT NULL) NOT VALID;
ALTER TABLE tickets ADD CONSTRAINT fk_tickets_user_id
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE NOT VALID;
CREATE TABLE leftovers (id bigint);
CREATE INDEX ix_tickets_seat ON tickets (seat);
GRANT CREATE ON SCHEMA public TO pg_database_owner;
GRANT SELECT ON surveys TO pg_monitor;
GRANT SELECT (title) ON surveys TO pg_monitor;
GRANT USAGE ON SEQUENCE ticket_numbers TO pg_monitor WITH GRANT OPTION;

-- What the live release leaves empty, to a default or to a trigger, and names in ON CONFLICT; a table behind the view of
-- its old name; and parts, of which the models know the wholes alone, or a whole of which they know a part.
CREATE TABLE bookings (id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_bookings PRIMARY KEY,
    code text CONSTRAINT uq_bookings_code UNIQUE, state text NOT NULL,
    room varchar(10) NOT NULL DEFAULT 'any' CONSTRAINT ck_bookings_room CHECK (room IN ('any', 'hall')));
CREATE UNIQUE INDEX ix_bookings_again ON bookings (id, room);
CREATE UNIQUE INDEX ix_bookings_state ON bookings (state, id);
CREATE UNIQUE INDEX ix_bookings_part ON bookings (code) WHERE state = 'open';
CREATE UNIQUE INDEX ix_bookings_lower ON bookings (id, lower(code));
CREATE UNIQUE INDEX ix_bookings_room ON bookings (room, id);
CREATE FUNCTION fill_state() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.state := coalesce(NEW.state, 'open'); RETURN NEW; END $$;
CREATE TRIGGER fill_state BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION fill_state();
CREATE POLICY all_of_them ON bookings USING (true);
ALTER TABLE bookings ENABLE ROW LEVEL SECURITY;
INSERT INTO bookings (code) VALUES ('a'), ('b');
CREATE TABLE guests (id bigint CONSTRAINT pk_guests PRIMARY KEY, name text);
CREATE VIEW visitors AS SELECT * FROM guests;
INSERT INTO visitors VALUES (1, 'first');
ALTER TABLE surveys ADD plan_id bigint, ADD other_plan_id bigint NOT NULL DEFAULT 0;
CREATE TABLE dated (day date NOT NULL);
CREATE TABLE logged (day date NOT NULL, what text);
CREATE TABLE logged_more () INHERITS (dated, logged);
INSERT INTO logged_more SELECT '2025-05-05', 'visit' FROM generate_series(1, 2000);
CREATE TABLE happened (day date NOT NULL, what text);
CREATE TABLE noted () INHERITS (happened);
INSERT INTO noted VALUES ('2025-05-05', 'visit');
CREATE PUBLICATION sent FOR TABLE surveys, bookings;
