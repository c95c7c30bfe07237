"""The SQL of a revision, without a database: what lint reads and plan shows."""

import sys
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script

from app.extensions import Base
from app.release.sql import grammar

OPERATIONS = "app.release.operations"


class Statement(NamedTuple):
    sql: str  # as it is sent, with its comments and without a semicolon
    transaction: int | None  # which one of the revision's; None: it commits by itself
    line: int | None  # of the revision's file
    by_operation: bool  # one of app.release.operations, which looks at the catalog before it acts

    @property
    def in_transaction(self) -> bool:
        return self.transaction is not None

    @property
    def bare(self) -> str:
        return grammar.bare(self.sql)


class Unreadable(NamedTuple):
    """upgrade() does not say its SQL without a database."""

    reason: str
    line: int | None


class Rendered(NamedTuple):
    statements: list[Statement]
    version_transaction: int | None  # the one in which the database's revision moves; all others commit before it
    unreadable: Unreadable | None


def render(script: Script) -> Rendered:
    """What upgrade() sends, statement by statement.

    Alembic's own --sql mode goes through env.py and prints one text; here each statement keeps the line of the file
    that sent it.
    """
    module = script.module
    recorder = _Recorder(module.__dict__)
    options = {"as_sql": True, "literal_binds": True, "output_buffer": recorder, "target_metadata": Base.metadata}
    migration = MigrationContext.configure(
        url="postgresql+psycopg2://",
        dialect_opts={"paramstyle": "named"},  # else psycopg2's way doubles each % of a text
        opts=options,
    )
    unreadable = None
    with Operations.context(migration):
        try:
            module.upgrade()
        except Exception as error:  # whatever a file does that has to be read is a finding, not a crash
            unreadable = Unreadable(f"{type(error).__name__}: {error}".splitlines()[0], _failed_at(error, module))
    return Rendered(recorder.statements, recorder.transaction, unreadable)


class _Recorder:
    """Stands for the file that Alembic prints to, and is handed one text for each thing that is executed."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.statements: list[Statement] = []
        self.transaction: int | None = 1  # Alembic opens one before upgrade()
        self._namespace = namespace
        self._opened = 1
        self._comment = ""

    def write(self, text: str) -> None:
        line, by_operation = _origin(sys._getframe(1), self._namespace)
        for piece in grammar.split(text):
            bare = grammar.bare(piece)
            if not bare:  # a comment; it belongs to what follows
                self._comment += f"{piece}\n"
            elif bare.upper() in ("BEGIN", "START TRANSACTION"):
                self._opened += 1
                self.transaction = self._opened
            elif bare.upper() in ("COMMIT", "END", "ROLLBACK"):
                self.transaction = None
            else:
                self.statements.append(Statement(self._comment + piece, self.transaction, line, by_operation))
                self._comment = ""

    def flush(self) -> None:
        """Alembic flushes what it prints."""


def _origin(frame: FrameType | None, namespace: dict[str, Any]) -> tuple[int | None, bool]:
    """The line of the revision's file that is being executed, and whether through an operation of ours."""
    by_operation = False
    while frame is not None and frame.f_globals is not namespace:
        by_operation = by_operation or frame.f_globals.get("__name__", "").startswith(OPERATIONS)
        frame = frame.f_back
    return (frame.f_lineno if frame else None), by_operation


def _failed_at(error: Exception, module: Any) -> int | None:
    line, trace = None, error.__traceback__
    while isinstance(trace, TracebackType):
        if trace.tb_frame.f_globals is module.__dict__:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
