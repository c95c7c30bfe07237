"""The mapping of a release: told from the models alone, in PostgreSQL's own words."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from app.release.mapping import mapped_tables, mapping_hash, type_name
from tests.release.migrating import Database

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


def test_a_type_of_the_projects_own_keeps_its_name(database: Database) -> None:
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


def test_the_hash_does_not_depend_on_the_order_of_the_models_and_survives_json() -> None:
    tables = mapped_tables(_models("a", "b"))
    assert (
        mapping_hash(tables)
        == mapping_hash(mapped_tables(_models("b", "a")))
        == mapping_hash(json.loads(json.dumps(tables)))
    )


def test_another_column_is_another_mapping() -> None:
    assert mapping_hash(mapped_tables(_models("a"))) != mapping_hash(mapped_tables(_models("a", "b")))


def _models(*names: str) -> sa.MetaData:
    models = sa.MetaData()
    for name in names:
        sa.Table(name, models, sa.Column("id", sa.Integer, primary_key=True))
    return models
