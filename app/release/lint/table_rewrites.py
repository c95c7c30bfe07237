"""Lint rule of table rewrites: statements that write or read every row under ACCESS EXCLUSIVE."""

import re
from collections.abc import Iterator

from app.release.lint.revision import ADD_COLUMN, Revision, Violation, alterations
from app.release.sql import grammar
from app.release.sql.grammar import TABLE

_REWRITING_COLUMN = re.compile(
    r"\b(?:GENERATED (?:ALWAYS|BY DEFAULT) AS (?:IDENTITY|\(.*\) STORED)|(?:BIG|SMALL)?SERIAL\d?)\b", re.IGNORECASE
)
_DEFAULT = re.compile(r"\bDEFAULT (.*)", re.IGNORECASE)
_CALL = re.compile(r"\b(\w+) ?\(")
_REWRITING_TABLE = re.compile(r"SET (?:UNLOGGED|LOGGED|TABLESPACE|ACCESS METHOD)\b", re.IGNORECASE)
_REWRITING = re.compile(rf"(?:VACUUM (?:FULL|\(.*FULL.*\))|CLUSTER) ({TABLE})", re.IGNORECASE)
# Functions that are not volatile: one value for the whole statement.
_NOT_VOLATILE = {
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "timezone",
    "lower",
    "upper",
    "md5",
    "to_timestamp",
}
# Types with a length look like function calls.
_TYPES = {
    "varchar",
    "char",
    "varying",
    "character",
    "numeric",
    "decimal",
    "timestamp",
    "time",
    "interval",
    "bit",
    "float",
}


def table_rewrite(revision: Revision) -> Iterator[Violation]:
    """ADD COLUMN with a volatile default, SET TABLESPACE and the like, VACUUM FULL, CLUSTER.

    Also ADD COLUMN with a CHECK, which is checked against every row.
    """
    for statement, (table, action) in alterations(revision):
        column = ADD_COLUMN.match(action)
        if column and (_REWRITING_COLUMN.search(column[2]) or _is_volatile(column[2])):
            yield Violation("table-rewrite", statement, f"{table}.{grammar.unqualified_name(column[1])}")
        elif column and re.search(r"\bCHECK ?\(", column[2], re.IGNORECASE):
            yield Violation("constraint-missing-not-valid", statement, f"{table}.{grammar.unqualified_name(column[1])}")
        elif _REWRITING_TABLE.match(action):
            yield Violation("table-rewrite", statement, table)
    for statement in revision.statements:
        if match := _REWRITING.match(statement.normalized):
            yield Violation("table-rewrite", statement, grammar.unqualified_name(match[1]))


def _is_volatile(definition: str) -> bool:
    default = _DEFAULT.search(definition)
    calls = {name.lower() for name in _CALL.findall(default[1].split(" CHECK ")[0])} if default else set()
    return bool(calls - _NOT_VOLATILE - _TYPES)
