"""Diagnose a database, its revisions and its server, and name the next command of each finding."""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint, Connection, MetaData, text
from sqlalchemy.sql.elements import conv

from app.release.connection import read_only_connection
from app.release.content_hash import content_hash
from app.release.doctor import LIMITS
from tests.databases import HEAD, Environment, empty_database
from tests.release.checkout import OwnHistory
from tests.release.dumps import copy_database
from tests.release.history import write_revision
from tests.release.migrating import LOCK_KEY, Database, connected
from tests.release.planted_faults import FAULTS, diagnosed, follow, is_superuser, our_models, url_of


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


def models(*conditions: str) -> MetaData:
    """Return our models with CHECK constraints on notes, named c0, c1, …."""
    metadata = our_models()
    for number, condition in enumerate(conditions):
        metadata.tables["notes"].append_constraint(CheckConstraint(condition, name=conv(f"c{number}")))
    return metadata


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
    [finding] = diagnosed()
    assert (finding.rule, finding.severity) == (rule, "warning" if rule == "ahead" else "error")
    assert command in finding.next
    assert finding.what.endswith(".")


def test_a_check_is_missing_or_has_another_condition_under_its_name(healthy: Database) -> None:
    for number, there in enumerate(("version >= 1", "version > 0 OR version IS NULL")):
        healthy.execute(f"ALTER TABLE notes ADD CONSTRAINT c{number} CHECK ({there})")
    found = sorted((finding.rule, finding.what) for finding in diagnosed(models(*3 * ["version > 0"])))
    assert [rule for rule, _ in found] == ["missing-constraint", "other-check", "other-check"]
    assert [name in what for name, (_, what) in zip(("c2", "c0 on notes", "c1 on notes"), found, strict=True)] == [
        True
    ] * 3


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
    assert diagnosed(models(*(here for _, here in SPELLINGS))) == []


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
        [finding] = diagnosed(limits=LIMITS._replace(long_transaction=0))
    assert finding.rule == "long-transaction"
    assert finding.severity == "warning"
    assert str(pid) in finding.next
    assert "somebody, idle in transaction" in finding.what
    assert "secret" not in str(finding)


def test_it_waits_for_nobody_and_locks_nothing(healthy: Database, schema_dump: Callable[[], str]) -> None:
    """EXCLUSIVE conflicts with every lock but ACCESS SHARE. Another advisory lock is no migrator."""
    healthy.execute("ALTER TABLE notes ADD CONSTRAINT c0 CHECK (version > 0)")
    before = schema_dump()
    keys = (LOCK_KEY + 1, LOCK_KEY | 1 << 32, f"0, {LOCK_KEY % 2**31}")
    locks = [f"SELECT pg_advisory_lock({key})" for key in keys]
    tables = "LOCK TABLE users, notes, user_sessions, alembic_version IN EXCLUSIVE MODE"
    with session(healthy, "; ".join([*locks, tables])):
        assert diagnosed(models("version > 0")) == []
    assert schema_dump() == before
    with session(healthy, "LOCK TABLE notes IN ACCESS EXCLUSIVE MODE"):
        [finding] = diagnosed(models("version > 0"))
    assert (finding.rule, finding.severity) == ("not-compared", "warning")


def test_its_session_refuses_to_write(healthy: Database) -> None:
    with read_only_connection() as connection:
        assert connection.scalar(text("SHOW transaction_read_only")) == "on"
        assert connection.scalar(text("SHOW statement_timeout")) == "10s"


def test_tables_that_are_not_frozen(in_use: Database) -> None:
    """One finding names all of them. Transactions of other databases of the server count too."""
    autocommit = in_use.engine.execution_options(isolation_level="AUTOCOMMIT")
    spend = "DO $$ BEGIN FOR n IN 1..30000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$"
    limits = LIMITS._replace(frozen_age=25_000)
    with autocommit.connect() as connection:
        connection.execute(text(spend))
    [finding] = diagnosed(limits=limits)
    assert (finding.rule, finding.severity) == ("wraparound", "error")
    follow(in_use, finding.next)
    assert diagnosed(limits=limits) == []


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
            findings = diagnosed(limits=now)
            rules = ["orphaned-migrator", "long-transaction", "prepared-transaction", "inactive-replication-slot"]
            assert [finding.rule for finding in findings] == rules
        finally:
            for finding in diagnosed(limits=now):
                follow(in_use, finding.next)
        for connection in (holder, reader):
            connection.invalidate()
    assert diagnosed(limits=now) == []


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


def test_a_version_that_somebody_changed_by_hand(in_use: Database) -> None:
    """An upgrade would run again what has run."""
    for plant in (
        "DELETE FROM alembic_version",
        "UPDATE alembic_version SET version_num = '0012'",
        "INSERT INTO alembic_version VALUES ('0012')",
    ):
        in_use.execute(plant)
        [finding] = diagnosed()
        assert (finding.rule, finding.next) == ("other-version", f"flask db stamp --purge {HEAD}")
        follow(in_use, finding.next)
        assert diagnosed() == []


def test_a_revision_that_was_edited_after_it_ran_or_has_another_number_now(in_use: Database) -> None:
    [other] = Path("migrations/versions").glob("0014_*.py")
    for revision, hash_ in (("0010", "0" * 64), ("0015", content_hash(other))):
        update = "UPDATE schema_ledger SET content_hash = :hash WHERE revision = :revision"
        in_use.execute(update, revision=revision, hash=hash_)
    edited, renumbered = sorted(diagnosed(), key=lambda finding: finding.rule)
    assert (edited.rule, edited.severity) == ("edited-revision", "error")
    assert edited.next.startswith("git log -p -- migrations/versions/0010_")
    assert (renumbered.rule, renumbered.next) == ("renumbered-revision", "flask db upgrade")


def test_a_ledger_that_begins_where_the_project_got_the_tool(in_use: Database) -> None:
    in_use.execute("DELETE FROM schema_ledger WHERE revision < '0012'")
    assert diagnosed() == []
    in_use.execute("DELETE FROM schema_ledger WHERE revision = '0020'")
    [finding] = diagnosed()
    assert (finding.rule, "lost 0020," in finding.what) == ("ledger-gap", True)
    follow(in_use, finding.next)
    assert diagnosed() == []


@pytest.mark.servers
def test_two_heads_are_joined_and_applied(in_use: Database, server_environment: Environment, tmp_path: Path) -> None:
    history = OwnHistory(tmp_path, {**server_environment, "DATABASE_URL": url_of(in_use)})
    for revision in ("9001", "9002"):
        write_revision(tmp_path / "migrations", revision, HEAD)
    rules = []
    while findings := findings_of(history):
        [finding] = findings
        rules.append(finding["rule"])
        done = history.flask(*shlex.split(finding["next"])[1:])
        assert done.returncode == 0, done.stdout + done.stderr
    assert rules == ["two-heads", "behind"]


@pytest.mark.servers
def test_a_revision_brings_back_the_models(in_use: Database, server_environment: Environment, tmp_path: Path) -> None:
    for fault in FAULTS["models"]:
        in_use.execute(fault.plant)
    history = OwnHistory(tmp_path, {**server_environment, "DATABASE_URL": url_of(in_use)})
    for _ in range(2):
        [command] = {finding["next"] for finding in findings_of(history)}
        done = history.flask(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stdout + done.stderr
    assert findings_of(history) == []


def findings_of(history: OwnHistory) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(history.flask("release", "doctor", "--json").stdout)["findings"]
    return found
