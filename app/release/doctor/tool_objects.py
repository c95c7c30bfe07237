"""Objects of a tool that brings its own SQL, such as a job queue: functions, triggers, tables, types, indexes.

The project gives that SQL in its options. It is run in a schema of its own, in a transaction that is rolled back, and
what it makes there is compared with what is in the database.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, text

from app.release.connection import execute_verbatim, writable_transaction
from app.release.doctor.diagnosis import ERROR, Diagnosis

SCRATCH = "release_doctor"  # the schema; it is never committed

_OBJECTS = text(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


class ToolObject(NamedTuple):
    """
    Args:
        kind: table, column, function, ….
        label: its name, with the table that it is of, or the types of a function's arguments.
        needs: names of tables, types and functions without which it cannot be.
        definition: what is compared.
        sql: statements that make it as it should be.
    """

    kind: str
    label: str
    needs: list[str]
    definition: str
    sql: str

    @property
    def name(self) -> str:
        """The label without arguments."""
        return self.label.partition("(")[0]


def tool_objects(connection: Connection, sql: str) -> Iterator[Diagnosis]:
    """What is missing or changed.

    Args:
        sql: makes the objects in an empty schema.
    """
    expected = expected_objects(connection, sql)
    rows = connection.execute(_OBJECTS, {"labels": [one.label for one in expected]})
    there = {(row.kind, row.label): row.definition for row in rows}
    missing = {one.name for one in expected if (one.kind, one.label) not in there}
    for one in expected:
        found = there.get((one.kind, one.label))
        if found == one.definition or missing.intersection(one.needs):
            continue
        what = f"The {one.kind} {one.label} is {'missing' if found is None else 'not as the code expects it'}."
        command = f'flask release definition {shlex.quote(one.name)} | psql "$DATABASE_URL"'
        yield Diagnosis(ERROR, f"{'missing' if found is None else 'other'}-{one.kind}", what, command)


def expected_objects(connection: Connection, sql: str) -> list[ToolObject]:
    """What the SQL makes. Nothing of it stays."""
    with writable_transaction(connection):
        execute_verbatim(connection, f"CREATE SCHEMA {SCRATCH}; SET LOCAL search_path = {SCRATCH}")
        execute_verbatim(connection, sql)
        made = [ToolObject(*row) for row in connection.execute(_OBJECTS, {"labels": None})]
        connection.rollback()
    return made
