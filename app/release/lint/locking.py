"""Lint rules about long locks: whole-table writes, INVALID indexes, validation and NOT NULL under a strong lock.

Each rule is a generator over one revision. advice.py says, for each rule, what would happen and what to write instead.
"""

import re
from collections.abc import Iterator

from app.release.lint.revision import SET_NOT_NULL, Revision, Violation, alterations
from app.release.sql import grammar
from app.release.sql.grammar import NAME, TABLE

_WRITE = re.compile(
    rf"(?:WITH .*\(\) ?)?(?:(?:UPDATE|DELETE FROM|MERGE INTO)|TRUNCATE(?: TABLE)?) (?:ONLY )?({TABLE})",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"(?<!DELETE) (?:WHERE|FROM|USING) ", re.IGNORECASE)
_ONE_ROW = re.compile(r"\bWHERE (?:\w+\.)?id (?:= ?(?:\d+|'')|IN \((?P<ids>)\))$", re.IGNORECASE)


def whole_table_write(revision: Revision) -> Iterator[Violation]:
    """UPDATE or DELETE of an existing table, without a LIMIT that makes it a batch."""
    for statement in revision.statements:
        whole = grammar.outline(statement.normalized)
        inner = [grammar.outline(content) for _, content in whole.groups if whole.text.upper().startswith("WITH ")]
        for shape in (whole, *inner):
            match = _WRITE.match(shape.text)
            table = grammar.unqualified_name(match[1]) if match else ""
            if match and table not in revision.created and not _is_limited(whole, shape, table):
                yield Violation("whole-table-write", statement, table)


def _is_limited(whole: grammar.Outline, shape: grammar.Outline, table: str) -> bool:
    """Whether a sub-select with LIMIT on the same table chooses the rows, or a list of ids.

    A sub-select between SET and WHERE does not count: it computes a value.
    """
    batch = re.compile(rf'\bFROM (?:ONLY )?(?:{NAME}\.)?"?{re.escape(table)}"?(?=\s).*\bLIMIT \d', re.IGNORECASE)
    choice = _CHOICE.search(shape.text)
    chosen_from = choice.start() if choice else len(shape.text)
    common = [content for _, content in whole.groups if whole.text.upper().startswith("WITH ")]
    chosen = [content for position, content in shape.groups if position > chosen_from]
    if any(batch.search(content) for content in (*common, *chosen)):
        return True
    one = _ONE_ROW.search(shape.text)
    return bool(one and (one["ids"] is None or re.fullmatch(r"[\d, ]+", chosen[-1])))


def unreadable_block(revision: Revision) -> Iterator[Violation]:
    """DO blocks: only the server can read the PL/pgSQL in them. Those of our own operations are known."""
    for statement in revision.statements:
        if statement.normalized.upper().startswith("DO ") and not statement.by_operation:
            yield Violation("unreadable-block", statement, "DO")


_KEEPS_INVALID = re.compile(rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS ({NAME})", re.IGNORECASE)


def keeps_invalid_index(revision: Revision) -> Iterator[Violation]:
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS: a failed build left an INVALID index of that name, and it is kept."""
    for statement in revision.statements:
        if match := _KEEPS_INVALID.match(statement.normalized):
            yield Violation("keeps-invalid-index", statement, grammar.unqualified_name(match[1]))


_VALIDATE = re.compile(rf"VALIDATE CONSTRAINT ({NAME})", re.IGNORECASE)
_NOT_VALID = re.compile(rf"ADD CONSTRAINT ({NAME}) .*\bNOT VALID\b", re.IGNORECASE)


def validate_under_lock(revision: Revision) -> Iterator[Violation]:
    """NOT VALID and VALIDATE in one transaction: the strong lock is held while VALIDATE reads the table."""
    added: set[tuple[int, str, str]] = set()
    for statement, (table, action) in alterations(revision):
        if statement.transaction is None:
            continue
        if match := _NOT_VALID.match(action):
            added.add((statement.transaction, table, grammar.unqualified_name(match[1])))
        match = _VALIDATE.match(action)
        if match and (statement.transaction, table, grammar.unqualified_name(match[1])) in added:
            yield Violation("validate-under-lock", statement, f"{table}.{grammar.unqualified_name(match[1])}")


_NOT_NULL_CHECK = re.compile(
    rf"ADD CONSTRAINT ({NAME}) (?:CHECK \(\(?({NAME}) IS NOT NULL\)?\)|NOT NULL ({NAME})) NOT VALID", re.IGNORECASE
)


def set_not_null_unchecked(revision: Revision) -> Iterator[Violation]:
    """SET NOT NULL without a validated CHECK: it reads the whole table under ACCESS EXCLUSIVE."""
    added: dict[tuple[str, str], str] = {}  # table, constraint: column
    checked: set[tuple[str, str]] = set()
    for statement, (table, action) in alterations(revision):
        if match := _NOT_NULL_CHECK.match(action):
            added[table, grammar.unqualified_name(match[1])] = grammar.unqualified_name(match[2] or match[3])
        elif match := _VALIDATE.match(action):
            checked.add((table, added.get((table, grammar.unqualified_name(match[1])), "")))
        elif (match := SET_NOT_NULL.match(action)) and (table, grammar.unqualified_name(match[1])) not in checked:
            yield Violation("set-not-null-unchecked", statement, f"{table}.{grammar.unqualified_name(match[1])}")
