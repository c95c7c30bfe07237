"""What the release before a revision does with the tables, on the schema that the revision leaves."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, MetaData, Table, select
from sqlalchemy.exc import DBAPIError

TOOLS = {"alembic_version", "schema_ledger"}


class Breaks(Exception):
    """The release before the revision cannot work on what it leaves."""


class Known(NamedTuple):
    """A table as that release knows it, and a row as it writes one."""

    table: Table
    row: dict[str, Any]


def learn(engine: Engine, names: Collection[str] = ()) -> list[Known]:
    """Read the tables, at the revision of that release; children before their parents, whose rows they go with.

    Args:
        names: of the tables; without any, all of the application's.
    """
    metadata = MetaData()
    metadata.reflect(engine)
    tables = [t for t in reversed(metadata.sorted_tables) if (t.name in names if names else t.name not in TOOLS)]
    with engine.connect() as connection:
        newest = [connection.execute(select(t).order_by(t.c.id.desc()).limit(1)).mappings().one() for t in tables]
    return [Known(table, dict(row)) for table, row in zip(tables, newest, strict=True)]


def work_on(engine: Engine, known: list[Known]) -> None:
    """Read, write, change and delete in each table, by its old name and with its old columns; nothing is kept.

    Raises:
        Breaks: one of these does not work any more, or does not keep what it is given.
    """
    with engine.connect() as connection:
        for table, row in known:
            try:
                _use(connection, table, row)
            except DBAPIError as error:
                raise Breaks(f"{table.name}: {error.orig}") from error
        connection.rollback()


def _use(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Write the row anew, once with all columns and once with those that have to be given."""
    key, current = table.c.id, row["id"]
    written = [column for column in table.c if column.identity is None and column.computed is None]
    required = [column for column in written if not column.nullable and column.server_default is None]
    for given in (written, required):
        _expect(connection.execute(table.delete().where(key == current)).rowcount == 1, f"{table.name}: DELETE")
        values = {column.name: row[column.name] for column in given}
        stored = connection.execute(table.insert().values(values).returning(*table.c)).mappings().one()
        _expect({name: stored[name] for name in values} == values, f"{table.name}: INSERT keeps what it was given")
        current = stored["id"]
        for name, value in values.items():
            connection.execute(table.update().where(key == current).values({name: value}))
        for column in written:
            if column.nullable:
                connection.execute(table.update().where(key == current).values({column.name: None}))


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise Breaks(what)
