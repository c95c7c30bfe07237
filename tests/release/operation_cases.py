"""Each operation once, with the table that it meets and what it leaves."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from app.release import operations
from app.release.backfills.table import BACKFILLS
from app.release.ledger import CONTRACT, EXPAND
from app.release.sql.dialect import DIALECT
from tests.release.revision_corpus.probes import column, column_type, constraint, exists, index, lacks, relation

TABLES = """
CREATE TABLE owners (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE things (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint,
    name varchar(50) NOT NULL,
    size int CONSTRAINT ck_things_small CHECK (size < 10),
    "Odd name" int
);
CREATE INDEX ix_things_size ON things (size);
CREATE TYPE mood AS ENUM ('good', 'bad');
INSERT INTO owners SELECT FROM generate_series(1, 10);
INSERT INTO things (owner_id, name, "Odd name") SELECT n % 10 + 1, 'thing ' || n, n FROM generate_series(1, 3000) n;
"""


# A column that a dual write keeps, as an operation leaves it.
KEPT = """
ALTER TABLE things ADD "Odd name_shadow" bigint;
CREATE FUNCTION "zz_dual_write_things_Odd name_shadow"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "zz_dual_write_things_Odd name_shadow" BEFORE INSERT ON things
    FOR EACH ROW EXECUTE FUNCTION "zz_dual_write_things_Odd name_shadow"();
"""
RENAMED = "ALTER TABLE things RENAME TO objects; CREATE VIEW things AS SELECT * FROM objects"
HAS_TRIGGER = "EXISTS (SELECT FROM pg_trigger WHERE tgname = 'zz_dual_write_things_Odd name_shadow')"
HAS_COLUMN = "to_jsonb(things) ? 'Odd name_shadow' FROM things WHERE id = 1"
TOOL_TABLE = str(CreateTable(BACKFILLS).compile(dialect=DIALECT))
BEGUN = (
    "INSERT INTO schema_backfills (name, table_name, set_sql, where_sql, pk, state, estimated_rows, batch_size)"
    " VALUES ('sizes', 'things', 'size = length(name) % 10', 'size IS NULL', 'id', 'running', 3000, 500)"
)


# Besides those that say so in their name. The corpus holds that an expand may not call them.
CONTRACTING = (
    *("add_check_online", "add_foreign_key_online", "add_primary_key_online", "add_unique_online"),
    *("set_not_null_online", "drop_compat_view"),
)


class Case(NamedTuple):
    """
    Args:
        call: a line of upgrade().
        holds: a query that is true afterwards, and not before.
    """

    call: str
    holds: str
    setup: str = ""

    @property
    def operation(self) -> str:
        return self.call.partition("(")[0]

    @property
    def phase(self) -> str:
        if "replace=True" in self.call:  # a rule that takes more
            return EXPAND
        return CONTRACT if self.operation in CONTRACTING or self.operation.endswith("_contract") else EXPAND

    def upgrade(self) -> None:
        exec(self.call, {**vars(operations), "sa": sa})  # noqa: S102 - our own text


CASES = [
    Case(
        'add_column_online("things", sa.Column("done", sa.Boolean, server_default=sa.false(), nullable=False))',
        "SELECT count(*) = 3000 FROM things WHERE NOT (to_jsonb(things) ->> 'done')::boolean",
    ),
    Case('create_index_online("ix_things_name", "things", ["name", "id"])', exists(index("ix_things_name"))),
    Case(
        'create_index_online("ix_part", "things", [sa.text("lower(name)")],'
        " postgresql_where=sa.text(\"name LIKE 'thing 1%'\"))",
        exists(index("ix_part")),
    ),
    Case('drop_index_online("ix_things_size")', lacks(index("ix_things_size"))),
    Case(
        'backfill("things", set_sql="size = length(name) % 10", where="size IS NULL")',
        "SELECT count(*) = 0 FROM things WHERE size IS NULL",
    ),
    Case(
        'backfill_later("sizes", "things", set_sql="size = length(name) % 10", where="size IS NULL")',
        "SELECT count(*) = 1 FROM schema_backfills WHERE name = 'sizes' AND state = 'running'",
        setup=TOOL_TABLE,
    ),
    Case('cancel_backfill("sizes")', "SELECT count(*) = 0 FROM schema_backfills", setup=f"{TOOL_TABLE}; {BEGUN}"),
    Case('set_not_null_online("things", "Odd name")', exists(column("things", "Odd name", "attnotnull"))),
    Case('drop_not_null_online("things", "name")', exists(column("things", "name", "NOT attnotnull"))),
    Case('set_default_online("things", "size", "3")', exists(column("things", "size", "atthasdef"))),
    Case(
        'add_check_online("things", "ck_things_named", "name LIKE \'thing%\'")',
        exists(constraint("things", "ck_things_named", "convalidated")),
    ),
    Case(
        'add_foreign_key_online("fk_things_owners", "things", "owners", ["owner_id"], ["id"], ondelete="CASCADE")',
        exists(constraint("things", "fk_things_owners", "convalidated")),
    ),
    Case('add_unique_online("things", "uq_things_name", ["name"])', exists(constraint("things", "uq_things_name"))),
    Case(
        'add_primary_key_online("leftovers", "leftovers_pkey", ["id"])',
        exists(constraint("leftovers", "leftovers_pkey")),
        setup="CREATE TABLE leftovers (id bigint)",
    ),
    Case('drop_constraint_online("things", "ck_things_small")', lacks(constraint("things", "ck_things_small"))),
    Case(
        'rename_with_view("things", "objects")',
        "SELECT to_regclass('objects') IS NOT NULL AND (SELECT count(*) FROM things) = 3000",
    ),
    Case(
        'rename_back_from_view("things", "objects")',
        "SELECT to_regclass('objects') IS NULL AND (SELECT count(*) FROM things) = 3000",
        setup=RENAMED,
    ),
    Case(
        'drop_compat_view("things")',
        "SELECT to_regclass('things') IS NULL AND to_regclass('objects') IS NOT NULL",
        setup=RENAMED,
    ),
    Case(
        'retire_column_online("things", "name")',
        exists(column("things", "name", "NOT attnotnull AND col_description(attrelid, attnum) LIKE 'retired%'")),
    ),
    Case(
        'reinstate_column_online("things", "name")',
        exists(column("things", "name", "col_description(attrelid, attnum) IS NULL")),
        setup="COMMENT ON COLUMN things.name IS 'retired'",
    ),
    Case(
        'widen_text_online("things", "name", "VARCHAR(80)")',
        exists(column_type("things", "name", "character varying(80)")),
    ),
    Case('retire_table_online("things")', "SELECT obj_description('things'::regclass, 'pg_class') LIKE 'retired%'"),
    Case(
        'reinstate_table_online("things")',
        "SELECT obj_description('things'::regclass, 'pg_class') IS NULL",
        setup="COMMENT ON TABLE things IS 'retired'",
    ),
    Case('drop_table_contract("things")', lacks(relation("things"))),
    Case('drop_column_contract("things", "size")', lacks(column("things", "size"))),
    Case(
        'change_type_online("things", "Odd name", "BIGINT")',
        "SELECT count(*) = 3000 AND min(pg_typeof(\"Odd name\")::text) = 'bigint' FROM things"
        " WHERE \"Odd name\" = (to_jsonb(things) ->> 'Odd name_shadow')::int",
    ),
    Case('drop_shadow_contract("things", "Odd name")', f"SELECT NOT {HAS_TRIGGER} AND NOT {HAS_COLUMN}", setup=KEPT),
    Case(
        'drop_dual_write_contract("things", "Odd name_shadow")',
        f"SELECT NOT {HAS_TRIGGER} AND NOT {HAS_COLUMN}",
        setup=KEPT,
    ),
    Case(
        'stop_dual_write_contract("things", "Odd name_shadow")',
        f"SELECT NOT {HAS_TRIGGER} AND {HAS_COLUMN}",
        setup=KEPT,
    ),
    Case(
        'add_computed_column_online("things", sa.Column("words", sa.Integer, nullable=False), "length(name)")',
        "SELECT count(*) = 3000 FROM things WHERE (to_jsonb(things) ->> 'words')::int = length(name)",
    ),
    Case(
        'add_synced_column_online("things", "name", sa.Column("title", sa.Text), "upper(name)", "lower(title)")',
        "SELECT count(*) = 3000 FROM things WHERE to_jsonb(things) ->> 'title' = upper(name)",
    ),
    Case(
        'add_enum_value_online("mood", "it\'s fine", before="bad")',
        "SELECT enum_range(NULL::mood)::text[] = ARRAY['good', 'it''s fine', 'bad']",
    ),
    Case(
        'add_check_online("things", "ck_things_small", "size < 20", replace=True)',
        exists(constraint("things", "ck_things_small", "pg_get_constraintdef(oid) = 'CHECK ((size < 20))'")),
    ),
]
