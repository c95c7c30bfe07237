"""PostgreSQL's own programs, against the schema of one test."""

import os
import subprocess
from typing import Any

from sqlalchemy import make_url

from app.dev import postgres
from tests.conftest import Environment


def schema_of(environment: Environment) -> str:
    return plain_url(environment)[1].removeprefix("-csearch_path=")


def schema_dump(environment: Environment) -> str:
    """`pg_dump -s`, with the schema's own name made the same for all."""
    schema = schema_of(environment)
    arguments = ["--schema-only", "--no-owner", "--restrict-key=test", f"--schema={schema}"]
    return output_of([program("pg_dump"), *arguments, plain_url(environment)[0]]).replace(schema, "the_schema")


def rows_dump(environment: Environment) -> str:
    """Every row of every table but the ledger, whose times differ."""
    schema = schema_of(environment)
    arguments = ["--data-only", "--inserts", "--restrict-key=test", f"--schema={schema}"]
    without = f"--exclude-table={schema}.schema_ledger"
    dumped = output_of([program("pg_dump"), *arguments, without, plain_url(environment)[0]])
    return "\n".join(sorted(dumped.replace(schema, "the_schema").splitlines()))


def psql(environment: Environment, script: str) -> None:
    """Run a script as a person would, stopping at the first error."""
    url, options = plain_url(environment)
    command = [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url]
    output_of(command, input=script, env={**os.environ, "PGOPTIONS": options})


def plain_url(environment: Environment) -> tuple[str, str]:
    """The URL as PostgreSQL's own programs read it, and the options that name the schema."""
    url = make_url(environment["DATABASE_URL"])
    plain = url.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    return plain, str(url.query["options"])


def program(name: str) -> str:
    """One of PostgreSQL 18's programs, which also speak to older servers."""
    return str(postgres.programs() / name)


def output_of(command: list[str], **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)
