"""squawk, a linter of PostgreSQL migrations, asked about the statements of a revision.

It comes with the development requirements: https://squawkhq.com
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from app.release.errors import ReleaseError
from app.release.lint.rules import Revision
from app.release.sql import grammar
from app.release.sql.render import Statement

POSTGRES = "15.0"  # the oldest that is served
SECONDS = 30

EXCLUDED = (
    # The runner sets both for its session.
    *("require-lock-timeout", "require-statement-timeout"),
    # Taste, which the models decide.
    *("prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-text-field", "prefer-identity"),
    *("prefer-timestamp-tz", "ban-char-field", "require-enum-value-ordering"),
    # rules.py, phases.py and reruns.py ask the same with more knowledge: of the phase, of what the models
    # map, of the operation that wrote it, of what the revision did before. Of CONCURRENTLY it asks for IF NOT EXISTS.
    *("prefer-robust-stmts", "adding-not-nullable-field", "adding-field-with-default"),
    *("renaming-table", "renaming-column", "transaction-nesting"),
)
# Two names for one cause: the first one says more.
SAME_CAUSE = (
    ("disallowed-unique-constraint", "constraint-missing-not-valid"),
    ("adding-foreign-key-constraint", "constraint-missing-not-valid"),
    ("adding-serial-primary-key-field", "constraint-missing-not-valid"),
    ("validate-under-lock", "constraint-missing-not-valid"),
)
BAN_DROP = "ban-drop-"  # phases.py asks it of the phase
# What the text cannot tell: that the new type only lets a text be longer.
CHECKED_BY_OPERATIONS = ("changing-column-type",)


class Warned(NamedTuple):
    rule: str
    statement: Statement
    message: str
    help: str


def warnings(revision: Revision) -> Iterator[Warned]:
    """What squawk says of the statements that touch a table which was there before.

    Raises:
        ReleaseError: squawk is not installed, or did not work.
    """
    lines, statements = _script(revision.statements)
    for found in _run("\n".join(lines)):
        statement = statements.get(found["line"])
        if statement and not _is_known_better(found["rule_name"], statement, revision.created):
            yield Warned(found["rule_name"], statement, found["message"], found["help"] or "")


def _is_known_better(rule: str, statement: Statement, created: frozenset[str]) -> bool:
    """Whether we know more than the text tells: of the phase, of the operation, or that the table is a new one."""
    if (rule.startswith(BAN_DROP) and rule != "ban-drop-database") or (
        statement.by_operation and rule in CHECKED_BY_OPERATIONS
    ):
        return True
    indexed = grammar.indexed_table(statement.bare)
    tables = {alteration.table for alteration in grammar.alterations(statement.bare)} | (
        {indexed} if indexed else set()
    )
    return bool(tables) and tables <= created


def _script(statements: list[Statement]) -> tuple[list[str], dict[int, Statement]]:
    """The lines to be read, one for each statement, and which statement stands on which, from 0."""
    lines: list[str] = []
    at: dict[int, Statement] = {}
    current: int | None = None
    for statement in statements:
        if statement.transaction != current:
            lines += ["COMMIT;"] if current is not None else []
            lines += ["BEGIN;"] if statement.transaction is not None else []
            current = statement.transaction
        at[len(lines)] = statement
        lines.append(f"{statement.bare};")
    return [*lines, *(["COMMIT;"] if current is not None else [])], at


def _run(text: str) -> list[dict[str, Any]]:
    command = [_binary(), "--reporter", "json", "--pg-version", POSTGRES, "--stdin-filepath", "revision.sql"]
    command += ["--exclude", ",".join(EXCLUDED)]
    ran = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603 - ours
    try:
        return list(json.loads(ran.stdout))
    except ValueError:
        raise ReleaseError(f"squawk did not answer ({ran.stderr.strip()[:200]}); try: squawk --version") from None


def _binary() -> str:
    """Next to the Python that runs, whether or not its environment is activated."""
    found = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    if found is None:
        raise ReleaseError("squawk, which reads the SQL, is not installed here; it comes with: make install")
    return found
