"""Lint rule of idempotency: can a revision that was interrupted run again?

Statements in or before an autocommit block are committed before alembic_version moves. The next `flask db upgrade`
sends them once more.
"""

import re
from collections.abc import Iterator

from app.release.lint.revision import ADD_CONSTRAINT, Revision, Violation
from app.release.sql import grammar
from app.release.sql.grammar import NAME, TABLE
from app.release.sql.render import Statement

_IDEMPOTENT = re.compile(
    r"(?:SET|RESET|SELECT|SHOW|LOCK|COMMENT|ANALYZE|VACUUM|REINDEX|CLUSTER|REFRESH|GRANT|REVOKE|DELETE|TRUNCATE)\b"
    r"|\w+ (?:UNIQUE )?(?:[A-Z]+ ){1,3}(?:CONCURRENTLY )?IF (?:NOT )?EXISTS\b|CREATE OR REPLACE\b"
    r"|ALTER TYPE .* ADD VALUE IF NOT EXISTS\b|INSERT .* ON CONFLICT\b",
    re.IGNORECASE,
)
_IDEMPOTENT_ACTION = re.compile(
    r"(?:ADD|DROP) (?:COLUMN |CONSTRAINT )?IF (?:NOT )?EXISTS\b|VALIDATE CONSTRAINT|ALTER .* (?:SET|DROP|TYPE)\b"
    r"|(?:RE)?SET\b|(?:EN|DIS)ABLE\b|CLUSTER ON|OWNER TO",
    re.IGNORECASE,
)
_SKIPS_DONE_ROWS = re.compile(r"\bIS NULL\b|\bIS DISTINCT FROM\b", re.IGNORECASE)
_DROP_CONSTRAINT = re.compile(rf"DROP CONSTRAINT IF EXISTS ({NAME})", re.IGNORECASE)
_CREATE = re.compile(rf"CREATE (?:UNIQUE )?(\w+)(?: CONCURRENTLY)? ({TABLE})", re.IGNORECASE)
_DROP = re.compile(rf"DROP (\w+)(?: CONCURRENTLY)? IF EXISTS ({TABLE})", re.IGNORECASE)

Named = tuple[str, str]  # kind (or, for a constraint, its table), name


def not_rerunnable(revision: Revision) -> Iterator[Violation]:
    """A statement that is committed early and fails, or works twice, when it is sent again."""
    dropped: set[Named] = set()
    for statement in revision.statements:
        early = statement.transaction is None or statement.transaction != revision.rendered.version_transaction
        if early and not statement.by_operation and not _is_idempotent(statement, dropped):
            yield Violation("not-rerunnable", statement, _first_words(statement))
        dropped |= _drops(statement.normalized)


def _is_idempotent(statement: Statement, dropped: set[Named]) -> bool:
    """Whether it does the same, or nothing, the second time. CREATE does after DROP … IF EXISTS."""
    bare = statement.normalized
    actions = list(grammar.alterations(bare))
    if actions:
        return all(_is_idempotent_action(table, action, dropped) for table, action in actions)
    if re.match(r"UPDATE|WITH|MERGE", bare, re.IGNORECASE):
        return bool(_SKIPS_DONE_ROWS.search(bare))
    match = _CREATE.match(bare)
    return bool(
        _IDEMPOTENT.match(bare) or (match and (match[1].upper(), grammar.unqualified_name(match[2])) in dropped)
    )


def _is_idempotent_action(table: str, action: str, dropped: set[Named]) -> bool:
    match = ADD_CONSTRAINT.match(action)
    return bool(_IDEMPOTENT_ACTION.match(action) or (match and (table, grammar.unqualified_name(match[1])) in dropped))


def _drops(bare: str) -> set[Named]:
    if match := _DROP.match(bare):
        return {(match[1].upper(), grammar.unqualified_name(match[2]))}
    actions = grammar.alterations(bare)
    return {
        (table, grammar.unqualified_name(match[1]))
        for table, action in actions
        if (match := _DROP_CONSTRAINT.match(action))
    }


def _first_words(statement: Statement) -> str:
    return " ".join(statement.normalized.split()[:6])
