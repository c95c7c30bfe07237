"""Read SQL as the server does: statements and names; and the locks that the page of operations names."""

import re

from sqlalchemy import Connection, text

from online_migrations.sql import normalize, split_at_commas, split_statements, unqualified_name
from tests.online_migrations.migrating import Database
from tests.online_migrations.operation_docs import STRONGEST_LAST, lock_of

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


def test_a_comma_in_parentheses_splits_nothing() -> None:
    assert split_at_commas("a, b(c, d), e") == ["a", "b(c, d)", "e"]


SETUP = """
CREATE TABLE people (id bigint PRIMARY KEY);
CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint, note text, CONSTRAINT ck CHECK (id > 0) NOT VALID);
CREATE VIEW pages AS SELECT * FROM people;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER old BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION nothing();
"""
# As operations send them. CREATE and DROP INDEX CONCURRENTLY run in no transaction; of them the manual has the word.
STATEMENTS = """
LOCK TABLE notes IN SHARE UPDATE EXCLUSIVE MODE;
LOCK TABLE notes, people IN SHARE ROW EXCLUSIVE MODE;
ALTER TABLE notes ADD COLUMN colour text;
ALTER TABLE notes ALTER COLUMN note TYPE varchar;
ALTER TABLE notes DROP CONSTRAINT ck;
ALTER TABLE notes VALIDATE CONSTRAINT ck;
ALTER TABLE notes ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES people (id) NOT VALID;
CREATE OR REPLACE TRIGGER another BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION nothing();
DROP TRIGGER IF EXISTS old ON notes;
DROP VIEW pages;
DROP TABLE IF EXISTS notes;
COMMENT ON COLUMN notes.note IS 'a remark';
COMMENT ON TABLE notes IS 'a remark';
ANALYZE notes;
UPDATE notes SET note = 'x';
INSERT INTO notes (id) VALUES (1);
DELETE FROM notes
"""


def held(connection: Connection, statement: str) -> str:
    """Return the strongest lock that the server holds once the statement has run."""
    oids = connection.scalars(text("SELECT oid::bigint FROM pg_class WHERE relname IN ('notes', 'pages')")).all()
    connection.exec_driver_sql(statement)
    query = text("SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation::bigint = ANY (:oids)")
    modes = [
        re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode).removesuffix(" Lock").upper()
        for mode in connection.scalars(query, {"oids": list(oids)})
    ]
    connection.rollback()
    return max((mode for mode in modes if mode in STRONGEST_LAST), key=STRONGEST_LAST.index)


def test_the_server_takes_the_locks_that_the_page_of_operations_names(database: Database) -> None:
    database.execute(SETUP)
    with database.engine.connect() as connection:
        taken = {statement: held(connection, statement) for statement in split_statements(STATEMENTS)}
    assert {statement: lock_of(normalize(statement)) for statement in taken} == taken
