"""Reading SQL: literals and comments hide what they hold, names are as the catalog has them."""

from pathlib import Path

from app.release.sql.grammar import (
    alterations,
    created_table,
    literals,
    normalize,
    split_at_commas,
    split_statements,
    unqualified_name,
)
from app.release.sql.render import render
from tests.release.history import history

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


def test_the_actions_of_an_alter_table() -> None:
    statement = "ALTER TABLE IF EXISTS ONLY public.Todos ADD COLUMN n numeric(10, 2), DROP COLUMN a"
    assert list(alterations(statement)) == [("todos", "ADD COLUMN n numeric(10, 2)"), ("todos", "DROP COLUMN a")]
    assert list(alterations("ALTER INDEX a RENAME TO b")) == []


def test_created_tables() -> None:
    assert created_table("CREATE UNLOGGED TABLE IF NOT EXISTS public.Tags ( id bigint )") == "tags"
    assert created_table("CREATE TABLE tags AS SELECT 1") == "tags"
    assert created_table("CREATE INDEX tags ON t (id)") is None


def test_a_comma_in_parentheses_and_a_literal_are_kept_whole() -> None:
    assert split_at_commas("a, b(c, d), e") == ["a", "b(c, d)", "e"]
    assert literals("SELECT 'a', $$b$$") == ["'a'", "$$b$$"]


def test_a_comment_belongs_to_the_statement_after_it(tmp_path: Path) -> None:
    code = 'op.execute("-- why")\nop.execute("SELECT 1")\nop.execute("SELECT 2")'
    [first, second] = render(history(tmp_path, code).get_revision("0002")).statements
    assert (first.sql, second.sql) == ("-- why;\nSELECT 1", "SELECT 2")
