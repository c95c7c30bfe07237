"""Columns of every type with every default and rule, and whole models as people report them to Alembic and SQLAlchemy.

Each goes through `flask db migrate`, `flask release lint` and `upgrade`; a second `migrate` finds nothing, and the way
down and up again ends at an equal schema. What PostgreSQL itself does not take, such as a unique JSON, is left out.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError, DBAPIError
from sqlalchemy.types import TypeEngine

from online_migrations.errors import UnsafeOperation
from online_migrations.lint import lint
from tests.databases import Environment
from tests.online_migrations import dumps, shop
from tests.online_migrations.changes.others import ADVICE, of_others
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
OF_MIGRATIONS = re.compile(r"\b_?(schema_(ledger|releases|backfills)|alembic_version|zoo_numbers)")
GROWN = ("constant", "expression", "plain", "index", "partial", "indexed", "checked")
OF_THE_DATABASE = (postgresql.ENUM, postgresql.DOMAIN)  # refused, as test_autogenerate.py reads


def types() -> Iterator[Callable[[], Type]]:
    """Yield the public types that can be written as PostgreSQL's SQL, each SQL once."""
    seen = set()
    for module in (sa, postgresql):
        for name, kind in sorted(vars(module).items()):
            is_type = inspect.isclass(kind) and issubclass(kind, TypeEngine)
            if not is_type or kind in OF_THE_DATABASE or name[0] == "_":
                continue
            for make in ARGUMENTS.get(kind, (kind,)):
                try:
                    key = (module, sql(make()))
                except (CompileError, TypeError, AttributeError, AssertionError):
                    continue  # one of another database, or a base class
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


def variants(number: int, make: Callable[[], Type]) -> dict[str, Items]:
    """Return columns of the type, whose names end with its number, and the indexes on them."""
    kind = sql(make())
    value = "'" + sample(kind).replace("'", "''") + "'"
    constant = sample(kind)

    def column(name: str, *items: Any, **options: Any) -> sa.Column[Any]:
        return sa.Column(f"{name}_{number}", make(), *items, **options)

    def required(name: str, default: Any) -> Items:
        return column(name, server_default=default, nullable=False), None

    where = sa.text(f"partial_{number} IS NOT NULL AND id IN (1, 2)")
    indexed = sa.text(f"coalesce(indexed_{number}, {value})")
    check = sa.CheckConstraint(f"checked_{number} IN ({value}, {value}) OR id <> 0", name=f"checked_{number}")
    computed = sa.Computed(f"CASE WHEN id > 0 THEN {value}::{kind} END", persisted=True)
    return {
        "plain": (column("plain"), None),
        "constant": required("constant", constant),
        "expression": required("expression", sa.text(f"CASE WHEN 1 + 1 = 2 THEN {value}::{kind} END")),
        "volatile": required("volatile", sa.text(f"CASE WHEN random() < 2 THEN {value}::{kind} END")),
        "numbered": required("numbered", sa.text("nextval('zoo_numbers')")),
        "unique": (column("unique", unique=True, server_default=constant), None),
        "index": (column("index", index=True), None),
        "partial": (column("partial"), lambda of: sa.Index(None, of.c[f"partial_{number}"], postgresql_where=where)),
        "indexed": (column("indexed"), lambda of: sa.Index(f"ix_{of.name}_{number}", indexed, _table=of)),
        "checked": (column("checked", check, server_default=constant), None),
        "computed": (column("computed", computed), None),
        "numbers": (column("numbers", sa.Identity(always=True)), None),
    }


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
    assert lint(ScriptDirectory(str(project.folder)), project.metadata, [f"{number:04d}"]) == []
    project.upgrade()
    schema = project.database.definitions()
    assert project.migrate() is None
    project.downgrade(number - 1)
    project.upgrade()
    assert project.database.definitions() == schema


def there(project: ModelProject, models: Callable[[sa.MetaData], None]) -> None:
    """Make the tables that later revisions find."""
    project.change(models)
    assert project.migrate() is not None
    project.upgrade()


def is_as_sqlalchemy_makes_it(
    project: ModelProject, models: Callable[[sa.MetaData], None], environment: Environment
) -> None:
    """Compare the schema with what create_all() makes in another database: what ours overlooks, ours does not miss."""
    fresh = shop.models()
    models(fresh)
    other = sa.create_engine(environment["DATABASE_URL"], poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE zoo_numbers")
        fresh.create_all(connection)
    made, wanted = (
        {one for one in schema if not OF_MIGRATIONS.search(one[1])}
        for schema in (project.database.definitions(), dumps.found(other, dumps.DEFINITIONS))
    )
    assert (made - wanted, wanted - made) == (set(), set())


def taken_by_the_server(project: ModelProject) -> list[tuple[Callable[[], Type], set[str]]]:
    """Return each type, and which of its variants a plain CREATE TABLE takes."""
    taken = []
    with project.database.engine.connect() as connection:
        for make in types():
            names = set()
            for name, items in variants(0, make).items():
                metadata = sa.MetaData(naming_convention=project.metadata.naming_convention)
                add_to(keyed("probe", metadata), items)
                with suppress(DBAPIError), connection.begin_nested() as trial:
                    metadata.create_all(connection, checkfirst=False)
                    names.add(name)
                    trial.rollback()
            taken.append((make, names))
    return taken


def table_of(number: int, metadata: sa.MetaData) -> sa.Table:
    """Return the table for the type of a number: several stand in one, since a table costs more than a column."""
    found = metadata.tables.get(f"zoo_{number // 10}")
    return keyed(f"zoo_{number // 10}", metadata) if found is None else found


@pytest.fixture
def unserved(project: ModelProject) -> ModelProject:
    """Return a project whose upgrades are not judged: lint judges each revision, and new tables harm nobody."""
    project.database.execute("DELETE FROM schema_releases")
    return project


@pytest.mark.minutes
@pytest.mark.timeout(600)
def test_columns(unserved: ModelProject, environment: Environment) -> None:
    project = unserved
    numbers = "SEQUENCE zoo_numbers"
    project.write(f'op.execute("CREATE {numbers}")', f'op.execute("DROP {numbers}")')
    project.upgrade()
    taken = taken_by_the_server(project)
    assert sum(len(names) for _, names in taken) >= 400

    def columns(metadata: sa.MetaData) -> None:
        for number, (make, names) in enumerate(taken):
            for name, items in variants(number, make).items():
                if name in names:
                    add_to(table_of(number, metadata), items)

    forth_and_back(project, columns)
    is_as_sqlalchemy_makes_it(project, columns, environment)
    assert project.database.scalar("SELECT NOT is_called FROM zoo_numbers")


@pytest.mark.minutes
@pytest.mark.timeout(600)
def test_columns_of_tables_that_are_there(project: ModelProject, environment: Environment) -> None:
    """Of each type one, of which no two that follow each other have the same rule."""
    taken = [(make, [name for name in GROWN if name in names]) for make, names in taken_by_the_server(project)]

    def bare(metadata: sa.MetaData) -> None:
        for number in range(len(taken)):
            table_of(number, metadata)

    there(project, bare)
    for table in {name for name in project.metadata.tables if name.startswith("zoo")}:
        project.database.execute(f"INSERT INTO {table} SELECT generate_series(1, 3)")
    project.goes_live()

    def grown(metadata: sa.MetaData) -> None:
        for number, (make, names) in enumerate(taken):
            if names:
                add_to(table_of(number, metadata), variants(number, make)[names[number % len(names)]])

    forth_and_back(project, grown)
    is_as_sqlalchemy_makes_it(project, grown, environment)


@pytest.mark.minutes
def test_models_of_others(unserved: ModelProject, environment: Environment) -> None:
    forth_and_back(unserved, of_others)
    is_as_sqlalchemy_makes_it(unserved, of_others, environment)


@pytest.mark.minutes
def test_who_follows_the_advice_of_a_refusal_comes_to_a_clean_end(project: ModelProject) -> None:
    def models(metadata: sa.MetaData) -> None:
        for name, items in state.items():
            sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *items())

    state = {name: advice.before for name, advice in ADVICE.items()}
    there(project, models)
    for name in state:
        project.database.execute(f"INSERT INTO {name} (id) VALUES (1), (2)")
    project.goes_live()
    calls = {}
    for name, advice in ADVICE.items():
        state[name] = advice.asked
        project.change(models)
        with pytest.raises(UnsafeOperation, match=advice.said) as refused:
            project.migrate()
        state[name] = advice.before
        if "(add" in advice.said:
            calls[name] = re.findall(advice.said, refused.value.message)[0]
    state.update({name: ADVICE[name].followed for name in calls})
    project.change(models)
    project.write("\n".join(calls.values()).replace("…", "sa.Integer()"))
    project.upgrade()
    project.goes_live()
    state = {name: advice.followed for name, advice in ADVICE.items()}
    forth_and_back(project, models)


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
