"""Compare databases by a fingerprint of all in catalog and tables that a migration can change.

It asks PostgreSQL for definitions and shares no code with online_migrations, so it can bear witness about it. It takes
a statement for the catalog and one for the rows, while `pg_dump` takes longer than most tests.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from tests.databases import Environment
from tools.dev import postgres

Fingerprint = frozenset[tuple[str, ...]]

_USERS = "nspname !~ '^pg_' AND nspname <> 'information_schema'"

CATALOG = Path(__file__).with_name("fingerprint.sql").read_text()
# Without files and numbers of columns, so that two databases can be compared.
DEFINITIONS = (
    CATALOG.replace("c.relfilenode,", "")
    .replace("a.attnum,", "row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),")
    .replace("a.attnum > 0", "a.attnum > 0 AND c.relkind <> 'i'")  # whose columns nobody can name
)
_TABLES = text(
    "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace"
    f" WHERE relkind IN ('r', 'm') AND {_USERS}"
)
# With xmin, the transaction that wrote the row, so that a row that was written as it was shows too.
_HASH = "coalesce(sum(hashtextextended(r.xmin::text || r::text, 0)), 0)"
_ROWS = f"SELECT 'rows', '{{0}}', count(*) || ' ' || {_HASH} FROM {{0}} r"

# The server's own note of when a column was changed, in Debian's PostgreSQL 15.20. It is another one in each database.
COLUMN_VERSION = re.compile(r"^ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(pg_attver=\d+\);\n+", re.MULTILINE)


def schema_dump(environment: Environment) -> str:
    """Return what `pg_dump -s` prints."""
    options = ["--restrict-key=test", "--schema-only", "--no-owner"]
    return COLUMN_VERSION.sub("", output_of([program("pg_dump"), *options, _url(environment)]))


def psql(environment: Environment, script: str) -> None:
    """Run a script as a person would, stopping at the first error."""
    output_of([program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", _url(environment)], input=script)


def _url(environment: Environment) -> str:
    """Return the URL as PostgreSQL's own programs read it."""
    return environment["DATABASE_URL"].replace("+psycopg2", "")


def program(name: str) -> str:
    """Return the path of one of PostgreSQL 18's programs, which also speak to older servers."""
    return str(postgres.programs() / name)


def output_of(command: list[str], **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def found(engine: Engine, query: str) -> Fingerprint:
    with engine.connect() as connection:
        return frozenset(tuple(row) for row in connection.exec_driver_sql(query))


def fingerprint(engine: Engine) -> Fingerprint:
    """Return a fingerprint. Two of them are equal when nothing was changed in between; what differs says what was."""
    with engine.connect() as connection:
        tables = connection.scalars(_TABLES).all()
    return found(engine, CATALOG) | found(engine, " UNION ALL ".join(map(_ROWS.format, tables)))
