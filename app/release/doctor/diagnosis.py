"""One diagnosis of `flask release doctor`."""

import shlex
from typing import NamedTuple

ERROR = "error"  # something is broken, or the next release will break it
WARNING = "warning"


class Diagnosis(NamedTuple):
    severity: str
    rule: str
    what: str
    next: str  # the one command to type


def psql(sql: str) -> str:
    """The shell command that sends a statement to the database."""
    return f'psql "$DATABASE_URL" -c {shlex.quote(sql)}'
