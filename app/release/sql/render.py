"""Render a revision to SQL in Alembic's offline mode, without a database: for lint and plan."""

import sys
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from sqlalchemy import MetaData

from app.release import operations
from app.release.effects import other_connections
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
    line: int | None  # of the revision's file
    by_operation: bool  # sent by one of app.release.operations, which are idempotent

    @property
    def in_transaction(self) -> bool:
        return self.transaction is not None

    @property
    def normalized(self) -> str:
        return grammar.normalize(self.sql)


class Unreadable(NamedTuple):
    """upgrade() failed without a database."""

    reason: str
    line: int | None


class Rendered(NamedTuple):
    statements: list[Statement]
    version_transaction: int | None  # the one in which alembic_version moves; all others commit before it
    unreadable: Unreadable | None


def render(script: Script, metadata: MetaData | None = None) -> Rendered:
    """The statements of upgrade(), each with the line of the file that sent it.

    `flask db upgrade --sql` would go through env.py and print one text.

    Args:
        metadata: whose naming convention names constraints that the revision does not name.
    """
    module = script.module
    recorder = _Recorder(module.__dict__)
    migration = MigrationContext.configure(
        url=OFFLINE_OPTIONS["url"],
        dialect_opts=OFFLINE_OPTIONS["dialect_opts"],
        opts={"as_sql": True, "literal_binds": True, "output_buffer": recorder, "target_metadata": metadata},
    )
    unreadable = None
    with other_connections.refused(module), Operations.context(migration):
        try:
            module.upgrade()
        except Exception as error:  # a file may do anything; the error becomes a finding
            unreadable = Unreadable(f"{type(error).__name__}: {error}".splitlines()[0], _failed_at(error, module))
    return Rendered(recorder.statements, recorder.transaction, unreadable)


class _Recorder:
    """The output_buffer of offline mode: a file-like object. Alembic writes one text to it for each execute."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.statements: list[Statement] = []
        self.transaction: int | None = 1  # Alembic opens one before upgrade()
        self._namespace = namespace
        self._opened = 1
        self._comment = ""

    def write(self, text: str) -> None:
        line, by_operation = _origin(sys._getframe(1), self._namespace)
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
                self.statements.append(Statement(self._comment + piece, self.transaction, line, by_operation))
                self._comment = ""

    def flush(self) -> None:
        """Alembic calls it; there is nothing to flush."""


def _origin(frame: FrameType | None, namespace: dict[str, Any]) -> tuple[int | None, bool]:
    """The line of the revision file that is running, and whether it called one of our operations."""
    by_operation = False
    while frame is not None and frame.f_globals is not namespace:
        by_operation = by_operation or frame.f_globals.get("__name__", "").startswith(operations.__name__)
        frame = frame.f_back
    return (frame.f_lineno if frame else None), by_operation


def _failed_at(error: Exception, module: Any) -> int | None:
    """The line of the revision file where the error was raised."""
    line, trace = None, error.__traceback__
    while isinstance(trace, TracebackType):
        if trace.tb_frame.f_globals is module.__dict__:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
