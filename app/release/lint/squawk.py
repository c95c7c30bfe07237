"""squawk: an external linter of PostgreSQL migrations, run on the statements of a revision.

Source: https://squawkhq.com. It comes with the development requirements.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from app.release.errors import ReleaseError
from app.release.lint.revision import Revision
from app.release.sql import grammar
from app.release.sql.render import Statement

POSTGRES = "15.0"  # the oldest version that we support
SECONDS = 30  # that squawk may take

EXCLUDED = (
    # The runner sets both for its session.
    *("require-lock-timeout", "require-statement-timeout"),
    # Style; the models decide it.
    *("prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-text-field", "prefer-identity"),
    *("prefer-timestamp-tz", "ban-char-field", "require-enum-value-ordering"),
    # Our own rules check these with more knowledge: the phase, the models, the operation that sent the statement, the
    # statements before it. (prefer-robust-stmts wants CREATE INDEX … IF NOT EXISTS, which keeps an INVALID index.)
    *("prefer-robust-stmts", "adding-not-nullable-field", "adding-field-with-default"),
    *("renaming-table", "renaming-column", "transaction-nesting"),
)
# Pairs of rules with one cause. The first one says more, so the second is left out.
SAME_CAUSE = (
    ("disallowed-unique-constraint", "constraint-missing-not-valid"),
    ("adding-foreign-key-constraint", "constraint-missing-not-valid"),
    ("adding-serial-primary-key-field", "constraint-missing-not-valid"),
    ("validate-under-lock", "constraint-missing-not-valid"),
)
BAN_DROP = "ban-drop-"  # backward_compatibility.py decides this by the phase
# The SQL does not show that widen_text_online checks that the type only gets longer, and that an operation gives a
# constraint the name of one that it replaces.
CHECKED_BY_OPERATIONS = ("changing-column-type", "renaming-object")


class Warned(NamedTuple):
    rule: str
    statement: Statement
    message: str
    help: str


def warnings(revision: Revision) -> Iterator[Warned]:
    """What squawk says of the statements on tables that existed before the revision.

    Raises:
        ReleaseError: squawk is not installed, or failed.
    """
    lines, statements = _script(revision.statements)
    for found in _run("\n".join(lines)):
        statement = statements.get(found["line"])
        if statement and not _is_overruled(found["rule_name"], statement, revision.created):
            yield Warned(found["rule_name"], statement, found["message"], found["help"] or "")


def _is_overruled(rule: str, statement: Statement, created: frozenset[str]) -> bool:
    """Whether we know more than squawk: the phase, the operation, or that the table is new."""
    if (rule.startswith(BAN_DROP) and rule != "ban-drop-database") or (
        statement.by_operation and rule in CHECKED_BY_OPERATIONS
    ):
        return True
    indexed = grammar.indexed_table(statement.normalized)
    tables = {alteration.table for alteration in grammar.alterations(statement.normalized)} | (
        {indexed} if indexed else set()
    )
    return bool(tables) and tables <= created


def _script(statements: list[Statement]) -> tuple[list[str], dict[int, Statement]]:
    """The script for squawk, one line for each statement; and line number (from 0): statement."""
    lines: list[str] = []
    at: dict[int, Statement] = {}
    current: int | None = None
    for statement in statements:
        if statement.transaction != current:
            lines += ["COMMIT;"] if current is not None else []
            lines += ["BEGIN;"] if statement.transaction is not None else []
            current = statement.transaction
        at[len(lines)] = statement
        lines.append(f"{statement.normalized};")
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
    """The path of squawk: next to this Python, so that the virtualenv need not be activated; else on the PATH."""
    found = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    if found is None:
        raise ReleaseError("squawk, which reads the SQL, is not installed here; it comes with: make install")
    return found
