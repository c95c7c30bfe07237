"""Columns of every type with every default and rule, and whole models as people report them to Alembic and SQLAlchemy.

Each goes through `flask db migrate`, `upgrade` and `check`; a second `migrate` finds nothing, and the way down and up
again ends at an equal schema. What PostgreSQL itself does not take, such as a unique JSON, is left out.
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError, DBAPIError
from sqlalchemy.types import TypeEngine

from tests.online_migrations.changes.others import of_others
from tests.online_migrations.model_project import ModelProject

Type = TypeEngine[Any]
Items = tuple[sa.Column[Any], Callable[[sa.Table], object] | None]  # a column, and what makes an index on it
SAMPLES = {  # a literal of each type, by the beginning of its name; of a number, 1
    **dict.fromkeys(("VARCHAR", "TEXT", "CITEXT"), "it's 100%"),
    **dict.fromkeys(("DATE", "TIMESTAMP"), "2020-02-29"),
    **dict.fromkeys(("BYTEA", "TSVECTOR", "TSQUERY"), "a"),
    **dict.fromkeys(("INET", "CIDR"), "10.0.0.0"),
    **dict.fromkeys(("MACADDR", "MACADDR8"), "08:00:2b:01:02:03"),
    "TIME": "12:30",
    "INTERVAL": "1 day",
    "BOOLEAN": "true",
    "JSON": '{"a": 1}',
    "JSONPATH": "$.a",
    "UUID": "0" * 32,
    "BIT": "101",
    "REGCLASS": "pg_class",
    "REGCONFIG": "simple",
    "HSTORE": "a=>1",
    "CHAR": "it'",
    "VARCHAR(5)": "it's",
    "VARCHAR(3)": "1",
}
ARGUMENTS: dict[type, tuple[Callable[[], Type], ...]] = {
    sa.ARRAY: (lambda: sa.ARRAY(sa.Integer), lambda: sa.ARRAY(sa.Uuid, dimensions=2)),
    postgresql.ARRAY: (lambda: postgresql.ARRAY(sa.String(5)),),
    sa.Enum: (lambda: sa.Enum("1", "2", native_enum=False, length=3),),
    sa.Interval: (lambda: sa.Interval(second_precision=3),),
    postgresql.INTERVAL: (lambda: postgresql.INTERVAL(fields="DAY TO SECOND", precision=2),),
    postgresql.BIT: (lambda: postgresql.BIT(3), lambda: postgresql.BIT(5, varying=True)),
    sa.Numeric: (sa.Numeric, lambda: sa.Numeric(8, 2)),
    sa.String: (sa.String, lambda: sa.String(5), lambda: sa.String(collation="C")),
    sa.CHAR: (lambda: sa.CHAR(3),),
    sa.DateTime: (sa.DateTime, lambda: sa.DateTime(timezone=True)),
    postgresql.TIMESTAMP: (lambda: postgresql.TIMESTAMP(timezone=True, precision=0),),
}
OF_THE_DATABASE = (postgresql.ENUM, postgresql.DOMAIN)  # refused, as test_autogenerate.py reads


def types() -> Iterator[Callable[[], Type]]:
    """Yield the public types that can be written as PostgreSQL's SQL, each SQL once."""
    seen = set()
    for module in (sa, postgresql):
        for name, kind in sorted(vars(module).items()):
            if (
                not inspect.isclass(kind)
                or not issubclass(kind, TypeEngine)
                or kind in OF_THE_DATABASE
                or name[0] == "_"
            ):
                continue
            for make in ARGUMENTS.get(kind, (kind,)):
                try:
                    key = (module, sql(make()))
                except (
                    CompileError,
                    TypeError,
                    AttributeError,
                    AssertionError,
                ):  # one of another database, or a base class
                    continue
                if key not in seen:
                    seen.add(key)
                    yield make


def sql(kind: Type) -> str:
    return str(kind.compile(dialect=postgresql.dialect())).partition(" COLLATE")[0]  # type: ignore[no-untyped-call]


def sample(kind: str) -> str:
    if kind.endswith("[]"):
        return "{}"
    if "RANGE" in kind:
        return "{}" if "MULTI" in kind else "empty"
    known = [name for name in SAMPLES if kind.startswith(name)]
    return SAMPLES[max(known, key=len)] if known else "1"


def variants(make: Callable[[], Type]) -> Iterator[Items]:
    """Yield columns of the type, and the indexes on them, under their names."""
    kind = sql(make())
    value = "'" + sample(kind).replace("'", "''") + "'"
    defaults = {
        "plain": None,
        "constant": sample(kind),
        "expression": sa.text(f"CASE WHEN 1 + 1 = 2 THEN {value}::{kind} END"),
        "volatile": sa.text(f"CASE WHEN random() < 2 THEN {value}::{kind} END"),
        "numbered": sa.text("nextval('zoo_numbers')"),
    }

    def column(name: str, *items: Any, **options: Any) -> sa.Column[Any]:
        return sa.Column(name, make(), *items, **options)

    for name, default in defaults.items():
        yield column(name, server_default=default, nullable=default is None), None
    constant = defaults["constant"]
    yield column("unique", unique=True, server_default=constant), None
    yield column("index", index=True), None
    where = sa.text("partial IS NOT NULL AND id IN (1, 2)")
    yield column("partial"), lambda table: sa.Index(None, table.c.partial, postgresql_where=where)
    indexed = sa.text(f"coalesce(indexed, {value})")
    yield column("indexed"), lambda table: sa.Index(f"ix_{table.name}_indexed", indexed, _table=table)
    check = sa.CheckConstraint(f"checked IN ({value}, {value}) OR id <> 0", name="checked")
    yield column("checked", check, server_default=constant), None
    yield column("computed", sa.Computed(f"CASE WHEN id > 0 THEN {value}::{kind} END", persisted=True)), None
    yield column("numbers", sa.Identity(always=True)), None


def add_to(table: sa.Table, items: Items) -> None:
    column, make_index = items
    table.append_column(column)
    if make_index:
        make_index(table)


def keyed(name: str, metadata: sa.MetaData) -> sa.Table:
    return sa.Table(name, metadata, sa.Column("id", sa.BigInteger, primary_key=True))


def forth_and_back(project: ModelProject, models: Callable[[sa.MetaData], None]) -> None:
    project.change(models)
    assert project.migrate() is not None
    number = project.number
    project.upgrade()
    schema = project.database.definitions()
    project.check()
    assert project.migrate() is None
    project.downgrade(number - 1)
    project.upgrade()
    assert project.database.definitions() == schema


def taken_by_the_server(project: ModelProject) -> dict[Callable[[], Type], set[str]]:
    """Return by their types the names of the columns that a plain CREATE TABLE takes."""
    taken = defaultdict(set)
    with project.database.engine.connect() as connection:
        for make in types():
            for column, make_index in variants(make):
                metadata = sa.MetaData(naming_convention=project.metadata.naming_convention)
                add_to(keyed("probe", metadata), (column, make_index))
                with suppress(DBAPIError), connection.begin_nested() as trial:
                    metadata.create_all(connection)
                    taken[make].add(column.name)
                    trial.rollback()
    return taken


@pytest.mark.minutes
@pytest.mark.timeout(600)
def test_columns(project: ModelProject) -> None:
    project.database.execute("CREATE SEQUENCE zoo_numbers")
    taken = taken_by_the_server(project)
    assert sum(map(len, taken.values())) >= 400

    def columns(metadata: sa.MetaData) -> None:
        for number, (make, names) in enumerate(taken.items()):
            table = keyed(f"zoo_{number}", metadata)
            for items in variants(make):
                if items[0].name in names:
                    add_to(table, items)

    forth_and_back(project, columns)
    assert project.database.scalar("SELECT NOT is_called FROM zoo_numbers")


@pytest.mark.minutes
def test_models_of_others(project: ModelProject) -> None:
    forth_and_back(project, of_others)


@pytest.mark.newest_server  # older ones have no virtual columns
def test_a_table_that_is_there_takes_a_virtual_column_and_the_numbers_of_a_sequence_to_come(
    project: ModelProject,
) -> None:
    def models(metadata: sa.MetaData, **options: Any) -> sa.Table:
        return sa.Table("grown", metadata, sa.Column("number", sa.Integer, **options))

    project.change(models)
    project.migrate()
    project.upgrade()

    def grown(metadata: sa.MetaData) -> None:
        table = models(metadata, server_default=sa.Sequence("numbers").next_value())
        table.append_column(sa.Column("double", sa.Integer, sa.Computed("number * 2", persisted=False)))

    forth_and_back(project, grown)
