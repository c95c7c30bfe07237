"""What doctor finds."""

import shlex
from typing import NamedTuple

ERROR = "error"  # something is broken, or will be at the next release
WARNING = "warning"


class Finding(NamedTuple):
    severity: str
    rule: str
    what: str
    next: str  # the one command to type


def psql(sql: str) -> str:
    """The command that sends a statement to the database."""
    return f'psql "$DATABASE_URL" -c {shlex.quote(sql)}'
