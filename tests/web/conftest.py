"""What the tests of the shared parts ask."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import event

from app.extensions import db

SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")  # the test's own isolation


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """The statements that are sent to the database from now on, without those of the test's own isolation."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(SAVEPOINTS):
            seen.append(statement)

    connection = db.session.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)
