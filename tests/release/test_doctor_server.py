"""Doctor: what runs on the server, what a restore brings, and what a role may not see."""

from contextlib import ExitStack

import pytest
from sqlalchemy import text

from app.release.doctor import LIMITS
from tests.databases import Environment, empty_database
from tests.release.dumps import copy_database
from tests.release.migrating import LOCK_KEY, Database, connected
from tests.release.planted_faults import diagnosed, follow, is_superuser, url_of


def test_tables_that_are_not_frozen(in_use: Database) -> None:
    """One diagnosis for all of them. Transactions of other databases of the server count too."""
    autocommit = in_use.engine.execution_options(isolation_level="AUTOCOMMIT")
    spend = "DO $$ BEGIN FOR n IN 1..30000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$"
    limits = LIMITS._replace(frozen_age=25_000)
    with autocommit.connect() as connection:
        connection.execute(text(spend))
    [finding] = diagnosed(limits)
    assert (finding.rule, finding.severity) == ("wraparound", "error")
    follow(in_use, finding.next)
    assert diagnosed(limits) == []


def test_what_a_session_or_a_slot_holds_back(in_use: Database) -> None:
    """Each is found once it has lasted, and ended by its command."""
    if not int(in_use.scalar("SHOW max_prepared_transactions")):
        pytest.skip("the server has no two-phase commit")
    now = LIMITS._replace(long_transaction=0, idle_migrator=0, retained_wal=0)
    with ExitStack() as stack:
        holder, reader = (stack.enter_context(in_use.engine.connect()) for _ in range(2))
        holder.execute(text(f"SELECT pg_advisory_lock({LOCK_KEY})"))
        holder.commit()
        reader.execute(text("SELECT 1"))
        in_use.execute("SELECT pg_create_physical_replication_slot('left_over', true)")
        prepare(in_use)
        try:
            assert [finding.rule for finding in diagnosed()] == ["running-migrator"]
            findings = diagnosed(now)
            rules = ["orphaned-migrator", "long-transaction", "prepared-transaction", "inactive-replication-slot"]
            assert [finding.rule for finding in findings] == rules
        finally:
            for finding in diagnosed(now):
                follow(in_use, finding.next)
        for connection in (holder, reader):
            connection.invalidate()
    assert diagnosed(now) == []


def prepare(database: Database) -> None:
    connection = database.engine.raw_connection()
    connection.cursor().execute("DELETE FROM notices; PREPARE TRANSACTION 'left over'")
    connection.close()


def test_a_restored_dump_is_healthy(in_use: Database, server_environment: Environment) -> None:
    """A restored CHECK is printed with its casts in other places."""
    with empty_database(server_environment) as restored:
        copy_database({"DATABASE_URL": url_of(in_use)}, restored)
        with connected(restored):
            assert diagnosed() == []


def test_what_the_role_may_not_do_is_one_note(in_use: Database) -> None:
    if is_superuser(in_use):
        pytest.skip("a superuser may do everything")
    database = in_use.scalar("SELECT current_database()")
    in_use.execute(f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC, CURRENT_USER")
    in_use.execute("CREATE INDEX more ON notes (title)")
    difference, note = diagnosed()
    assert (difference.rule, note.rule, note.severity) == ("extra-index", "not-seen", "note")
    assert note.what.count("permission denied") == 2
