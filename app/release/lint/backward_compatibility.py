"""Lint rules of backward compatibility: does the previous release still run after this revision?

It serves while the revision runs, and a rollback may bring it back afterwards. `expand` promises that it runs.
`contract` says that it does not.

Not violations: a new CHECK, UNIQUE or FOREIGN KEY, because no release means to write what it refuses; and DROP NOT
NULL, because the previous release goes on writing values. A new NOT NULL is one: a model that allows NULL writes it.
"""

import re
from collections.abc import Iterator

from app.release.lint.revision import ADD_COLUMN, ADD_CONSTRAINT, SET_NOT_NULL, Revision, Violation, alterations
from app.release.sql import grammar
from app.release.sql.grammar import NAME, TABLE
from app.release.sql.render import Statement

PHASES = ("expand", "contract")

_DROP_COLUMN = re.compile(rf"DROP (?!CONSTRAINT\b)(?:COLUMN )?(?:IF EXISTS )?({NAME})", re.IGNORECASE)
_DROP_CONSTRAINT = re.compile(rf"DROP CONSTRAINT (?:IF EXISTS )?({NAME})", re.IGNORECASE)
_DROP_DEFAULT = re.compile(rf"ALTER (?:COLUMN )?({NAME}) DROP DEFAULT", re.IGNORECASE)
_SET_DEFAULT = re.compile(rf"ALTER (?:COLUMN )?({NAME}) SET DEFAULT", re.IGNORECASE)
_KIND = r"(TABLE|(?:MATERIALIZED )?VIEW|SEQUENCE|TYPE|DOMAIN|FUNCTION|PROCEDURE|TRIGGER|SCHEMA|EXTENSION)"
_DROP = re.compile(rf"DROP {_KIND} (?:IF EXISTS )?({TABLE}(?: ?, ?{TABLE})*)", re.IGNORECASE)
_CREATE = re.compile(rf"CREATE (?:OR REPLACE )?{_KIND} (?:IF NOT EXISTS )?({TABLE})", re.IGNORECASE)
_RENAME_TABLE = re.compile(rf"RENAME TO ({NAME})", re.IGNORECASE)
_RENAME_COLUMN = re.compile(rf"RENAME (?!TO |CONSTRAINT )(?:COLUMN )?({NAME}) TO {NAME}", re.IGNORECASE)


def phase_missing(revision: Revision) -> Iterator[Violation]:
    if revision.phase is None:
        yield Violation("phase-missing", None, revision.script.revision)
    elif revision.phase not in PHASES:
        yield Violation("phase-unknown", None, repr(revision.phase))


def breaks_previous_release(revision: Revision) -> Iterator[Violation]:
    """Statements of an `expand` that drop what the previous release uses, or require what it does not write."""
    if revision.phase == "expand":
        yield from _drops_objects(revision)
        yield from _drops_columns(revision)
        yield from _tightens_columns(revision)
        yield from _drops_constraints(revision)


def _drops_objects(revision: Revision) -> Iterator[Violation]:
    for statement, kind, name in _dropped(revision):
        # DROP and CREATE of a function replaces it. Of a table, it loses the rows.
        replaced = kind != "TABLE" and (kind, name) in _created(revision)
        if not replaced and name not in revision.created:
            yield Violation("breaks-previous-release", statement, name)


def _dropped(revision: Revision) -> Iterator[tuple[Statement, str, str]]:
    for statement in revision.statements:
        if match := _DROP.match(statement.normalized):
            for name in grammar.split_at_commas(match[2]):
                yield statement, match[1].upper(), grammar.unqualified_name(name)


def _created(revision: Revision) -> set[tuple[str, str]]:
    matches = (_CREATE.match(statement.normalized) for statement in revision.statements)
    return {(match[1].upper(), grammar.unqualified_name(match[2])) for match in matches if match}


def _drops_columns(revision: Revision) -> Iterator[Violation]:
    own: set[tuple[str, str]] = set()
    for statement, (table, action) in alterations(revision):
        if match := ADD_COLUMN.match(action):
            own.add((table, grammar.unqualified_name(match[1])))
        elif (match := _DROP_COLUMN.match(action)) and (table, grammar.unqualified_name(match[1])) not in own:
            yield Violation("breaks-previous-release", statement, f"{table}.{grammar.unqualified_name(match[1])}")


def _tightens_columns(revision: Revision) -> Iterator[Violation]:
    """SET NOT NULL where the previous release may write NULL; DROP DEFAULT where its inserts rely on the default."""
    has_default: set[tuple[str, str]] = set()
    own: set[tuple[str, str]] = set()
    for statement, (table, action) in alterations(revision):
        if match := ADD_COLUMN.match(action):
            column = (table, grammar.unqualified_name(match[1]))
            own.add(column)
            if re.search(r"\bDEFAULT\b", match[2], re.IGNORECASE):
                has_default.add(column)
        elif match := _SET_DEFAULT.match(action):
            has_default.add((table, grammar.unqualified_name(match[1])))
        elif match := _DROP_DEFAULT.match(action):
            has_default.discard((table, grammar.unqualified_name(match[1])))
            yield Violation("breaks-previous-release", statement, f"{table}.{grammar.unqualified_name(match[1])}")
        elif (match := SET_NOT_NULL.match(action)) and (
            table,
            grammar.unqualified_name(match[1]),
        ) not in own & has_default:
            yield Violation("breaks-previous-release", statement, f"{table}.{grammar.unqualified_name(match[1])}")


def _drops_constraints(revision: Revision) -> Iterator[Violation]:
    """DROP CONSTRAINT: the previous release may rely on it. Unless the revision adds one of the same name."""
    actions = [(table, action) for _, (table, action) in alterations(revision)]
    added = {
        (table, grammar.unqualified_name(match[1]))
        for table, action in actions
        if (match := ADD_CONSTRAINT.match(action))
    }
    for statement, (table, action) in alterations(revision):
        match = _DROP_CONSTRAINT.match(action)
        if match and (table, grammar.unqualified_name(match[1])) not in added:
            yield Violation("breaks-previous-release", statement, f"{table}.{grammar.unqualified_name(match[1])}")


def renames_table_or_column(revision: Revision) -> Iterator[Violation]:
    """RENAME without a view of the old name in the same transaction: the previous release knows only the old name."""
    views = {
        (statement.transaction, grammar.unqualified_name(match[2]))
        for statement in revision.statements
        if (match := _CREATE.match(statement.normalized)) and match[1].upper() == "VIEW"
    }
    served: set[tuple[int | None, str]] = set()  # transaction, new name of a table whose old name is a view
    for statement, (table, action) in alterations(revision):
        if match := _RENAME_TABLE.match(action):
            if statement.transaction is not None and (statement.transaction, table) in views:
                served.add((statement.transaction, grammar.unqualified_name(match[1])))
            else:
                yield Violation("renaming-table", statement, table)
    for statement, (table, action) in alterations(revision):
        match = _RENAME_COLUMN.match(action)
        if match and not statement.by_operation and (statement.transaction, table) not in served:
            yield Violation("renaming-column", statement, f"{table}.{grammar.unqualified_name(match[1])}")


def drops_what_is_mapped(revision: Revision) -> Iterator[Violation]:
    """A contract that comes too early: the models still map what it drops, and no later revision brings it back."""
    if revision.phase == "expand":
        return  # breaks_previous_release reports every drop
    later = [statement.normalized for statement in revision.later]
    tables = {grammar.created_table(statement) for statement in later}
    columns = {
        (table, grammar.unqualified_name(match[1]))
        for statement in later
        for table, action in grammar.alterations(statement)
        if (match := ADD_COLUMN.match(action))
    }
    for statement, kind, name in _dropped(revision):
        if kind in ("TABLE", "VIEW") and name in revision.mapped and name not in tables | revision.created:
            yield Violation("drops-what-is-mapped", statement, name)
    for statement, (table, action) in alterations(revision):
        match = _DROP_COLUMN.match(action)
        column = grammar.unqualified_name(match[1]) if match else ""
        if column in revision.mapped.get(table, ()) and table not in tables and (table, column) not in columns:
            yield Violation("drops-what-is-mapped", statement, f"{table}.{column}")
