"""What the release before a revision does with the tables, on the schema that the revision leaves."""

from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, select
from sqlalchemy.exc import DBAPIError

TOOLS = ("alembic_version", "schema_ledger")


class Breaks(Exception):
    """The release before the revision cannot work on what it leaves."""


def reflect(engine: Engine) -> MetaData:
    """The tables as that release knows them: read at its own revision."""
    metadata = MetaData()
    metadata.reflect(engine)
    for name in TOOLS:
        if name in metadata.tables:
            metadata.remove(metadata.tables[name])
    return metadata


def work_on(engine: Engine, known: MetaData) -> None:
    """Read, write, change and delete in each table, by its old name and with its old columns; nothing is kept.

    Raises:
        Breaks: one of these does not work any more, or gives back something else.
    """
    with engine.connect() as connection:
        for table in reversed(known.sorted_tables):  # children first, whose rows go with their parents'
            try:
                _use(connection, table)
            except DBAPIError as error:
                raise Breaks(f"{table.name}: {error.orig}") from error
        connection.rollback()


def _use(connection: Connection, table: Table) -> None:
    key = table.c.id
    written = [column for column in table.c if column.identity is None and column.computed is None]
    required = [column for column in written if not column.nullable and column.server_default is None]

    row = connection.execute(select(*table.c).order_by(key.desc()).limit(1)).mappings().one()
    for given in (written, required):
        _expect(connection.execute(table.delete().where(key == row["id"])).rowcount == 1, f"{table.name}: DELETE")
        values: dict[str, Any] = {column.name: row[column.name] for column in given}
        new = connection.execute(table.insert().values(values).returning(*table.c)).mappings().one()
        _expect({name: new[name] for name in values} == values, f"{table.name}: INSERT keeps what it was given")
        for name, value in values.items():
            changed = connection.execute(table.update().where(key == new["id"]).values({name: value}))
            _expect(changed.rowcount == 1, f"{table.name}: UPDATE {name}")
        for column in written:
            if column.nullable:
                connection.execute(table.update().where(key == new["id"]).values({column.name: None}))
        row = new


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise Breaks(what)
