"""What a revision's phase promises: that the release before it goes on working.

Whatever is judged here is judged for the code of the previous release, which serves while the revision runs and may be
rolled back to afterwards. `expand` promises that it can; `contract` says that only the release before this revision's
own can, since that one uses no longer what goes.

Not judged: a new CHECK, UNIQUE or FOREIGN KEY, since what it refuses no release meant to write, while a NULL is what a
model that allows it does write; and DROP NOT NULL, after which the previous release goes on writing what it wrote.
"""

import re
from collections.abc import Iterator

from app.release.lint.rules import ADD_COLUMN, SET_NOT_NULL, Broken, Revision, alterations
from app.release.sql import grammar
from app.release.sql.grammar import NAME, TABLE
from app.release.sql.render import Statement

PHASES = ("expand", "contract")

_DROP_COLUMN = re.compile(rf"DROP (?!CONSTRAINT\b)(?:COLUMN )?(?:IF EXISTS )?({NAME})", re.IGNORECASE)
_DROP_CONSTRAINT = re.compile(rf"DROP CONSTRAINT (?:IF EXISTS )?({NAME})", re.IGNORECASE)
_DROP_DEFAULT = re.compile(rf"ALTER (?:COLUMN )?({NAME}) DROP DEFAULT", re.IGNORECASE)
_SET_DEFAULT = re.compile(rf"ALTER (?:COLUMN )?({NAME}) SET DEFAULT", re.IGNORECASE)
_ADD_CONSTRAINT = re.compile(rf"ADD CONSTRAINT ({NAME})", re.IGNORECASE)
_KIND = r"(TABLE|(?:MATERIALIZED )?VIEW|SEQUENCE|TYPE|DOMAIN|FUNCTION|PROCEDURE|TRIGGER|SCHEMA|EXTENSION)"
_DROP = re.compile(rf"DROP {_KIND} (?:IF EXISTS )?({TABLE}(?: ?, ?{TABLE})*)", re.IGNORECASE)
_CREATE = re.compile(rf"CREATE (?:OR REPLACE )?{_KIND} (?:IF NOT EXISTS )?({TABLE})", re.IGNORECASE)
_RENAME_TABLE = re.compile(rf"RENAME TO ({NAME})", re.IGNORECASE)
_RENAME_COLUMN = re.compile(rf"RENAME (?!TO |CONSTRAINT )(?:COLUMN )?({NAME}) TO {NAME}", re.IGNORECASE)


def says_its_phase(revision: Revision) -> Iterator[Broken]:
    if revision.phase is None:
        yield Broken("phase-missing", None, revision.script.revision)
    elif revision.phase not in PHASES:
        yield Broken("phase-unknown", None, repr(revision.phase))


def breaks_the_previous_release(revision: Revision) -> Iterator[Broken]:
    """Steps of an `expand` that take away, or demand, what the previous release does not know of."""
    if revision.phase == "expand":
        yield from _drops_objects(revision)
        yield from _drops_columns(revision)
        yield from _demands_more(revision)
        yield from _drops_constraints(revision)


def _drops_objects(revision: Revision) -> Iterator[Broken]:
    for statement, kind, name in _dropped(revision):
        # A function may be replaced by a drop and a create; a table that is dropped has lost its rows.
        replaced = kind != "TABLE" and (kind, name) in _created(revision)
        if not replaced and name not in revision.created:
            yield Broken("breaks-previous-release", statement, name)


def _dropped(revision: Revision) -> Iterator[tuple[Statement, str, str]]:
    for statement in revision.statements:
        if match := _DROP.match(statement.bare):
            for name in grammar.split_at_commas(match[2]):
                yield statement, match[1].upper(), grammar.plain(name)


def _created(revision: Revision) -> set[tuple[str, str]]:
    matches = (_CREATE.match(statement.bare) for statement in revision.statements)
    return {(match[1].upper(), grammar.plain(match[2])) for match in matches if match}


def _drops_columns(revision: Revision) -> Iterator[Broken]:
    own: set[tuple[str, str]] = set()
    for statement, (table, action) in alterations(revision):
        if match := ADD_COLUMN.match(action):
            own.add((table, grammar.plain(match[1])))
        elif (match := _DROP_COLUMN.match(action)) and (table, grammar.plain(match[1])) not in own:
            yield Broken("breaks-previous-release", statement, f"{table}.{grammar.plain(match[1])}")


def _demands_more(revision: Revision) -> Iterator[Broken]:
    """NOT NULL where the previous release may leave a column out or write NULL, and a default that it relied on."""
    has_default: set[tuple[str, str]] = set()
    own: set[tuple[str, str]] = set()
    for statement, (table, action) in alterations(revision):
        if match := ADD_COLUMN.match(action):
            column = (table, grammar.plain(match[1]))
            own.add(column)
            if re.search(r"\bDEFAULT\b", match[2], re.IGNORECASE):
                has_default.add(column)
        elif match := _SET_DEFAULT.match(action):
            has_default.add((table, grammar.plain(match[1])))
        elif match := _DROP_DEFAULT.match(action):
            has_default.discard((table, grammar.plain(match[1])))
            yield Broken("breaks-previous-release", statement, f"{table}.{grammar.plain(match[1])}")
        elif (match := SET_NOT_NULL.match(action)) and (table, grammar.plain(match[1])) not in own & has_default:
            yield Broken("breaks-previous-release", statement, f"{table}.{grammar.plain(match[1])}")


def _drops_constraints(revision: Revision) -> Iterator[Broken]:
    """A guarantee that the previous release relies on; unless the revision made it, or makes it anew."""
    actions = [(table, action) for _, (table, action) in alterations(revision)]
    added = {(table, grammar.plain(match[1])) for table, action in actions if (match := _ADD_CONSTRAINT.match(action))}
    for statement, (table, action) in alterations(revision):
        match = _DROP_CONSTRAINT.match(action)
        if match and (table, grammar.plain(match[1])) not in added:
            yield Broken("breaks-previous-release", statement, f"{table}.{grammar.plain(match[1])}")


def renames(revision: Revision) -> Iterator[Broken]:
    """No release can use both names; only a view of the old one, made in the same transaction, serves both."""
    views = {
        (statement.transaction, grammar.plain(match[2]))
        for statement in revision.statements
        if (match := _CREATE.match(statement.bare)) and match[1].upper() == "VIEW"
    }
    served: set[tuple[int | None, str]] = set()  # transaction, new name of a table whose old name is a view
    for statement, (table, action) in alterations(revision):
        if match := _RENAME_TABLE.match(action):
            if statement.transaction is not None and (statement.transaction, table) in views:
                served.add((statement.transaction, grammar.plain(match[1])))
            else:
                yield Broken("renaming-table", statement, table)
    for statement, (table, action) in alterations(revision):
        match = _RENAME_COLUMN.match(action)
        if match and (statement.transaction, table) not in served:
            yield Broken("renaming-column", statement, f"{table}.{grammar.plain(match[1])}")


def drops_what_is_mapped(revision: Revision) -> Iterator[Broken]:
    """A contract that goes ahead of the code: the models still map what it drops, and nothing brings it back."""
    if revision.phase == "expand":
        return  # it may drop nothing at all
    later = [statement.bare for statement in revision.later]
    tables = {grammar.created_table(statement) for statement in later}
    columns = {
        (table, grammar.plain(match[1]))
        for statement in later
        for table, action in grammar.alterations(statement)
        if (match := ADD_COLUMN.match(action))
    }
    for statement, kind, name in _dropped(revision):
        if kind in ("TABLE", "VIEW") and name in revision.mapped and name not in tables | revision.created:
            yield Broken("drops-what-is-mapped", statement, name)
    for statement, (table, action) in alterations(revision):
        match = _DROP_COLUMN.match(action)
        column = grammar.plain(match[1]) if match else ""
        if column in revision.mapped.get(table, ()) and table not in tables and (table, column) not in columns:
            yield Broken("drops-what-is-mapped", statement, f"{table}.{column}")
