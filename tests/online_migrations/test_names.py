"""Name types and constraints and read SQL as the server does; tell a release's mapping from its models alone."""

import itertools
import json
import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Connection, MetaData, Table, inspect, text
from sqlalchemy.dialects import postgresql as pg

from app.extensions import NAMING_CONVENTION
from online_migrations.sql import (
    FOREIGN_KEY,
    UNIQUE,
    default_name,
    name_checks,
    normalize,
    shorten_identifier,
    split_statements,
    unqualified_name,
)
from online_migrations.state.live import mapped_tables, mapping_hash, type_name
from tests.online_migrations.migrating import Database
from tests.online_migrations.operation_docs import STRONGEST_LAST, lock_of

LONG = "a_name_of_forty_characters_as_some_have_"
KOREAN = "사용자들이쓴글에달린댓글모음"  # 42 bytes
TABLES = ["orders", "Order", LONG, KOREAN]
COLUMNS = [["code"], ["first", "second"], [LONG], ["x", LONG, KOREAN], [KOREAN]]


def test_unique_and_foreign_keys_are_called_as_the_server_calls_them(database: Database) -> None:
    wrong = []
    for table, columns in itertools.product(TABLES, COLUMNS):
        metadata = MetaData()
        made = Table(table, metadata, *(sa.Column(name, sa.Integer) for name in columns))
        made.append_constraint(sa.UniqueConstraint(*columns))
        made.append_constraint(sa.ForeignKeyConstraint(columns, [made.columns[name] for name in columns]))
        metadata.create_all(database.engine)
        inspector = inspect(database.engine)
        [unique], [foreign_key] = inspector.get_unique_constraints(table), inspector.get_foreign_keys(table)
        metadata.drop_all(database.engine)
        ours = [default_name(table, columns, kind) for kind in (UNIQUE, FOREIGN_KEY)]
        if ours != [unique["name"], foreign_key["name"]]:
            wrong.append((ours, unique["name"], foreign_key["name"]))
    assert wrong == []


def test_a_long_name_is_not_cut_to_that_of_another() -> None:
    for long in (LONG * 2, KOREAN * 2):
        first, second = shorten_identifier(f"{long}_a"), shorten_identifier(f"{long}_b")
        assert first != second
        assert max(len(name.encode()) for name in (first, second)) <= 63
    assert shorten_identifier(LONG) == LONG


def checks_of(metadata: MetaData) -> list[object]:
    [table] = metadata.tables.values()
    found = [*table.constraints, *(constraint for column in table.columns for constraint in column.constraints)]
    return [check.name for check in found if isinstance(check, CheckConstraint)]


def models(conditions: Sequence[str]) -> MetaData:
    """Return one table, with a rule within a column, one that a type brings, and these."""
    metadata = MetaData()
    Table(
        "orders",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("size", sa.Integer, CheckConstraint("size > 0")),
        sa.Column("placedAt", sa.DateTime),
        sa.Column("state", sa.Enum("open", "size", native_enum=False, create_constraint=True)),
        *(CheckConstraint(condition) for condition in conditions),
    )
    return metadata


CONDITIONS: list[list[str]] = [
    *([], ["SIZE < 10", "size <> 5"], ["size < id", "id > size"], ["state <> 'size'"], ["state <> 'it''s size'"]),
    *(['"placedAt" IS NOT NULL'], ["length(state) > 2"], ["1 < 2"]),
]


def test_checks_are_called_as_the_server_calls_them(database: Database) -> None:
    for conditions in CONDITIONS:
        metadata, named = models(conditions), models(conditions)
        metadata.create_all(database.engine)
        for _ in range(2):  # the second time changes nothing
            name_checks(named)
        there = [check["name"] for check in inspect(database.engine).get_check_constraints("orders")]
        metadata.drop_all(database.engine)
        assert sorted(map(str, checks_of(named))) == sorted(map(str, there)), conditions


def test_a_name_of_the_models_is_kept_and_not_given_twice() -> None:
    metadata = MetaData()
    named = CheckConstraint("size > 0", name="orders_size_check")
    Table("orders", metadata, sa.Column("size", sa.Integer), CheckConstraint("size < 10"), named)
    name_checks(metadata)
    assert sorted(map(str, checks_of(metadata))) == ["orders_size_check", "orders_size_check1"]
    assert named.name == "orders_size_check"


def test_with_a_naming_convention_an_enums_rule_is_named_by_us_alone() -> None:
    """SQLAlchemy refuses to make the table where the convention adds to a name, and there is none."""
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    kind: sa.Column[str] = sa.Column("kind", sa.Enum("a", "b", native_enum=False, create_constraint=True))
    Table("orders", metadata, kind, CheckConstraint("size < 10", name="small"))
    [small] = [name for name in checks_of(metadata) if isinstance(name, str)]
    name_checks(metadata)
    assert set(checks_of(metadata)) == {"orders_kind_check", small}


TYPES: list[sa.types.TypeEngine[Any]] = [
    sa.SmallInteger(), sa.Integer(), sa.BigInteger(), sa.Boolean(), sa.Date(), sa.Text(), sa.LargeBinary(), sa.Uuid(),
    sa.String(), sa.String(50), sa.String(50, collation="C"), sa.CHAR(), sa.CHAR(3),
    sa.Enum("a", "b", native_enum=False), sa.Numeric(), sa.Numeric(10, 2), sa.DECIMAL(5), sa.Float(), sa.Float(20),
    sa.Float(53), sa.REAL(), sa.Double(), sa.DateTime(), sa.DateTime(timezone=True),
    pg.TIMESTAMP(timezone=True, precision=3), sa.Time(), sa.Time(timezone=True), sa.Interval(),
    pg.INTERVAL(precision=3), sa.JSON(), pg.JSONB(), pg.INET(), pg.CIDR(), pg.BIT(), pg.BIT(4),
    pg.BIT(8, varying=True), pg.TSVECTOR(), pg.INT4RANGE(), pg.OID(), sa.ARRAY(sa.String(20)),
    pg.ARRAY(sa.Integer(), dimensions=2), pg.ARRAY(sa.DateTime(timezone=True)),
]  # fmt: skip


def test_a_type_is_named_as_the_server_names_it(database: Database) -> None:
    columns = [sa.Column(f"c{number}", type_) for number, type_ in enumerate(TYPES)]
    table = sa.Table("types", sa.MetaData(), *columns)
    with database.engine.begin() as connection:
        table.create(connection)
    named = database.scalar(
        "SELECT array_agg(format_type(atttypid, atttypmod) ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'types'::regclass AND attnum > 0"
    )
    assert [type_name(column.type) for column in columns] == named
    mood, odd = sa.Enum("good", name="mood"), sa.Enum("good", name="Odd mood", schema="audit")
    assert (type_name(mood), type_name(odd)) == ("mood", 'audit."Odd mood"')


def test_what_a_column_demands_and_gives() -> None:
    models = sa.MetaData()
    sa.Table(
        "things",
        models,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("done", sa.Boolean, server_default=sa.false()),
        sa.Column("size", sa.Integer, sa.Computed("length(name)")),
    )
    sa.Table("serials", models, sa.Column("id", sa.Integer, primary_key=True), schema="audit")
    assert mapped_tables(models) == {
        "audit.serials": {"id": {"type": "integer", "not_null": True, "has_default": True, "generated": False}},
        "things": {
            "id": {"type": "bigint", "not_null": True, "has_default": True, "generated": True},
            "name": {"type": "character varying(20)", "not_null": True, "has_default": False, "generated": False},
            "done": {"type": "boolean", "not_null": False, "has_default": True, "generated": False},
            "size": {"type": "integer", "not_null": False, "has_default": True, "generated": True},
        },
    }


def test_the_hash_is_of_what_is_mapped_whatever_the_order_of_the_models_and_survives_json() -> None:
    def mapping(*names: str) -> Any:
        models = sa.MetaData()
        for name in names:
            sa.Table(name, models, sa.Column("id", sa.Integer, primary_key=True))
        return mapped_tables(models)

    same = (mapping("a", "b"), mapping("b", "a"), json.loads(json.dumps(mapping("a", "b"))))
    assert len({mapping_hash(tables) for tables in same}) == 1
    assert mapping_hash(mapping("a")) != mapping_hash(mapping("a", "b"))


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
BARE = {
    "SELECT  'a'\n , 1;": "SELECT '' , 1",
    "-- first\nSELECT 1 /* and */ + 2": "SELECT 1 + 2",
    "SELECT $$a -- b$$, E'\\'', '--'": "SELECT '', '', ''",
    'DROP TABLE "--x"': 'DROP TABLE "--x"',
    "-- nothing": "",
}
NAMES = {"Todos": "todos", '"Todos"': "Todos", "public.todos": "todos", 'public."a""b"': 'a"b', '"a.b"': "a.b"}


def test_statements_are_split_bare_of_literals_and_comments_and_a_name_is_as_the_catalog_has_it() -> None:
    assert {text: split_statements(text) for text in SPLITS} == SPLITS
    assert {text: normalize(text) for text in BARE} == BARE
    assert {name: unqualified_name(name) for name in NAMES} == NAMES


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
