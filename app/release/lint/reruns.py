"""Whether a revision that was stopped halfway can be run again.

What precedes an autocommit block, and what runs inside, is committed before the database's revision moves. So the next
`flask db upgrade` sends it once more.
"""

import re
from collections.abc import Iterator

from app.release.lint.rules import Broken, Revision
from app.release.sql import grammar
from app.release.sql.grammar import NAME, TABLE
from app.release.sql.render import Statement

_HARMLESS = re.compile(
    r"(?:SET|RESET|SELECT|SHOW|LOCK|COMMENT|ANALYZE|VACUUM|REINDEX|CLUSTER|REFRESH|GRANT|REVOKE|DELETE|TRUNCATE)\b"
    r"|\w+ (?:UNIQUE )?(?:[A-Z]+ ){1,3}(?:CONCURRENTLY )?IF (?:NOT )?EXISTS\b|CREATE OR REPLACE\b"
    r"|ALTER TYPE .* ADD VALUE IF NOT EXISTS\b|INSERT .* ON CONFLICT\b",
    re.IGNORECASE,
)
_HARMLESS_ACTION = re.compile(
    r"(?:ADD|DROP) (?:COLUMN |CONSTRAINT )?IF (?:NOT )?EXISTS\b|VALIDATE CONSTRAINT|ALTER .* (?:SET|DROP|TYPE)\b"
    r"|(?:RE)?SET\b|(?:EN|DIS)ABLE\b|CLUSTER ON|OWNER TO",
    re.IGNORECASE,
)
_DONE_ROWS_ARE_LEFT_OUT = re.compile(r"\bIS NULL\b|\bIS DISTINCT FROM\b", re.IGNORECASE)
_ADD_CONSTRAINT = re.compile(rf"ADD CONSTRAINT ({NAME})", re.IGNORECASE)
_DROP_CONSTRAINT = re.compile(rf"DROP CONSTRAINT IF EXISTS ({NAME})", re.IGNORECASE)
_CREATE = re.compile(rf"CREATE (?:UNIQUE )?(\w+)(?: CONCURRENTLY)? ({TABLE})", re.IGNORECASE)
_DROP = re.compile(rf"DROP (\w+)(?: CONCURRENTLY)? IF EXISTS ({TABLE})", re.IGNORECASE)

Named = tuple[str, str]  # of what kind, or on which table; the name


def cannot_be_run_again(revision: Revision) -> Iterator[Broken]:
    dropped: set[Named] = set()
    for statement in revision.statements:
        early = statement.transaction is None or statement.transaction != revision.rendered.version_transaction
        if early and not statement.by_operation and not _is_harmless(statement, dropped):
            yield Broken("not-rerunnable", statement, _first_words(statement))
        dropped |= _drops(statement.bare)


def _is_harmless(statement: Statement, dropped: set[Named]) -> bool:
    """Whether it does the same, or nothing, the second time; after a DROP … IF EXISTS a CREATE does."""
    bare = statement.bare
    actions = list(grammar.alterations(bare))
    if actions:
        return all(_is_harmless_action(table, action, dropped) for table, action in actions)
    if re.match(r"UPDATE|WITH|MERGE", bare, re.IGNORECASE):
        return bool(_DONE_ROWS_ARE_LEFT_OUT.search(bare))
    match = _CREATE.match(bare)
    return bool(_HARMLESS.match(bare) or (match and (match[1].upper(), grammar.plain(match[2])) in dropped))


def _is_harmless_action(table: str, action: str, dropped: set[Named]) -> bool:
    match = _ADD_CONSTRAINT.match(action)
    return bool(_HARMLESS_ACTION.match(action) or (match and (table, grammar.plain(match[1])) in dropped))


def _drops(bare: str) -> set[Named]:
    if match := _DROP.match(bare):
        return {(match[1].upper(), grammar.plain(match[2]))}
    actions = grammar.alterations(bare)
    return {(table, grammar.plain(match[1])) for table, action in actions if (match := _DROP_CONSTRAINT.match(action))}


def _first_words(statement: Statement) -> str:
    return " ".join(statement.bare.split()[:6])
