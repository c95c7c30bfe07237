"""Faults that are planted are found, each with its next command; on a healthy database there is nothing to say."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import CheckConstraint, Connection, MetaData, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import conv

from app.extensions import Base
from app.release.connection import read_only_connection
from app.release.doctor import LIMITS, diagnose
from app.release.doctor.diagnosis import Diagnosis
from tests.databases import HEAD, Environment
from tests.release.migrating import LOCK_KEY, Database


@pytest.fixture
def environment(migrated_environment: Environment) -> Environment:
    return migrated_environment


@pytest.fixture
def healthy(database: Database) -> Database:
    database.execute(
        "INSERT INTO users (email, nickname, nickname_key, password_hash)"
        " SELECT n || '@example.com', n, n, 'the same' FROM generate_series(1, 3) n"
    )
    return database


def found(metadata: MetaData = Base.metadata, **limits: int) -> list[Diagnosis]:
    with read_only_connection() as connection:
        return diagnose(connection, metadata, LIMITS._replace(**limits))


def models(*conditions: str) -> MetaData:
    """Ours, with CHECK constraints on notes, named c0, c1, …."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(metadata)._prefixes = table._prefixes
    for number, condition in enumerate(conditions):
        metadata.tables["notes"].append_constraint(CheckConstraint(condition, name=conv(f"c{number}")))
    return metadata


def test_on_a_healthy_database_it_finds_nothing(healthy: Database) -> None:
    assert found() == []


def build_a_unique_index_that_fails(database: Database) -> None:
    autocommit = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(text("CREATE UNIQUE INDEX CONCURRENTLY half ON users (password_hash)"))


def test_it_finds_what_a_failed_build_and_a_failed_reindex_left(healthy: Database) -> None:
    build_a_unique_index_that_fails(healthy)
    healthy.execute("ALTER INDEX half RENAME TO uq_users_email_ccnew1")
    build_a_unique_index_that_fails(healthy)
    half, copy = found()
    assert (half.rule, half.severity, copy.rule, copy.severity) == ("invalid-index", "error") * 2
    assert "DROP INDEX CONCURRENTLY half" in half.next
    assert "DROP INDEX CONCURRENTLY uq_users_email_ccnew1" in copy.next


def ahead_by(phase: str) -> str:
    return (
        f"INSERT INTO schema_ledger VALUES ('9999', '{{{HEAD}}}', '{phase}', now());"
        " UPDATE alembic_version SET version_num = '9999'"
    )


STATES = {
    "an unknown revision": (
        "UPDATE alembic_version SET version_num = 'fade'",
        "unknown-revision",
        "git log --all -S fade",
    ),
    "a database that is behind": (
        "DELETE FROM schema_ledger WHERE revision > '0001'; UPDATE alembic_version SET version_num = '0001'",
        "behind",
        "flask db upgrade",
    ),
    "a database without a migration": ("DROP TABLE alembic_version, schema_ledger", "behind", "flask db upgrade"),
    "a database that is ahead": (ahead_by("expand"), "ahead", "git pull"),
    "a database that is too far ahead": (ahead_by("contract"), "ahead-contract", "git pull"),
}


@pytest.mark.parametrize(("plant", "rule", "command"), STATES.values(), ids=STATES)
def test_it_finds(healthy: Database, plant: str, rule: str, command: str) -> None:
    healthy.execute(plant)
    [finding] = found()
    assert (finding.rule, finding.severity) == (rule, "warning" if rule == "ahead" else "error")
    assert command in finding.next
    assert finding.what.endswith(".")


def test_a_missing_check_is_found(healthy: Database) -> None:
    assert [finding.rule for finding in found(models("version > 0"))] == ["missing-constraint"]


def test_a_check_of_the_same_name_with_another_condition(healthy: Database) -> None:
    for number, there in enumerate(("version >= 1", "version > 0 OR version IS NULL")):
        healthy.execute(f"ALTER TABLE notes ADD CONSTRAINT c{number} CHECK ({there})")
    for number, finding in zip(range(2), found(models("version > 0", "version > 0")), strict=True):
        assert finding.rule == "other-check"
        assert f"c{number} on notes" in finding.what


SPELLINGS = [
    ("version>0", "(notes.version) > 0"),
    ("title LIKE 'a%' AND length(title) > 1", "title ~~ 'a%' and (length(title) > 1)"),
    ("version IN (1, 2)", "version = ANY (ARRAY[1, 2])"),
    (r"content <> '\:x'", r"content != '\:x'"),
]


def test_a_check_in_other_words_is_the_same(healthy: Database) -> None:
    """Alembic and a text comparison would see a difference; the server does not."""
    for number, (there, _) in enumerate(SPELLINGS):
        healthy.execute(f"ALTER TABLE notes ADD CONSTRAINT c{number} CHECK ({there})")
    assert found(models(*(here for _, here in SPELLINGS))) == []


def test_a_check_that_is_not_validated_is_one_finding(healthy: Database) -> None:
    healthy.execute("ALTER TABLE notes ADD CONSTRAINT c0 CHECK (version > 0) NOT VALID")
    assert [finding.rule for finding in found(models("version > 0"))] == ["not-valid-constraint"]


@contextmanager
def session(database: Database, sql: str) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        connection.execute(text("SET application_name = 'somebody'"))
        connection.commit()
        connection.execute(text(sql))
        yield connection


def test_a_long_transaction_is_found_without_its_query(healthy: Database) -> None:
    with session(healthy, "SELECT 'a person''s secret'") as other:
        pid = other.scalar(text("SELECT pg_backend_pid()"))
        [finding] = found(long_transaction=0)
    assert finding.rule == "long-transaction"
    assert finding.severity == "warning"
    assert str(pid) in finding.next
    assert "somebody, idle in transaction" in finding.what
    assert "secret" not in str(finding)


def test_a_short_transaction_is_none(healthy: Database) -> None:
    with session(healthy, "SELECT 1"):
        assert found() == []


def test_an_orphaned_migrator_is_found(healthy: Database) -> None:
    with session(healthy, f"SELECT pg_advisory_lock({LOCK_KEY})") as other:
        other.commit()
        pid = other.scalar(text("SELECT pg_backend_pid()"))
        other.commit()
        [finding] = found(idle_migrator=0)
    assert (finding.rule, finding.severity) == ("orphaned-migrator", "error")
    assert f"pg_terminate_backend({pid})" in finding.next


def test_a_migrator_at_work_is_no_error(healthy: Database) -> None:
    with session(healthy, f"SELECT pg_advisory_lock({LOCK_KEY})"):
        [finding] = found()
    assert (finding.rule, finding.severity) == ("running-migrator", "warning")


def test_another_lock_is_no_migrator(healthy: Database) -> None:
    keys = (LOCK_KEY + 1, LOCK_KEY | 1 << 32, f"0, {LOCK_KEY % 2**31}")
    with session(healthy, "; ".join(f"SELECT pg_advisory_lock({key})" for key in keys)):
        assert found() == []


def test_it_waits_for_nobody_and_locks_nothing(healthy: Database, schema_dump: Callable[[], str]) -> None:
    """EXCLUSIVE conflicts with every lock but ACCESS SHARE."""
    healthy.execute("ALTER TABLE notes ADD CONSTRAINT c0 CHECK (version > 0)")
    before = schema_dump()
    with session(healthy, "LOCK TABLE users, notes, user_sessions, alembic_version IN EXCLUSIVE MODE"):
        assert found(models("version > 0")) == []
    assert schema_dump() == before


def test_a_table_that_is_locked_is_not_waited_for(healthy: Database) -> None:
    healthy.execute("ALTER TABLE notes ADD CONSTRAINT c0 CHECK (version > 0)")
    with session(healthy, "LOCK TABLE notes IN ACCESS EXCLUSIVE MODE"):
        [finding] = found(models("version > 0"))
    assert (finding.rule, finding.severity) == ("not-compared", "warning")


def test_its_session_refuses_to_write(healthy: Database) -> None:
    with read_only_connection() as connection:
        assert connection.scalar(text("SHOW transaction_read_only")) == "on"
        assert connection.scalar(text("SHOW statement_timeout")) == "10s"
