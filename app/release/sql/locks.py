"""Which lock a statement takes, and on which table.

Source: PostgreSQL's manual, "Explicit Locking" and the page of each command. The tests run each pattern and ask
pg_locks, except for what cannot run in a transaction. What no pattern knows counts as the heaviest lock.
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

# The first three let requests read and write, and so does SHARE UPDATE EXCLUSIVE; the next three only read; the last
# one nothing.
MODES = (
    *(ACCESS_SHARE, ROW_SHARE, ROW_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE),
    *(SHARE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE, ACCESS_EXCLUSIVE),
)


class Lock(NamedTuple):
    mode: str
    relation: str | None  # as the statement writes it; an index stands for its table. None: nobody knows which one


class Pattern(NamedTuple):
    text: str  # matched at the start; its groups are relations, or lists of them
    mode: str | None  # None: no lock on a relation


# What an ALTER TABLE does; the strictest action counts for the whole statement.
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
    # SHARE on the table, but ACCESS EXCLUSIVE on its indexes, each of which every query of the table opens.
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

_LOCK_TABLE = re.compile(rf"LOCK (?:TABLE )?(?:ONLY )?({TABLE})(?: IN ([A-Z ]+) MODE)?", re.IGNORECASE)
_ALTER_TABLE = re.compile(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?({TABLE})", re.IGNORECASE)
_REFERENCES = re.compile(rf"\bREFERENCES ({TABLE})", re.IGNORECASE)


def locks(statement: str) -> list[Lock]:
    """What a bare statement locks.

    Not told from the text: what a foreign key's own table or constraint takes along when it is dropped, and what a
    trigger or a function does.
    """
    if match := _ALTER_TABLE.match(statement):
        modes = (_first(ACTIONS, action).mode for _, action in grammar.alterations(statement))
        strictest = max((mode for mode in modes if mode), key=MODES.index, default=ACCESS_EXCLUSIVE)
        return [Lock(strictest, match[1]), *_referenced(statement, match[1])]
    if match := _LOCK_TABLE.match(statement):
        return [Lock((match[2] or ACCESS_EXCLUSIVE).upper(), match[1])]
    if table := grammar.created_table(statement):
        return list(_referenced(statement, table))
    pattern = _first(STATEMENTS, statement)
    match = re.match(pattern.text, statement, re.IGNORECASE)
    names = [name for group in (match.groups() if match else ()) for name in grammar.split_at_commas(group)]
    if pattern.mode is None:
        return []
    return [Lock(pattern.mode, name) for name in names] or [Lock(pattern.mode, None)]


def _first(patterns: tuple[Pattern, ...], text: str) -> Pattern:
    matching = (pattern for pattern in patterns if re.match(pattern.text, text, re.IGNORECASE))
    return next(matching, Pattern("", ACCESS_EXCLUSIVE))


def _referenced(statement: str, table: str) -> Iterator[Lock]:
    """A foreign key puts its triggers on the table that it refers to as well."""
    for name in dict.fromkeys(_REFERENCES.findall(statement)):
        if grammar.plain(name) != grammar.plain(table):
            yield Lock(SHARE_ROW_EXCLUSIVE, name)
