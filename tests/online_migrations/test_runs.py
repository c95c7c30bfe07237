"""Run `flask db upgrade` over several revisions, at the head, after a failed run, at once with others, and kill it."""

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from online_migrations.state.tables import TOOL_TABLES
from tests.child import AS_PID_1, first_process, namespaces_are_allowed
from tests.databases import Environment
from tests.online_migrations.checkout import Command, OwnHistory
from tests.online_migrations.migrating import Database, sent_statements
from tests.waiting import WITHIN, wait_until

pytestmark = pytest.mark.servers

THINGS = "CREATE TABLE things (id bigint PRIMARY KEY); INSERT INTO things SELECT generate_series(1, 10);"
# A release that uses nothing, so that the runs after it are judged.
LIVE = "INSERT INTO schema_releases (mapping_hash, code_head, mapping, rules) VALUES ('none', '0001', '{}', '{}');"
LEDGER = "SELECT array_agg(concat_ws(' ', revision, down_revisions, phase) ORDER BY revision) FROM schema_ledger"


def test_the_ledger_follows_up_down_and_stamp(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(1, f'op.execute("{THINGS}")')
    checkout.write_revision(2)
    checkout.write_revision(3, phase="contract")
    whole = ["0001 {} expand", "0002 {0001} expand", "0003 {0002} contract"]
    assert checkout.flask("db", "upgrade").returncode == 0
    assert database.scalar(LEDGER) == whole
    assert checkout.flask("db", "downgrade", "0001").returncode == 0
    assert database.scalar(LEDGER) == whole[:1]
    assert checkout.flask("db", "stamp", "0003").returncode == 0
    assert database.scalar(LEDGER) == whole


def test_a_step_that_fails_or_whose_row_cannot_be_written_is_not_kept(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(1, 'op.execute("CREATE TABLE numbers (n int)")')
    checkout.write_revision(2, 'op.execute("INSERT INTO numbers VALUES (2)")')
    checkout.write_revision(3, 'op.execute("INSERT INTO numbers VALUES (3)")', 'op.execute("no sql")')
    assert checkout.flask("db", "upgrade").returncode == 1
    checkout.write_revision(3, 'op.execute("INSERT INTO numbers VALUES (3)")', "raise SystemExit(0)")
    said = checkout.ends(1, "db", "upgrade")
    assert re.search(r"0003_\w+\.py:\d+ fails, SystemExit: 0\. Mend the file", said)
    assert "Traceback" not in said
    checkout.write_revision(3, 'op.execute("INSERT INTO numbers VALUES (3)")', "op.get_bind().close()")
    assert "closes op.get_bind()" in checkout.ends(1, "db", "upgrade")
    checkout.write_revision(3, 'op.execute("INSERT INTO numbers VALUES (3)")')
    database.execute("ALTER TABLE schema_ledger ADD CHECK (revision <> '0003')")
    assert checkout.flask("db", "upgrade").returncode == 1
    assert database.scalar("SELECT array_agg(n) FROM numbers") == [2]
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    assert database.scalar("SELECT array_agg(revision::text) FROM schema_ledger") == ["0001", "0002"]


def test_a_table_that_the_run_has_renamed_is_still_one_that_was_there(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(1, f'op.execute("""{THINGS} {LIVE}""")')
    assert checkout.flask("db", "upgrade").returncode == 0
    checkout.write_revision(2, 'rename_with_view("things", "objects")')
    checkout.write_revision(3, 'op.execute("TRUNCATE objects")')
    assert "All of objects would be emptied" in checkout.ends(1, "db", "upgrade")
    assert database.scalar("SELECT count(*) FROM objects") == 10
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"


def test_a_run_that_is_not_judged_says_so(checkout: OwnHistory) -> None:
    """A release may serve the database, and not be allowed to note it."""
    checkout.write_revision(1, f'op.execute("{THINGS}")')
    first = checkout.flask("db", "upgrade")
    checkout.write_revision(2, 'op.execute("TRUNCATE things")')
    second = checkout.flask("db", "upgrade")
    said = ["so nothing is judged" in done.stdout + done.stderr for done in (first, second)]
    assert (first.returncode, second.returncode, said) == (0, 0, [False, True])


def test_what_a_run_retires_it_does_not_drop_and_what_it_begins_to_fill_it_does_not_need(
    checkout: OwnHistory, database: Database
) -> None:
    things = "CREATE TABLE things (id bigint PRIMARY KEY, note text, size int); INSERT INTO things"
    note = '{"type": "text", "not_null": false, "has_default": false, "generated": false}'
    lives = LIVE.replace("'{}'", f"""'{{"things": {{"note": {note}}}}}'""", 1)
    checkout.write_revision(1, f'''op.execute("""{things} SELECT generate_series(1, 3000); {lives}""")''')
    assert checkout.flask("db", "upgrade").returncode == 0
    for (does, waits), refusal in {
        ('retire_column_online("things", "note")', 'drop_column_contract("things", "note")'): "things.note",
        (
            'backfill_later("sizes", "things", "size = 1", "size IS NULL")',
            'require_backfilled("sizes")',
        ): "not done: 0 %",
    }.items():
        checkout.write_revision(2, does)
        checkout.write_revision(3, waits, phase="contract")
        for _ in range(2):
            assert refusal in checkout.ends(1, "db", "upgrade")
            assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
        assert checkout.flask("db", "downgrade", "0001").returncode == 0
    checkout.write_revision(2, 'retire_column_online("things", "note")', 'drop_column_contract("things", "note")')
    assert "things.note" in checkout.ends(1, "db", "upgrade")
    assert database.scalar("SELECT count(note) + count(*) FROM things") == 3000


RACERS = 3
IN_AUTOCOMMIT = ("with op.get_context().autocommit_block():", '    op.execute("UPDATE counters SET n = n * 2 + 1")')
INDEX = 'create_index_online("ix_counters_n_{number}", "counters", ["n", "id"])'


@pytest.mark.minutes
@pytest.mark.parametrize("begin_at", [None, "0001"], ids=["an empty database", "a database in use"])
def test_of_releases_at_once_one_does_each_step(checkout: OwnHistory, database: Database, begin_at: str | None) -> None:
    checkout.write_revision(1, 'op.execute("CREATE TABLE counters AS SELECT 1 AS id, 0 AS n")')
    for number in (2, 3, 4, 5):
        checkout.write_revision(number, *IN_AUTOCOMMIT, INDEX.format(number=number))
    if begin_at:
        assert checkout.flask("db", "upgrade", begin_at).returncode == 0
    with ExitStack() as stack:
        racers = [stack.enter_context(checkout.running("db", "upgrade")) for _ in range(RACERS)]
        for racer in racers:
            code, output = racer.ended()
            assert code == 0, output
    assert database.scalar("SELECT n FROM counters") == 15
    assert database.scalar("SELECT version_num FROM alembic_version") == "0005"
    assert database.scalar("SELECT count(*) FROM schema_ledger") == 5
    indexes = "FROM pg_index WHERE indrelid = 'counters'::regclass"
    assert database.scalar(f"SELECT count(*) {indexes} AND indisvalid") == 4
    assert database.scalar(f"SELECT count(*) {indexes} AND NOT indisvalid") == 0


CHANGES = re.compile(r"\b(CREATE|ALTER|DROP|COMMENT|LOCK|TRUNCATE|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
TABLES = (
    "SELECT string_agg(quote_ident(relname), ', ') FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    f" AND relname NOT IN ('alembic_version', {', '.join(map(repr, TOOL_TABLES))})"
)


@pytest.mark.smoke
def test_at_the_head_it_changes_nothing_and_needs_no_table_of_the_application(
    tmp_path: Path, in_use: Database, server_environment: Environment
) -> None:
    """Every push and every changed variable runs it."""
    history = OwnHistory(tmp_path, {**server_environment, "DATABASE_URL": in_use.url})
    assert history.flask("db", "upgrade").returncode == 0
    tables = in_use.scalar(TABLES)
    assert "users" in tables
    with in_use.holding(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"), sent_statements() as sent:
        history.ends(0, "db", "upgrade", "-x", "deadline=5")
    assert sent
    assert [statement for statement in sent if CHANGES.search(statement)] == []


MIGRATOR = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'semicircle-migrations'"
BUILDING = f"SELECT count(*) {MIGRATOR} AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'"
MAKE = 'op.execute("CREATE TABLE things (id int, name text)")'
SLEEPING = f"SELECT count(*) {MIGRATOR} AND query LIKE '%pg_sleep%'"


def test_the_backend_of_a_killed_release_is_waited_for(database: Database, checkout: OwnHistory) -> None:
    checkout.write_revision(1, MAKE)
    checkout.write_revision(2, 'create_index_online("ix_things_name", "things", ["name"])')
    assert checkout.flask("db", "upgrade", "0001").returncode == 0
    with database.holding("LOCK TABLE things IN ROW EXCLUSIVE MODE"), checkout.running("db", "upgrade") as release:
        wait_until(lambda: database.scalar(BUILDING), "the index is being built")
        release.process.kill()
        release.process.wait()
        wait_until(lambda: not database.scalar(BUILDING), "the backend of the killed release is gone")
        assert "deadline of 1 s passed" in checkout.ends(1, "db", "upgrade", "-x", "deadline=1")
    assert checkout.flask("db", "upgrade").returncode == 0
    assert database.scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_things_name')")


@pytest.mark.skipif(not namespaces_are_allowed(), reason="only root may make a PID namespace")
def test_as_pid_1_it_ends_during_a_statement(database: Database, checkout: OwnHistory) -> None:
    """The kernel would drop the signal, and a handler of Python would wait for the driver."""
    with sleeping(database, checkout, launcher=AS_PID_1) as release:
        first_process(release.process).send_signal(signal.SIGINT)
        assert release.process.wait(WITHIN) == 128 + signal.SIGINT


def test_a_plain_revision_that_was_killed_leaves_the_one_before(database: Database, checkout: OwnHistory) -> None:
    with sleeping(database, checkout) as release:
        release.process.terminate()
        release.process.wait()


@contextmanager
def sleeping(database: Database, checkout: OwnHistory, launcher: Sequence[str] = ()) -> Iterator[Command]:
    """Yield a release within its second step, of which nothing may be left when the block has ended it."""
    checkout.write_revision(1, MAKE)
    checkout.write_revision(2, 'op.execute("CREATE TABLE second (id int)")', 'op.execute("SELECT pg_sleep(60)")')
    with checkout.running("db", "upgrade", launcher=launcher) as release:
        wait_until(lambda: database.scalar(SLEEPING), "the step is running")
        yield release
        wait_until(lambda: not database.scalar(SLEEPING), "its transaction is rolled back")
    assert database.scalar("SELECT version_num FROM alembic_version") == "0001"
    assert database.scalar("SELECT array_agg(revision::text) FROM schema_ledger") == ["0001"]
    assert database.scalar("SELECT to_regclass('second')") is None
