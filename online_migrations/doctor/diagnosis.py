"""One diagnosis of `flask release doctor`, with the command that comes next. A leaf: each check imports it."""

import shlex
from importlib.resources import files
from typing import NamedTuple

from sqlalchemy import TextClause, text

from online_migrations.connection import LOCK_TIMEOUT

ERROR = "error"  # something is broken, or the next release will break it
WARNING = "warning"
NOTE = "note"  # what could not be looked at


class Diagnosis(NamedTuple):
    severity: str
    rule: str
    what: str
    next: str  # the one command to type


def psql(*statements: str) -> str:
    """Return the shell command that sends statements, each in a transaction of its own, up to an error."""
    stop = " -v ON_ERROR_STOP=1" if len(statements) > 1 else ""
    return f'psql "$DATABASE_URL"{stop}' + "".join(f" -c {_shell_word(statement)}" for statement in statements)


def psql_with_strong_lock(*statements: str) -> str:
    """Do as psql(), for statements that requests wait behind. It fails when a lock is not free: type it again."""
    return psql(f"SET lock_timeout = {LOCK_TIMEOUT.removesuffix('ms')}", *statements)


def _shell_word(sql: str) -> str:
    """Quote with double quotes where they do, since SQL has single ones in it."""
    return f'"{sql}"' if "'" in sql and not set(sql) & set('"$`\\!') else shlex.quote(sql)


def query(name: str) -> TextClause:
    """Read a query of this package, such as tables.sql."""
    return text(files(__package__).joinpath(name).read_text(encoding="utf-8"))
