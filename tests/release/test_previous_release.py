"""Find by the stand-in for the previous release what is not an expand step; test_each_step.py tries each step on it."""

import pytest
from alembic import op
from sqlalchemy.exc import DBAPIError

from app.release.operations import rename_with_view, retire_column_online
from tests.release.migrating import Database
from tests.release.release_before import ReleaseBefore

# What was called an expand step and is none: the statements that it runs, and how the previous release notices.
BREAKING = {
    "a required column without a default": (
        "ALTER TABLE notes ADD colour text NOT NULL DEFAULT ''; ALTER TABLE notes ALTER colour DROP DEFAULT",
        'null value in column "colour"',
    ),
    "rows that say something else": ("UPDATE notes SET title = upper(title)", "notes reads otherwise"),
    "a new table that holds the rows of the old one": (
        "CREATE TABLE pictures (note_id bigint REFERENCES notes (id)); INSERT INTO pictures SELECT id FROM notes",
        "violates foreign key constraint",
    ),
}


@pytest.mark.parametrize(("statements", "reason"), BREAKING.values(), ids=BREAKING.keys())
def test_a_step_that_breaks_the_previous_release_is_found(in_use: Database, statements: str, reason: str) -> None:
    release = ReleaseBefore(in_use.engine)
    in_use.migrate(lambda: op.execute(statements))
    with pytest.raises((DBAPIError, AssertionError), match=reason):
        release.assert_works(in_use.engine)


def test_a_step_that_the_previous_release_does_not_notice_is_left_alone(in_use: Database) -> None:
    release = ReleaseBefore(in_use.engine)
    in_use.migrate(lambda: rename_with_view("notes", "texts"))
    in_use.migrate(lambda: retire_column_online("todos", "description"))
    release.assert_works(in_use.engine)
