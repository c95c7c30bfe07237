"""SQLAlchemy's PostgreSQL dialect, for SQL that we write or print ourselves."""

from collections.abc import Iterable

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
