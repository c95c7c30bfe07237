"""One diagnosis of `flask release doctor`, and from which values on something counts as one."""

import shlex
from typing import NamedTuple

from online_migrations.connection import LOCK_TIMEOUT

ERROR = "error"  # something is broken, or the next release will break it
WARNING = "warning"
NOTE = "note"  # what could not be looked at

# Said where the next command changes the database, which is wrong when it is the revision that is missing.
IF_THE_MODEL_CHANGED = "If the model is newer than the last revision, write one instead: flask db migrate."


class Diagnosis(NamedTuple):
    severity: str
    rule: str
    what: str
    next: str  # the one command to type


class Limits(NamedTuple):
    """
    Args:
        long_transaction: seconds from which on an open or a prepared transaction is reported.
        idle_migrator: seconds without a statement after which the holder of the advisory lock counts as orphaned. A
            migration that works pauses for a few seconds at most.
    """

    long_transaction: int = 300
    idle_migrator: int = 60


def psql(*statements: str) -> str:
    """The shell command that sends statements to the database, each in a transaction of its own, up to an error."""
    stop = " -v ON_ERROR_STOP=1" if len(statements) > 1 else ""
    return f'psql "$DATABASE_URL"{stop}' + "".join(f" -c {_shell_word(statement)}" for statement in statements)


def psql_with_strong_lock(*statements: str) -> str:
    """As psql(), for statements that requests wait behind. It fails when a lock is not free: type it again."""
    return psql(f"SET lock_timeout = {LOCK_TIMEOUT.removesuffix('ms')}", *statements)


def _shell_word(sql: str) -> str:
    """In double quotes where they do, since SQL has single ones in it."""
    return f'"{sql}"' if "'" in sql and not set(sql) & set('"$`\\!') else shlex.quote(sql)
