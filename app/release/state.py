"""Where the database's schema stands, seen from this code."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.extensions import db

MIGRATIONS = Path(__file__).parents[2] / "migrations"

_DATABASE_REVISION = text("SELECT version_num FROM alembic_version")


class SchemaState(NamedTuple):
    name: str  # at_head, behind, or ahead: the database is at a revision that this code does not know
    code_head: str
    database_revision: str | None


def schema_state() -> SchemaState:
    """Raises: OperationalError when the database does not answer."""
    revision = _database_revision()
    head, known = _code_revisions()
    if revision == head:
        return SchemaState("at_head", head, revision)
    return SchemaState("behind" if revision is None or revision in known else "ahead", head, revision)


def _database_revision() -> str | None:
    try:
        revision: str | None = db.session.scalar(_DATABASE_REVISION)
    except ProgrammingError:  # no such table: no migration has run
        db.session.rollback()
        return None
    return revision


@cache
def _code_revisions() -> tuple[str, frozenset[str]]:
    """The head and all revisions of the migrations in this slug, which do not change while it runs."""
    script = ScriptDirectory(str(MIGRATIONS))
    head = script.get_current_head()
    assert head is not None  # noqa: S101 - the migrations are part of the code
    return head, frozenset(revision.revision for revision in script.walk_revisions())
