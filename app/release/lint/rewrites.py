"""Whether a step writes or reads each row of a table under the heaviest lock."""

import re
from collections.abc import Iterator

from app.release.lint.rules import ADD_COLUMN, Broken, Revision, alterations
from app.release.sql import grammar
from app.release.sql.grammar import TABLE

_REWRITING_COLUMN = re.compile(
    r"\b(?:GENERATED (?:ALWAYS|BY DEFAULT) AS (?:IDENTITY|\(.*\) STORED)|(?:BIG|SMALL)?SERIAL\d?)\b", re.IGNORECASE
)
_DEFAULT = re.compile(r"\bDEFAULT (.*)", re.IGNORECASE)
_CALL = re.compile(r"\b(\w+) ?\(")
_REWRITING_TABLE = re.compile(r"SET (?:UNLOGGED|LOGGED|TABLESPACE|ACCESS METHOD)\b", re.IGNORECASE)
_REWRITING = re.compile(rf"(?:VACUUM (?:FULL|\(.*FULL.*\))|CLUSTER) ({TABLE})", re.IGNORECASE)
# Those that give one value for the whole statement, and types with a length, which look like calls.
_ONE_VALUE = {
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "timezone",
    "lower",
    "upper",
    "md5",
    "to_timestamp",
}
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


def rewrites_a_table(revision: Revision) -> Iterator[Broken]:
    """A default that differs from row to row has to be written into each row, under the heaviest lock.

    So has a CHECK that comes with a column to be read against each row.
    """
    for statement, (table, action) in alterations(revision):
        column = ADD_COLUMN.match(action)
        if column and (_REWRITING_COLUMN.search(column[2]) or _is_volatile(column[2])):
            yield Broken("table-rewrite", statement, f"{table}.{grammar.plain(column[1])}")
        elif column and re.search(r"\bCHECK ?\(", column[2], re.IGNORECASE):
            yield Broken("constraint-missing-not-valid", statement, f"{table}.{grammar.plain(column[1])}")
        elif _REWRITING_TABLE.match(action):
            yield Broken("table-rewrite", statement, table)
    for statement in revision.statements:
        if match := _REWRITING.match(statement.bare):
            yield Broken("table-rewrite", statement, grammar.plain(match[1]))


def _is_volatile(definition: str) -> bool:
    default = _DEFAULT.search(definition)
    calls = {name.lower() for name in _CALL.findall(default[1].split(" CHECK ")[0])} if default else set()
    return bool(calls - _ONE_VALUE - _TYPES)
