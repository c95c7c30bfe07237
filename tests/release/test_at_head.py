"""A release without a change of the schema: every push, every changed variable, runs `flask db upgrade` too."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.release.ledger import TOOL_TABLES
from tests.databases import Environment
from tests.release.checkout import Checkout
from tests.release.migrating import Database

# The `flask` command, printing each statement that it sends.
LISTENER = """\
from flask.cli import main
from sqlalchemy import Engine, event

@event.listens_for(Engine, "before_cursor_execute")
def print_it(connection, cursor, statement, *_):
    print("SENT", " ".join(statement.split()), flush=True)

main()
"""

CHANGES = re.compile(r"\b(CREATE|ALTER|DROP|COMMENT|LOCK|TRUNCATE|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)

TABLES = (
    "SELECT string_agg(quote_ident(relname), ', ') FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    f" AND relname NOT IN ('alembic_version', {', '.join(map(repr, TOOL_TABLES))})"
)


@pytest.fixture
def checkout(tmp_path: Path, environment: Environment) -> Checkout:
    checkout = Checkout(tmp_path / "checkout", environment)
    (checkout.folder / "listening.py").write_text(LISTENER)
    return checkout


def upgrade(checkout: Checkout, *arguments: str) -> list[str]:
    """What `flask db upgrade` sends."""
    done = subprocess.run(
        [sys.executable, "listening.py", "db", "upgrade", *arguments],
        cwd=checkout.folder,
        env=checkout.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.removeprefix("SENT ") for line in done.stdout.splitlines() if line.startswith("SENT ")]


@pytest.mark.servers
@pytest.mark.smoke
def test_at_the_head_it_changes_nothing_and_needs_no_table_of_the_application(
    checkout: Checkout, database: Database
) -> None:
    first = upgrade(checkout)
    assert any(statement.startswith("CREATE TABLE users") for statement in first)
    tables = database.scalar(TABLES)
    assert "users" in tables
    with database.holding(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"):
        again = upgrade(checkout, "-x", "deadline=5")
    assert again
    assert [statement for statement in again if CHANGES.search(statement)] == []
