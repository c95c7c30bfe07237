"""`flask db upgrade` with nothing to do: run at every release, every rollback and every change of a setting."""

import re
from collections.abc import Callable

from tests.release.checkout import Checkout
from tests.release.sessions import Sessions

CHANGES = re.compile(
    r"^(CREATE|ALTER|DROP|TRUNCATE|COMMENT|LOCK|INSERT|UPDATE|DELETE|MERGE|GRANT|REINDEX|VACUUM)\b", re.I
)
TOOLS = ("alembic_version", "schema_ledger")


def application_tables(sessions: Sessions) -> list[str]:
    tables = sessions.column("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
    return [table for table in tables if table not in TOOLS]


def test_it_changes_nothing_and_needs_no_lock_on_a_table_of_the_application(
    checkout_of: Callable[[str], Checkout], sessions: Sessions
) -> None:
    checkout = checkout_of("checkout")
    log = checkout.folder / "statements"
    assert checkout.flask("db", "upgrade").returncode == 0
    before = sessions.contents()
    tables = application_tables(sessions)
    assert {"users", "notes"} <= set(tables)
    with sessions.holding(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"):
        ended = checkout.flask_wrapped({"log": str(log)}, "db", "upgrade", "-x", "deadline=10")
    assert ended.returncode == 0, ended.stderr
    assert "blocked" not in ended.stdout
    statements = log.read_text().splitlines()
    assert [statement for statement in statements if CHANGES.match(statement)] == []
    assert any("pg_try_advisory_lock" in statement for statement in statements)
    assert sessions.contents() == before


def test_a_change_would_be_seen_by_this_test(blank: Checkout, sessions: Sessions) -> None:
    blank.write_revision("0001", "op.execute('CREATE TABLE numbers (n int)')")
    log = blank.folder / "statements"
    assert blank.flask_wrapped({"log": str(log)}, "db", "upgrade").returncode == 0
    changes = [line for line in log.read_text().splitlines() if CHANGES.match(line)]
    assert "CREATE TABLE numbers (n int)" in changes
    assert any(line.startswith("INSERT INTO alembic_version") for line in changes)
