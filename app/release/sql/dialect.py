"""SQLAlchemy's PostgreSQL dialect, for SQL that we write or print ourselves."""

from sqlalchemy.dialects import postgresql

# psycopg2's own paramstyle would double each %.
DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]

quote = DIALECT.identifier_preparer.quote  # a name as an SQL identifier, in double quotes where it needs them
