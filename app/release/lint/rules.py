"""What lint asks of a revision beyond squawk, here of rows and of locks that outlast their statement.

Each rule is a function of one revision; advice.py says of each name what would happen and what to write instead.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from alembic.script import Script

from app.release.sql import grammar
from app.release.sql.grammar import NAME, TABLE
from app.release.sql.render import Rendered, Statement

Columns = Mapping[str, frozenset[str]]  # table: its columns


class Broken(NamedTuple):
    """A rule, and the statement that breaks it: None when it is the file."""

    rule: str
    statement: Statement | None
    subject: str  # the table, column or index that it is about


@dataclass(frozen=True)
class Revision:
    script: Script
    rendered: Rendered
    later: list[Statement]  # of the revisions that come after this one
    mapped: Columns  # what the models of this code map

    @property
    def statements(self) -> list[Statement]:
        return self.rendered.statements

    @property
    def phase(self) -> Any:
        return getattr(self.script.module, "phase", None)

    @cached_property
    def created(self) -> frozenset[str]:
        """The tables that nobody uses yet: not one that takes the name of another, dropped or renamed before."""
        there: set[str] = set()
        new: set[str] = set()
        for statement in self.statements:
            there |= set(grammar.dropped_tables(statement.bare))
            there |= {
                table for table, action in grammar.alterations(statement.bare) if action.upper().startswith("RENAME TO")
            }
            new |= {table for table in [grammar.created_table(statement.bare)] if table and table not in there}
        return frozenset(new)


def alterations(revision: Revision) -> Iterator[tuple[Statement, grammar.Alteration]]:
    """The actions on tables that were there before."""
    for statement in revision.statements:
        for alteration in grammar.alterations(statement.bare):
            if alteration.table not in revision.created:
                yield statement, alteration


_WRITE = re.compile(
    rf"(?:WITH .*\(\) ?)?(?:(?:UPDATE|DELETE FROM|MERGE INTO)|TRUNCATE(?: TABLE)?) (?:ONLY )?({TABLE})",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"(?<!DELETE) (?:WHERE|FROM|USING) ", re.IGNORECASE)
_ONE_ROW = re.compile(r"\bWHERE (?:\w+\.)?id (?:= ?(?:\d+|'')|IN \((?P<ids>)\))$", re.IGNORECASE)


def writes_a_whole_table(revision: Revision) -> Iterator[Broken]:
    """UPDATE and DELETE of a table that was there before, without a LIMIT on which of its rows."""
    for statement in revision.statements:
        whole = grammar.outline(statement.bare)
        inner = [grammar.outline(content) for _, content in whole.groups if whole.text.upper().startswith("WITH ")]
        for shape in (whole, *inner):
            match = _WRITE.match(shape.text)
            table = grammar.plain(match[1]) if match else ""
            if match and table not in revision.created and not _is_limited(whole, shape, table):
                yield Broken("whole-table-write", statement, table)


def _is_limited(whole: grammar.Outline, shape: grammar.Outline, table: str) -> bool:
    """Whether the rows are chosen by a sub-select on the table itself that has a LIMIT, or by their ids.

    A sub-select between SET and WHERE chooses a value and no row.
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


def hides_what_it_does(revision: Revision) -> Iterator[Broken]:
    """A block of PL/pgSQL is one literal to everybody but the server."""
    for statement in revision.statements:
        if statement.bare.upper().startswith("DO ") and not statement.by_operation:
            yield Broken("unreadable-block", statement, "DO")


_KEEPS_INVALID = re.compile(rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS ({NAME})", re.IGNORECASE)


def keeps_an_invalid_index(revision: Revision) -> Iterator[Broken]:
    """What a failed build left has the name, so IF NOT EXISTS is content with it."""
    for statement in revision.statements:
        if match := _KEEPS_INVALID.match(statement.bare):
            yield Broken("keeps-invalid-index", statement, grammar.plain(match[1]))


_VALIDATE = re.compile(rf"VALIDATE CONSTRAINT ({NAME})", re.IGNORECASE)
_NOT_VALID = re.compile(rf"ADD CONSTRAINT ({NAME}) .*\bNOT VALID\b", re.IGNORECASE)


def validates_under_the_lock(revision: Revision) -> Iterator[Broken]:
    """NOT VALID and VALIDATE in one transaction: the first one's lock is held while the second reads the table."""
    added: set[tuple[int, str, str]] = set()
    for statement, (table, action) in alterations(revision):
        if statement.transaction is None:
            continue
        if match := _NOT_VALID.match(action):
            added.add((statement.transaction, table, grammar.plain(match[1])))
        match = _VALIDATE.match(action)
        if match and (statement.transaction, table, grammar.plain(match[1])) in added:
            yield Broken("validate-under-lock", statement, f"{table}.{grammar.plain(match[1])}")


_NOT_NULL_CHECK = re.compile(
    rf"ADD CONSTRAINT ({NAME}) (?:CHECK \(\(?({NAME}) IS NOT NULL\)?\)|NOT NULL ({NAME})) NOT VALID", re.IGNORECASE
)
SET_NOT_NULL = re.compile(rf"ALTER (?:COLUMN )?({NAME}) SET NOT NULL", re.IGNORECASE)


def sets_not_null_unchecked(revision: Revision) -> Iterator[Broken]:
    """SET NOT NULL reads the whole table under its lock, unless a validated CHECK says already what it would find."""
    added: dict[tuple[str, str], str] = {}  # table, constraint: column
    checked: set[tuple[str, str]] = set()
    for statement, (table, action) in alterations(revision):
        if match := _NOT_NULL_CHECK.match(action):
            added[table, grammar.plain(match[1])] = grammar.plain(match[2] or match[3])
        elif match := _VALIDATE.match(action):
            checked.add((table, added.get((table, grammar.plain(match[1])), "")))
        elif (match := SET_NOT_NULL.match(action)) and (table, grammar.plain(match[1])) not in checked:
            yield Broken("set-not-null-unchecked", statement, f"{table}.{grammar.plain(match[1])}")


ADD_COLUMN = re.compile(
    rf"ADD (?!(?:CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b)(?:COLUMN )?(?:IF NOT EXISTS )?({NAME}) (.*)",
    re.IGNORECASE | re.DOTALL,
)
