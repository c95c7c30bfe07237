"""A small SQL parser: enough of PostgreSQL's grammar to tell what a migration's statement does, and to which table.

SQLAlchemy's PostgreSQL dialect, for SQL that we write or print ourselves.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import conv

# psycopg2's own paramstyle would double each %.
DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]

quote = DIALECT.identifier_preparer.quote  # a name as an SQL identifier, in double quotes where it needs them


def quoted_list(names: Iterable[str]) -> str:
    """Names as SQL identifiers, with commas between them."""
    return ", ".join(map(quote, names))


def literal(text: str | None) -> str:
    """A text as an SQL literal; None: NULL."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """The name of a constraint or index as SQLAlchemy sends it: cut if it is too long, and of the naming convention."""
    if not isinstance(name, conv):
        return str(name)
    return str(DIALECT.identifier_preparer.truncate_and_render_constraint_name(name, _alembic_quote=False))


_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<literal>\b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | \$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$)
      | (?P<identifier>"(?:[^"]|"")*")
      | (?P<end>;)""",
    re.VERBOSE | re.DOTALL,
)

NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
TABLE = rf"(?:{NAME}\.)?{NAME}"
_ALTER_TABLE = re.compile(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?({TABLE})(?: ?\*)? (.*)", re.IGNORECASE | re.DOTALL)
_CREATE_TABLE = re.compile(
    rf"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?({TABLE})(?: AS |\s?\()", re.IGNORECASE | re.DOTALL
)


class Alteration(NamedTuple):
    """One action of an ALTER TABLE, which may have several."""

    table: str
    action: str


def split_statements(sql: str) -> list[str]:
    """Split a script into statements, with their comments and without the semicolons."""
    starts, ends = [0], []
    for token in _TOKEN.finditer(sql):
        if token["end"]:
            ends.append(token.start())
            starts.append(token.end())
    pieces = [sql[start:end].strip() for start, end in zip(starts, [*ends, len(sql)], strict=True)]
    return [piece for piece in pieces if piece]


def normalize(sql: str) -> str:
    """Normalize a statement: one line, no comments, and '' in place of every literal. Names and keywords are left."""

    def replacement(token: re.Match[str]) -> str:
        return " " if token["comment"] else "''" if token["literal"] else token[0]

    return " ".join(_TOKEN.sub(replacement, sql).split()).removesuffix(";").strip()


def unqualified_name(name: str) -> str:
    """A name as the catalog stores it: without schema and quotes, and in lower case unless it was quoted."""
    last = re.findall(NAME, name)[-1]
    return str(last[1:-1].replace('""', '"')) if last.startswith('"') else str(last.lower())


def alterations(statement: str) -> Iterator[Alteration]:
    """The actions of a normalized ALTER TABLE; nothing for any other statement."""
    if match := _ALTER_TABLE.match(statement):
        for action in split_at_commas(match[2]):
            yield Alteration(unqualified_name(match[1]), action)


def created_table(statement: str) -> str | None:
    """The table that a normalized CREATE TABLE creates; None for any other statement."""
    match = _CREATE_TABLE.match(statement)
    return unqualified_name(match[1]) if match else None


def split_at_commas(text: str) -> list[str]:
    """Split at the commas outside of parentheses."""
    pieces, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces]
