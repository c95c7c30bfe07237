"""Names, literals and statements of PostgreSQL's SQL: written by its dialect, and told apart in a text."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

from sqlalchemy import CheckConstraint, MetaData, Table, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.sql.elements import conv

from online_migrations.errors import UnsafeOperation

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


def alter(table: str, action: str) -> str:
    return f"ALTER TABLE {quote(table)} {action}"


def comment_on(table: str, column: str, comment: str | None) -> str:
    return f"COMMENT ON COLUMN {quote(table)}.{quote(column)} IS {literal(comment)}"


def sql_type(kind: Any) -> str:
    """Return the type as SQL, such as "VARCHAR(50)"."""
    return str(kind.compile(dialect=DIALECT))


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


def names_in(sql: str) -> set[str]:
    """Return every name in it, as the catalog stores them; key words too, which do no harm."""
    return {unqualified_name(name) for name in re.findall(NAME, normalize(sql))}


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


def read_texts(module: str, name: str, **texts: str) -> dict[str, str]:
    """Return the texts of such a file by their names, each with those before it, or the given ones, in its braces."""
    source = Path(module).with_name(name).read_text(encoding="utf-8")
    for key, sql in re.findall(r"^-- (\w+).*\n(?:-- .*\n)*((?:[^-\n].*\n)+)", source, re.MULTILINE):
        texts[key] = re.sub(r"\{(\w+)\}", lambda part: texts.get(part[1], part[0]), sql.rstrip("\n"))
    return texts


def read_queries(module: str, name: str) -> dict[str, TextClause]:
    return {key: text(sql) for key, sql in read_texts(module, name).items()}


MAX_BYTES = 63  # NAMEDATALEN - 1; two long names may be cut to the same one


def shorten_identifier(name: str) -> str:
    """Return the name, or, when it is too long, its beginning with a hash of the whole."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"


def spare_name(name: str) -> str:
    """Return the name of what is to take the place of `name`, until it does."""
    return shorten_identifier(f"{name}_new")


def require_short(name: str) -> None:
    """Refuse a name that PostgreSQL would cut, maybe to one that is taken; nobody would find it again."""
    length = len(name.encode())
    if length > MAX_BYTES:
        cut = f"has {length} bytes, and PostgreSQL cuts names at {MAX_BYTES}"
        raise UnsafeOperation(f"The name {name} {cut}; nothing was changed. Give it a shorter one.")


def shadow_of(name: str) -> str:
    """Return the name of a column's shadow, and of the twin of an index or constraint that stands on it."""
    return shorten_identifier(f"{name}_shadow")


# How PostgreSQL ends the name of a constraint that was given none, as in revisions of plain Flask-Migrate. A UNIQUE or
# a foreign key is compared by its columns, and needs a name only when a revision adds it; a CHECK is compared by its
# name. Source: makeObjectName() and ChooseIndexName() in src/backend/commands/indexcmds.c, and
# AddRelationNewConstraints() in src/backend/catalog/heap.c.
# There is a number behind it, for the second of a kind.
UNIQUE, FOREIGN_KEY, CHECK, PRIMARY_KEY, EXCLUDE = "key", "fkey", "check", "pkey", "excl"


def default_name(table: str, columns: Sequence[str], label: str) -> str:
    """Return TABLE_COLUMN_LABEL, with all columns of a key; when it is too long, the longer part is cut first."""
    first, second = table.encode(), "_".join(columns).encode()
    room = MAX_BYTES - len(label) - (2 if second else 1)
    while len(first) + len(second) > room:
        first, second = (first[:-1], second) if len(first) > len(second) else (first, second[:-1])
    parts = (part.decode(errors="ignore") for part in (first, second) if part)  # no half of a character
    return "_".join([*parts, label])


def name_checks(metadata: MetaData) -> None:
    """Name the CHECKs and EXCLUDEs that neither the models nor a naming convention name. Others keep their name."""
    convention = [rule for of, rule in metadata.naming_convention.items() if of in ("ck", CheckConstraint)]
    # One that only adds to a name fails without it, as for an Enum(…, create_constraint=True) that has none.
    is_named_by_convention = any("%(constraint_name)s" not in str(rule) for rule in convention)
    for table in metadata.tables.values():
        # In the order in which CREATE TABLE writes them: those within columns come first.
        within = list(chain.from_iterable(column.constraints for column in table.columns))
        beside = sorted(table.constraints, key=lambda constraint: constraint._creation_order)
        checks = [check for check in chain(within, beside) if isinstance(check, CheckConstraint)]
        taken = {check.name for check in checks if isinstance(check.name, str)}
        for check in checks:
            if not isinstance(check.name, str) and not is_named_by_convention:
                check.name = conv(_free_name(table, check, taken))
                taken.add(check.name)
        for rule in beside:
            if isinstance(rule, ExcludeConstraint) and rule.name is None:
                rule.name = conv(default_name(table.name, [column.name for column in rule.columns], EXCLUDE))
        for column in table.columns:  # those within one move beside it, where alone Alembic looks for them
            for check in [one for one in column.constraints if isinstance(one, CheckConstraint)]:
                column.constraints.remove(check)
                table.append_constraint(check)


def condition_sql(condition: Any) -> str:
    """Return the condition of a CHECK as SQL, with the values of an enum in it."""
    literal = {"literal_binds": True, "include_table": False}
    return str(condition.compile(dialect=DIALECT, compile_kwargs=literal))


def _free_name(table: Table, check: CheckConstraint, taken: set[str]) -> str:
    """Return a name with the column in it when the condition names one alone. A function of the name counts as one."""
    named = names_in(condition_sql(check.sqltext))
    columns = [column.name for column in table.columns if column.name in named]
    about = columns if len(columns) == 1 else []
    names = (default_name(table.name, about, f"{CHECK}{number or ''}") for number in count())
    return next(name for name in names if name not in taken)
