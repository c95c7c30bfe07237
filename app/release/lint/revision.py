"""What a lint rule gets and yields: a rendered revision, and a violation."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from alembic.script import Script

from app.release.sql import grammar
from app.release.sql.grammar import NAME
from app.release.sql.render import Rendered, Statement

Columns = Mapping[str, frozenset[str]]  # table: its columns

ADD_COLUMN = re.compile(
    rf"ADD (?!(?:CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b)(?:COLUMN )?(?:IF NOT EXISTS )?({NAME}) (.*)",
    re.IGNORECASE | re.DOTALL,
)
ADD_CONSTRAINT = re.compile(rf"ADD CONSTRAINT ({NAME})", re.IGNORECASE)
SET_NOT_NULL = re.compile(rf"ALTER (?:COLUMN )?({NAME}) SET NOT NULL", re.IGNORECASE)


class Violation(NamedTuple):
    """A rule, and the statement that violates it; None when it is the file as a whole."""

    rule: str
    statement: Statement | None
    subject: str  # the table, column or index


@dataclass(frozen=True)
class Revision:
    script: Script
    rendered: Rendered
    later: list[Statement]  # the statements of the revisions after this one
    mapped: Columns  # what the models of this code map

    @property
    def statements(self) -> list[Statement]:
        return self.rendered.statements

    @property
    def phase(self) -> Any:
        return getattr(self.script.module, "phase", None)

    @cached_property
    def created(self) -> frozenset[str]:
        """Tables that this revision creates, so that nobody uses them yet.

        Not a table whose name was in use before: one that the revision dropped or renamed first.
        """
        there: set[str] = set()
        new: set[str] = set()
        for statement in self.statements:
            there |= set(grammar.dropped_tables(statement.normalized))
            there |= {
                table
                for table, action in grammar.alterations(statement.normalized)
                if action.upper().startswith("RENAME TO")
            }
            new |= {table for table in [grammar.created_table(statement.normalized)] if table and table not in there}
        return frozenset(new)


def alterations(revision: Revision) -> Iterator[tuple[Statement, grammar.Alteration]]:
    """The ALTER TABLE actions on tables that existed before the revision."""
    for statement in revision.statements:
        for alteration in grammar.alterations(statement.normalized):
            if alteration.table not in revision.created:
                yield statement, alteration
