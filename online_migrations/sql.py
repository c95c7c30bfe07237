"""Names, literals and statements of PostgreSQL's SQL: written by its dialect, and told apart in a text."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import conv

# psycopg2's own paramstyle would double each %.
DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]

# Alembic's offline mode, in the same dialect.
OFFLINE_OPTIONS: dict[str, Any] = {
    "url": "postgresql+psycopg2://",
    "literal_binds": True,
    "dialect_opts": {"paramstyle": "named"},
}

quote = DIALECT.identifier_preparer.quote  # a name as an SQL identifier, in double quotes where it needs them


def quoted_list(names: Iterable[str]) -> str:
    """Join names as SQL identifiers, with commas between them."""
    return ", ".join(map(quote, names))


def literal(value: str | None) -> str:
    """Quote a text as an SQL literal; None becomes NULL."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """Return the name of a constraint or index as SQLAlchemy sends it: by the naming convention, and cut to fit."""
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
    """Write a statement in one line, without comments, and with '' in place of every literal."""

    def replacement(token: re.Match[str]) -> str:
        return " " if token["comment"] else "''" if token["literal"] else token[0]

    return " ".join(_TOKEN.sub(replacement, sql).split()).removesuffix(";").strip()


def unqualified_name(name: str) -> str:
    """Return a name as the catalog stores it: without schema and quotes, in lower case unless it was quoted."""
    last = re.findall(NAME, name)[-1]
    return str(last[1:-1].replace('""', '"')) if last.startswith('"') else str(last.lower())


def split_at_commas(sql: str) -> list[str]:
    """Split at the commas outside of parentheses."""
    pieces, depth = [""], 0
    for character in sql:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces]


def read_sql(module: str, name: str) -> TextClause:
    """Return the query of a file that stands beside a module, whose `__file__` is given."""
    return text(Path(module).with_name(name).read_text(encoding="utf-8"))
