"""Lint rules for statements that no other rule knows: an allowlist, and code that branches on offline mode.

The other rules know dangerous statements, but SQL has more. What is not on the allowlist is a finding: somebody looks
at it and excuses it with `safety_assured`.
"""

import inspect
import re
from collections.abc import Iterator

from app.release.lint.revision import Revision, Violation, alterations

# Statements that the other rules, or squawk, know.
KNOWN_STATEMENTS = re.compile(
    r"(?:CREATE (?:UNIQUE )?INDEX|CREATE (?:UNLOGGED )?TABLE|CREATE (?:OR REPLACE )?VIEW|CREATE SEQUENCE"
    r"|CREATE EXTENSION|CREATE SCHEMA|CREATE TYPE|ALTER TABLE|ALTER INDEX|ALTER TYPE \S+ ADD VALUE"
    r"|DROP (?:TABLE|INDEX|VIEW|SEQUENCE|TYPE|DATABASE)|COMMENT ON|UPDATE|DELETE|INSERT INTO|MERGE|WITH|TRUNCATE"
    r"|REINDEX|VACUUM|CLUSTER|DO|SET LOCAL|ANALYZE|REFRESH MATERIALIZED VIEW CONCURRENTLY)\b",
    re.IGNORECASE,
)
# ALTER TABLE actions that the other rules, or squawk, know.
KNOWN_ACTIONS = re.compile(
    r"(?:ADD|DROP (?!TRIGGER|RULE)|ALTER|RENAME|VALIDATE|OWNER TO)\b|(?:SET|RESET) \(",
    re.IGNORECASE,
)
READS_OFFLINE_MODE = re.compile(r"\bas_sql\b|\bis_offline_mode\b")


def unrecognized_statement(revision: Revision) -> Iterator[Violation]:
    """Statements and ALTER TABLE actions that are not on the allowlist, and not sent by an operation of ours."""
    for statement in revision.statements:
        if not statement.by_operation and not KNOWN_STATEMENTS.match(statement.normalized):
            yield Violation("unfamiliar", statement, " ".join(statement.normalized.split()[:3]))
    for statement, (table, action) in alterations(revision):
        if not statement.by_operation and not KNOWN_ACTIONS.match(action):
            yield Violation("unfamiliar", statement, f"ALTER TABLE {table} {' '.join(action.split()[:3])}")


def branches_on_offline_mode(revision: Revision) -> Iterator[Violation]:
    """lint, plan and --sql see what offline mode prints. A revision that asks for the mode may send something else."""
    if READS_OFFLINE_MODE.search(inspect.getsource(revision.script.module.upgrade)):
        yield Violation("hidden-when-printed", None, "upgrade()")
