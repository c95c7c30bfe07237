"""Other sessions of the same database: what the site does while a release runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine, text

APPLICATION = "monthly report"


class Sessions:
    """Each call is a session of its own; unlike a migration's it waits for locks as long as it takes."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, poolclass=NullPool, connect_args={"application_name": APPLICATION})

    def execute(self, sql: str, **parameters: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(sql), parameters)

    def scalar(self, sql: str, **parameters: Any) -> Any:
        with self.engine.begin() as connection:
            return connection.scalar(text(sql), parameters)

    def column(self, sql: str) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.scalars(text(sql)))

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    @contextmanager
    def holding(self, *statements: str) -> Iterator[Connection]:
        """A transaction that has run the statements and ends with the block, or when its user ends it."""
        with self.engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
            yield connection

    def revision(self) -> list[str]:
        """Where the database is."""
        if self.scalar("SELECT to_regclass('alembic_version') IS NULL"):
            return []
        return self.column("SELECT version_num FROM alembic_version ORDER BY 1")

    def ledger(self) -> list[str]:
        """Each revision with its phase."""
        if self.scalar("SELECT to_regclass('schema_ledger') IS NULL"):
            return []
        return self.column("SELECT revision || ' ' || phase FROM schema_ledger ORDER BY revision")

    def contents(self) -> dict[str, list[Any]]:
        """table: its rows. The times of the ledger are left out."""
        tables = self.column(
            "SELECT CAST(oid AS regclass)::text FROM pg_class"
            " WHERE relnamespace = CAST(current_schema() AS regnamespace) AND relkind = 'r' ORDER BY relname"
        )
        return {
            table: self.column(f"SELECT CAST(to_jsonb(t) - 'applied_at' AS text) FROM {table} t ORDER BY 1")
            for table in tables
        }
