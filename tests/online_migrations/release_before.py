"""The previous release: code that knows the tables as they were, and names no other column in what it sends."""

import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Engine, MetaData, Row, Table, delete, insert, select, update

from online_migrations.state.tables import TOOL_TABLES
from tests.database import KEPT_BY_TRIGGERS
from tests.online_migrations.migrating import traffic

# Belong to the migrations; to the queue, which is used through its functions alone; and to triggers.
TOOLS = ("alembic_version", "database_marks", *TOOL_TABLES, "procrastinate_", *KEPT_BY_TRIGGERS)
BETWEEN = 0.3  # seconds between two rounds, which would else take half of the processor from what they run beside
NEW: dict[Any, Callable[[Any], object]] = {
    sa.String: lambda kind: secrets.token_hex(32)[: kind.length],
    sa.Uuid: lambda _: uuid.uuid4(),
    sa.Date: lambda _: date.min + timedelta(days=secrets.randbelow(3_000_000)),
    sa.LargeBinary: lambda _: secrets.token_bytes(32),
    sa.Integer: lambda _: secrets.randbelow(1_000_000_000),
}


class ReleaseBefore:
    """Stand for the code of before; made before the step, from a schema whose tables have rows."""

    def __init__(self, engine: Engine) -> None:
        metadata = MetaData()
        metadata.reflect(engine, only=lambda name, _: not name.startswith(TOOLS))
        self.tables = metadata.sorted_tables
        self.unique = {table.name: unique_columns(table) for table in self.tables}
        with engine.connect() as connection:
            self.rows = {table.name: everything(connection, table) for table in self.tables}
        assert all(self.rows.values()), "a table without rows proves nothing"

    def assert_works(self, engine: Engine) -> None:
        """Read, insert, change and delete in every table; nothing of it stays.

        Raises:
            DBAPIError: the database refuses what it took before.
            AssertionError: it does something else than before.
        """
        for table in self.tables:
            given = [column for column in table.columns if column.identity is None and column.computed is None]
            required = [column for column in given if not column.nullable and column.server_default is None]
            with engine.connect() as connection:
                self._assert_reads_the_same(connection, table)
                self._assert_inserts_changes_deletes(connection, table, given)
                self._assert_inserts_changes_deletes(connection, table, required)
                self._assert_reads_the_same(connection, table)
                old = self.rows[table.name][0]._mapping  # nothing that a newer release keeps beside it may prevent this
                this = [column == old[column.name] for column in table.primary_key]
                assert connection.execute(delete(table).where(*this)).rowcount == 1

    @contextmanager
    def serving(self, engine: Engine) -> Iterator[None]:
        """Read and write every table again and again, beside what the block does, and once more after it.

        Raises:
            DBAPIError, AssertionError: as above, at any moment.
        """
        with traffic(1, lambda *_: self.assert_works(engine), least=0, pause=BETWEEN):
            yield
        self.assert_works(engine)

    def _assert_reads_the_same(self, connection: Connection, table: Table) -> None:
        assert everything(connection, table) == self.rows[table.name], f"{table.name} reads otherwise"

    def _assert_inserts_changes_deletes(self, connection: Connection, table: Table, columns: list[Column[Any]]) -> None:
        first, other = self._fresh_values(table, columns), self._fresh_values(table, columns)
        second = {name: value for name, value in other.items() if not table.columns[name].primary_key}
        key = connection.execute(insert(table).values(first)).inserted_primary_key
        assert key is not None
        this = [column == value for column, value in zip(table.primary_key, key, strict=True)]
        if second:  # no other column is required
            assert connection.execute(update(table).where(*this).values(second)).rowcount == 1
        changed = connection.execute(select(table).where(*this)).mappings().one()
        assert {column: changed[column] for column in second} == second
        assert connection.execute(delete(table).where(*this)).rowcount == 1

    def _fresh_values(self, table: Table, columns: list[Column[Any]]) -> dict[str, Any]:
        """Make a row like the last one, but for what no two rows share."""
        last = self.rows[table.name][-1]._mapping
        unique = [column for column in columns if column.name in self.unique[table.name]]
        same = {column.name: last[column.name] for column in columns}
        return same | {column.name: self._new_value(table, column) for column in unique}

    def _new_value(self, table: Table, column: Column[Any]) -> Any:
        """Choose a new value; of a foreign key, a parent that has no row here yet (one to one)."""
        for key in column.foreign_keys:
            taken = {row._mapping[column.name] for row in self.rows[table.name]}
            parents = {row._mapping[key.column.name] for row in self.rows[key.column.table.name]}
            return min(parents - taken)
        return next(make for kind, make in NEW.items() if isinstance(column.type, kind))(column.type)


def everything(connection: Connection, table: Table) -> list[Row[Any]]:
    return list(connection.execute(select(table).order_by(*table.primary_key)).all())


def unique_columns(table: Table) -> set[str]:
    """Return the columns that get a new value in each row, so that no unique constraint is violated."""
    rules = [rule for rule in table.constraints if isinstance(rule, sa.UniqueConstraint)]
    indexes = [index for index in table.indexes if index.unique and index.columns]
    # One column that differs is enough, and the last one of a key is seldom a foreign key.
    last_of_each = [list(rule.columns)[-1] for rule in rules] + [list(index.columns)[-1] for index in indexes]
    return {column.name for column in (*last_of_each, *table.primary_key)}
