"""Render a revision to SQL in Alembic's offline mode, without a database: for the plan."""

from types import ModuleType
from typing import Any, NamedTuple

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from sqlalchemy import MetaData

from app.release.effects import other_connections
from app.release.effects.origin import origin
from app.release.sql import grammar

# Offline mode, for PostgreSQL. psycopg2's own paramstyle would double each %.
OFFLINE_OPTIONS: dict[str, Any] = {
    "url": "postgresql+psycopg2://",
    "literal_binds": True,
    "dialect_opts": {"paramstyle": "named"},
}


class Statement(NamedTuple):
    sql: str  # as it is sent, with its comments and without a semicolon
    transaction: int | None  # number of the transaction within the revision; None: it commits by itself
    by_operation: bool  # sent by one of app.release.operations

    @property
    def normalized(self) -> str:
        return grammar.normalize(self.sql)


class Rendered(NamedTuple):
    statements: list[Statement]
    unreadable: str | None  # why upgrade() failed without a database


def render(script: Script, metadata: MetaData | None = None) -> Rendered:
    """The statements of upgrade(), in the transactions in which they are sent.

    `flask db upgrade --sql` would go through env.py and print one text.

    Args:
        metadata: whose naming convention names constraints that the revision does not name.
    """
    module = script.module
    recorder = _Recorder(module)
    migration = MigrationContext.configure(
        url=OFFLINE_OPTIONS["url"],
        dialect_opts=OFFLINE_OPTIONS["dialect_opts"],
        opts={"as_sql": True, "literal_binds": True, "output_buffer": recorder, "target_metadata": metadata},
    )
    unreadable = None
    with other_connections.refused(module), Operations.context(migration):
        try:
            module.upgrade()
        except Exception as error:  # a file may do anything; the plan says what went wrong
            unreadable = f"{type(error).__name__}: {error}".splitlines()[0]
    return Rendered(recorder.statements, unreadable)


class _Recorder:
    """The output_buffer of offline mode: a file-like object. Alembic writes one text to it for each execute."""

    def __init__(self, module: ModuleType) -> None:
        self.statements: list[Statement] = []
        self.transaction: int | None = 1  # Alembic opens one before upgrade()
        self._module = module
        self._opened = 1
        self._comment = ""

    def write(self, text: str) -> None:
        by_operation = origin(self._module).is_operation
        for piece in grammar.split_statements(text):
            normalized = grammar.normalize(piece)
            if not normalized:  # a comment; it belongs to the next statement
                self._comment += f"{piece}\n"
            elif normalized.upper() in ("BEGIN", "START TRANSACTION"):
                self._opened += 1
                self.transaction = self._opened
            elif normalized.upper() in ("COMMIT", "END", "ROLLBACK"):
                self.transaction = None
            else:
                self.statements.append(Statement(self._comment + piece, self.transaction, by_operation))
                self._comment = ""

    def flush(self) -> None:
        """Alembic calls it; there is nothing to flush."""
