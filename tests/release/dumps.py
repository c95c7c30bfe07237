"""PostgreSQL's own programs, on the database of one test."""

import re
import subprocess
from typing import Any

from app.dev import postgres
from tests.databases import Environment

# The server's own note of when a column was changed, in Debian's PostgreSQL 15.20. It is another one in each database.
COLUMN_VERSION = re.compile(r"^ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(pg_attver=\d+\);\n+", re.MULTILINE)


def schema_dump(environment: Environment) -> str:
    """Return what `pg_dump -s` prints."""
    return COLUMN_VERSION.sub("", _pg_dump(environment, "--schema-only", "--no-owner"))


def psql(environment: Environment, script: str) -> None:
    """Run a script as a person would, stopping at the first error."""
    output_of([program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", _url(environment)], input=script)


def copy_database(environment: Environment, other: Environment) -> None:
    """Dump a database and restore it into an empty one, as a backup is."""
    dumped = _pg_dump(environment, "--no-owner")
    psql(
        other, dumped.replace("SET transaction_timeout = 0;", "")
    )  # of pg_dump 18, which PostgreSQL 15 has not heard of


def _pg_dump(environment: Environment, *arguments: str) -> str:
    return output_of([program("pg_dump"), "--restrict-key=test", *arguments, _url(environment)])


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
