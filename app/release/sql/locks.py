"""Lock modes: which lock a statement takes, on which table.

Source: PostgreSQL manual, "Explicit Locking" and the page of each command. The tests run each pattern and read
pg_locks, except for statements that cannot run in a transaction. An unknown statement counts as ACCESS EXCLUSIVE.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from app.release.sql import grammar
from app.release.sql.grammar import NAME, TABLE

ACCESS_SHARE = "ACCESS SHARE"
ROW_SHARE = "ROW SHARE"
ROW_EXCLUSIVE = "ROW EXCLUSIVE"
SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
SHARE = "SHARE"
SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
EXCLUSIVE = "EXCLUSIVE"
ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

# From weak to strong. Under the first four, requests can read and write; under the next three, only read; under ACCESS
# EXCLUSIVE, neither.
MODES = (
    *(ACCESS_SHARE, ROW_SHARE, ROW_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE),
    *(SHARE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE, ACCESS_EXCLUSIVE),
)


class Lock(NamedTuple):
    mode: str
    relation: str | None  # as the statement writes it; an index stands for its table. None: the text does not say


class Pattern(NamedTuple):
    text: str  # a regular expression, matched at the start; its groups are relations, or lists of them
    mode: str | None  # None: no lock on a relation


# Actions of ALTER TABLE. The statement takes the strongest lock of its actions.
ACTIONS = (
    Pattern(r"VALIDATE CONSTRAINT", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"ADD (?:CONSTRAINT {NAME} )?FOREIGN KEY", SHARE_ROW_EXCLUSIVE),
    Pattern(r"(?:RE)?SET ?\(", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"ALTER (?:COLUMN )?{NAME} (?:SET STATISTICS|(?:RE)?SET ?\()", SHARE_UPDATE_EXCLUSIVE),
    Pattern(r"CLUSTER ON|SET WITHOUT CLUSTER", SHARE_UPDATE_EXCLUSIVE),
    Pattern(r"(?:EN|DIS)ABLE TRIGGER", SHARE_ROW_EXCLUSIVE),
    Pattern(r"", ACCESS_EXCLUSIVE),
)

STATEMENTS = (
    Pattern(rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY .*?\bON (?:ONLY )?({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"CREATE (?:UNIQUE )?INDEX .*?\bON (?:ONLY )?({TABLE})", SHARE),
    Pattern(rf"DROP INDEX CONCURRENTLY (?:IF EXISTS )?({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"DROP INDEX (?:IF EXISTS )?({TABLE}(?: ?, ?{TABLE})*)", ACCESS_EXCLUSIVE),
    Pattern(rf"REINDEX (?:TABLE|INDEX) CONCURRENTLY ({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    # SHARE on the table, but ACCESS EXCLUSIVE on its indexes, and every query on the table opens all of them.
    Pattern(rf"REINDEX (?:TABLE|INDEX) ({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"DROP (?:TABLE|(?:MATERIALIZED )?VIEW) (?:IF EXISTS )?({TABLE}(?: ?, ?{TABLE})*)", ACCESS_EXCLUSIVE),
    Pattern(rf"CREATE OR REPLACE VIEW ({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"ALTER (?:MATERIALIZED )?VIEW (?:IF EXISTS )?({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .*? ON ({TABLE})", SHARE_ROW_EXCLUSIVE),
    Pattern(rf"DROP TRIGGER .*? ON ({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"ALTER INDEX (?:IF EXISTS )?({TABLE}) RENAME", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"CREATE STATISTICS .*? FROM ({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"COMMENT ON TABLE ({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"COMMENT ON COLUMN ({TABLE})\.{NAME} IS", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"(?:VACUUM (?:FULL|\(.*FULL.*\)) ?|CLUSTER )({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"(?:VACUUM|ANALYZE) (?:\(.*\) ?|ANALYZE |VERBOSE )*({TABLE})", SHARE_UPDATE_EXCLUSIVE),
    Pattern(rf"REFRESH MATERIALIZED VIEW CONCURRENTLY ({TABLE})", EXCLUSIVE),
    Pattern(rf"REFRESH MATERIALIZED VIEW ({TABLE})", ACCESS_EXCLUSIVE),
    Pattern(rf"TRUNCATE (?:TABLE )?(?:ONLY )?({TABLE}(?: ?, ?{TABLE})*)", ACCESS_EXCLUSIVE),
    Pattern(rf"(?:WITH .*?\) )?(?:UPDATE|DELETE FROM|INSERT INTO|MERGE INTO) (?:ONLY )?({TABLE})", ROW_EXCLUSIVE),
    Pattern(rf"SELECT .*?\bFROM ({TABLE}).*\bFOR (?:UPDATE|NO KEY UPDATE|SHARE|KEY SHARE)\b", ROW_SHARE),
    Pattern(rf"(?:SELECT|CREATE VIEW) .*?\bFROM ({TABLE})", ACCESS_SHARE),
    Pattern(r"(?:CREATE|ALTER|DROP) (?:OR REPLACE )?(?:TYPE|DOMAIN|FUNCTION|PROCEDURE|SCHEMA|EXTENSION|ROLE)\b", None),
    Pattern(r"CREATE SEQUENCE\b|(?:SET|RESET|SHOW|GRANT|REVOKE|SELECT|NOTIFY)\b", None),
)

_LOCKED = rf"(?:ONLY )?{TABLE}(?: ?\*)?"
_LOCK_TABLE = re.compile(rf"LOCK (?:TABLE )?({_LOCKED}(?:, ?{_LOCKED})*)(?: IN ([A-Z ]+) MODE)?", re.IGNORECASE)
_ALTER_TABLE = re.compile(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?({TABLE})", re.IGNORECASE)
_REFERENCES = re.compile(rf"\bREFERENCES ({TABLE})", re.IGNORECASE)


def locks(statement: str) -> list[Lock]:
    """The locks that a normalized statement takes.

    Not seen in the text: tables that a dropped foreign key refers to, and what triggers and functions do.
    """
    if match := _ALTER_TABLE.match(statement):
        modes = (_first_match(ACTIONS, action).mode for _, action in grammar.alterations(statement))
        strongest = max((mode for mode in modes if mode), key=MODES.index, default=ACCESS_EXCLUSIVE)
        return [Lock(strongest, match[1]), *_referenced_tables(statement, match[1])]
    if match := _LOCK_TABLE.match(statement):
        names = re.findall(rf"(?:ONLY )?({TABLE})", match[1], re.IGNORECASE)
        return [Lock((match[2] or ACCESS_EXCLUSIVE).upper(), name) for name in names]
    if table := grammar.created_table(statement):
        return list(_referenced_tables(statement, table))
    pattern = _first_match(STATEMENTS, statement)
    match = re.match(pattern.text, statement, re.IGNORECASE)
    names = [name for group in (match.groups() if match else ()) for name in grammar.split_at_commas(group)]
    if pattern.mode is None:
        return []
    return [Lock(pattern.mode, name) for name in names] or [Lock(pattern.mode, None)]


def _first_match(patterns: tuple[Pattern, ...], text: str) -> Pattern:
    matching = (pattern for pattern in patterns if re.match(pattern.text, text, re.IGNORECASE))
    return next(matching, Pattern("", ACCESS_EXCLUSIVE))


def _referenced_tables(statement: str, table: str) -> Iterator[Lock]:
    """A foreign key creates triggers on the table that it refers to, which locks that table too."""
    for name in dict.fromkeys(_REFERENCES.findall(statement)):
        if grammar.unqualified_name(name) != grammar.unqualified_name(table):
            yield Lock(SHARE_ROW_EXCLUSIVE, name)
