"""A release of the past with two tables, and the truth about it: whether its statements still do what they did."""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Engine, MetaData, Table, insert, select, update
from sqlalchemy.exc import DBAPIError, StatementError

MODELS = MetaData()

PEOPLE = Table(
    "people",
    MODELS,
    Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    Column("email", sa.String(120), nullable=False, unique=True),
    Column("name", sa.String(50)),
    Column("age", sa.Integer, server_default="0", nullable=False),
    Column("score", sa.REAL),
    Column("role", sa.String(10), server_default="reader", nullable=False, info={"values": ("reader", "editor")}),
    sa.CheckConstraint("role IN ('reader', 'editor')", name="role"),
)
NOTES = Table(
    "notes",
    MODELS,
    Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    Column("person_id", sa.BigInteger, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("title", sa.String(50), nullable=False),
    Column("body", sa.Text),
    Column("pinned", sa.Boolean, server_default=sa.false(), nullable=False),
    Column("views", sa.BigInteger, server_default="0", nullable=False),
    Column("price", sa.Numeric(8, 2)),
    Column("details", sa.JSON),
    Column("tags", sa.ARRAY(sa.String(20))),
    sa.CheckConstraint("length(title) > 0", name="title"),
)

# What the database has besides, which this release does not use.
UNMAPPED = """
    ALTER TABLE notes ADD legacy text;
    CREATE TABLE leftovers (id int PRIMARY KEY);
"""


def create(connection: Connection) -> None:
    """Create the tables as this release left them, with a row in each."""
    MODELS.create_all(connection)
    connection.exec_driver_sql(UNMAPPED)
    connection.exec_driver_sql("INSERT INTO people (email) VALUES ('first@example.com')")
    connection.exec_driver_sql("INSERT INTO notes (person_id, title) SELECT id, 'first' FROM people")


def still_works(engine: Engine) -> str | None:
    """Return what does not work on the schema of now, or None if all statements do. Nothing of it stays."""
    try:
        with engine.connect() as connection:
            _write_as_the_new_code_does(connection)
            for table in MODELS.sorted_tables:
                _insert_and_change(connection, table)
                _read(connection, table)
    except (DBAPIError, StatementError, AssertionError) as problem:
        return str(problem)
    return None


def _write_as_the_new_code_does(connection: Connection) -> None:
    """Write only what it has to: it leaves every other column to its default."""
    now = MetaData()
    now.reflect(connection)
    for table in now.sorted_tables:
        has_to = [
            column
            for column in table.columns
            if not column.nullable and column.server_default is None and column.identity is None
        ]
        connection.execute(insert(table).values({column.name: _value(connection, column, 0) for column in has_to}))


def _insert_and_change(connection: Connection, table: Table) -> None:
    written = [column for column in table.columns if column.identity is None]
    required = [column for column in written if not column.nullable and column.server_default is None]
    nothing = {column.name: sa.null() for column in written if column.nullable}
    for number, columns in enumerate((written, written, required, required), start=1):
        values = {column.name: _value(connection, column, number) for column in columns}
        key = connection.scalar(insert(table).values(values).returning(table.c.id))
        for changed in (values, nothing):
            assert connection.execute(update(table).where(table.c.id == key).values(changed)).rowcount == 1


def _read(connection: Connection, table: Table) -> None:
    for column in table.columns:
        if not isinstance(column.type, sa.JSON):
            connection.execute(select(table.c.id).where(column == _value(connection, column, 1)))
    for row in connection.execute(select(table)).mappings():
        for column in table.columns:
            value = row[column.name]
            assert value is not None or column.nullable, f"{column} is NULL"
            assert value is None or isinstance(value, column.type.python_type), f"{column} is {value!r}"


def _value(connection: Connection, column: Column[Any], number: int) -> Any:
    """Return the largest value that the column takes. The same for each number, but where no two rows may be alike."""
    if column.name == "person_id":
        return connection.scalar(sa.text("SELECT min(id) FROM people"))
    if "values" in column.info:
        return column.info["values"][-1]
    if column.name in ("email", "slug"):
        return f"{number}".rjust(120 if column.name == "email" else 20, "x")
    type_ = column.type
    if isinstance(type_, sa.Numeric) and not isinstance(type_, sa.Float):
        assert type_.precision is not None
        whole, fraction = type_.precision - (type_.scale or 0), type_.scale or 0
        return Decimal("9" * whole + "." + "9" * fraction)
    if isinstance(type_, sa.String):
        return "x" * (type_.length or 1000)
    largest: dict[type, Any] = {
        sa.BigInteger: 2**63 - 1,
        sa.Integer: 2**31 - 1,
        sa.Float: 1e30,
        sa.Boolean: True,
        sa.JSON: {"a": 1},
        sa.ARRAY: ["x" * 20],
    }
    return next(value for kind, value in largest.items() if isinstance(type_, kind))
