"""Doctor: each of many planted faults is found once, and following its command, as it stands there, mends it."""

import json
import re
import shlex
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, UniqueConstraint, text
from sqlalchemy.exc import IntegrityError

from app.extensions import Base
from app.release.connection import read_only_connection
from app.release.content_hash import content_hash
from app.release.doctor import LIMITS, diagnose
from app.release.doctor.diagnosis import Diagnosis
from app.release.operations import drop_compat_view
from tests.databases import Environment, empty_database
from tests.release.checkout import OwnHistory
from tests.release.dumps import copy_database
from tests.release.migrating import LOCK_KEY, Database, connected
from tests.release.planted_faults import (
    CONSEQUENCES,
    DEFINITIONS,
    FORBIDDEN,
    KEYS,
    MODELS,
    QUEUE,
    TABLES,
    UNCHECKED,
    Fault,
    diagnosed,
    follow,
    require_each_found_once,
)

GROUPS = {"tables": TABLES, "keys": KEYS, "definitions": DEFINITIONS, "queue": QUEUE}


def is_superuser(database: Database) -> bool:
    return bool(database.scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))


def test_in_a_database_in_use_it_finds_nothing(in_use: Database) -> None:
    assert diagnosed() == []


@pytest.mark.parametrize("faults", GROUPS.values(), ids=GROUPS)
def test_each_fault_is_found_once_and_its_command_mends_it(in_use: Database, faults: list[Fault]) -> None:
    require_mended(in_use, faults)


def test_a_missing_privilege(in_use: Database) -> None:
    if is_superuser(in_use):
        pytest.skip("a superuser may do everything")
    require_mended(in_use, FORBIDDEN)


def test_foreign_keys_that_nothing_checks(in_use: Database) -> None:
    if not is_superuser(in_use):
        pytest.skip("only a superuser can disable them")
    require_mended(in_use, UNCHECKED)


def require_mended(database: Database, faults: list[Fault]) -> None:
    for fault in faults:
        database.execute(fault.plant)
    require_each_found_once(faults, diagnosed())
    for _ in range(2):  # a function that was dropped comes first, then the trigger that was dropped with it
        for finding in diagnosed():
            follow(database, finding.next)
    assert diagnosed() == []


def test_an_invalid_index_of_a_model_is_built_again(in_use: Database) -> None:
    index = "ix_account_events_user_id_kind_day"
    in_use.execute(f"DROP INDEX {index}")
    again = (
        "INSERT INTO account_events (user_id, kind, day, user_agent, ip)"
        " SELECT user_id, kind, day, 'twice', ip FROM account_events LIMIT 1"
    )
    in_use.execute(again)
    autocommit = in_use.engine.execution_options(isolation_level="AUTOCOMMIT")
    build = f"CREATE UNIQUE INDEX CONCURRENTLY {index} ON account_events (user_id, kind, day) WHERE day IS NOT NULL"
    with autocommit.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(text(build))
    in_use.execute("DELETE FROM account_events WHERE user_agent = 'twice'")
    [finding] = diagnosed()
    assert finding.rule == "invalid-index"
    assert "REINDEX" in finding.next
    follow(in_use, finding.next)
    assert diagnosed() == []


def test_an_invalid_index_of_no_model_is_dropped(in_use: Database) -> None:
    autocommit = in_use.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(text("CREATE UNIQUE INDEX CONCURRENTLY half ON notes (title)"))
    [finding] = diagnosed()
    assert (finding.rule, "DROP INDEX CONCURRENTLY half" in finding.next) == ("invalid-index", True)
    follow(in_use, finding.next)
    assert diagnosed() == []


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


COLUMNS = "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'notes'::regclass"


@pytest.mark.parametrize("last", [0, -1])
def test_a_compatibility_view_that_is_left_over(in_use: Database, last: int) -> None:
    """Also when the table has been given a column since."""
    columns = in_use.scalar(f"{COLUMNS} AND attnum > 0").split(", ")
    in_use.execute(f"CREATE VIEW pages AS SELECT {', '.join(columns[: last or None])} FROM notes")
    [finding] = diagnosed()
    assert (finding.rule, finding.severity) == ("compatibility-view", "warning")
    assert 'drop_compat_view("pages")' in finding.what
    in_use.migrate(lambda: drop_compat_view("pages"))
    assert diagnosed() == []


@pytest.mark.parametrize("query", ["* FROM notes WHERE pinned", "id, user_id FROM notes", "n.* FROM notes n, users"])
def test_another_view_is_none(in_use: Database, query: str) -> None:
    in_use.execute(f"CREATE VIEW pages AS SELECT {query}")
    assert diagnosed() == []


def test_differences_to_the_models_are_found_once(in_use: Database) -> None:
    for fault in MODELS:
        in_use.execute(fault.plant)
    findings = diagnosed()
    require_each_found_once(MODELS, findings)
    assert {finding.next for finding in findings} == {'flask db migrate -m "Bring the schema to the models"'}


@pytest.mark.parametrize("fault", CONSEQUENCES, ids=lambda fault: fault.named)
def test_what_follows_from_a_fault_is_no_further_finding(in_use: Database, fault: Fault) -> None:
    in_use.execute(fault.plant)
    require_each_found_once([fault], diagnosed())


def test_a_not_null_that_is_not_validated(in_use: Database) -> None:
    """attnotnull says true already, so neither `flask db check` nor the models show it."""
    if int(in_use.scalar("SHOW server_version_num")) < 180_000:
        pytest.skip("PostgreSQL 18 brought it")
    in_use.execute(
        "ALTER TABLE notes ALTER title DROP NOT NULL; ALTER TABLE notes ADD CONSTRAINT nn NOT NULL title NOT VALID"
    )
    require_each_found_once([Fault("", "not-null-not-valid", "notes.title")], diagnosed())
    follow(in_use, diagnosed()[0].next)
    assert diagnosed() == []


def test_a_revision_that_was_edited_after_it_ran(in_use: Database) -> None:
    in_use.execute("ALTER TABLE schema_ledger ADD COLUMN IF NOT EXISTS content_hash varchar(64)")
    assert diagnosed() == []
    in_use.execute("UPDATE schema_ledger SET content_hash = repeat('0', 64) WHERE revision = '0015'")
    [finding] = diagnosed()
    assert (finding.rule, finding.severity) == ("edited-revision", "error")
    assert finding.next.startswith("git log -p -- migrations/versions/0015_")


def test_a_revision_that_has_another_number_now(in_use: Database) -> None:
    [other] = Path("migrations/versions").glob("0014_*.py")
    in_use.execute("ALTER TABLE schema_ledger ADD COLUMN IF NOT EXISTS content_hash varchar(64)")
    in_use.execute("UPDATE schema_ledger SET content_hash = :hash WHERE revision = '0015'", hash=content_hash(other))
    [finding] = diagnosed()
    assert (finding.rule, finding.next) == ("renumbered-revision", "flask db upgrade")


def test_a_ledger_that_begins_where_the_project_got_the_tool(in_use: Database) -> None:
    in_use.execute("DELETE FROM schema_ledger WHERE revision < '0012'")
    assert diagnosed() == []
    in_use.execute("DELETE FROM schema_ledger WHERE revision = '0020'")
    [finding] = diagnosed()
    assert (finding.rule, "lost 0020," in finding.what) == ("ledger-gap", True)
    follow(in_use, finding.next)
    assert diagnosed() == []


def our_metadata() -> MetaData:
    return MetaData(naming_convention=Base.metadata.naming_convention)


def models_with(table: Table) -> MetaData:
    for model in Base.metadata.sorted_tables:
        model.to_metadata(table.metadata)._prefixes = model._prefixes
    return table.metadata


def found(metadata: MetaData) -> list[Diagnosis]:
    with read_only_connection() as connection:
        return diagnose(connection, metadata)


def test_an_integer_key_near_its_end(in_use: Database) -> None:
    orders = Table("orders", our_metadata(), Column("id", Integer, primary_key=True))
    in_use.execute("CREATE TABLE orders (id serial CONSTRAINT orders_pkey PRIMARY KEY)")
    metadata = models_with(orders)
    assert found(metadata) == []
    in_use.execute("INSERT INTO orders VALUES (2000000000)")
    in_use.execute("SELECT setval('orders_id_seq', 2000000000)")
    [finding] = found(metadata)
    assert (finding.rule, "BigInteger" in finding.what) == ("key-near-end", True)
    assert finding.next.startswith("flask db migrate")


def test_a_unique_constraint_that_lost_nulls_not_distinct(in_use: Database) -> None:
    unique = UniqueConstraint("place", name="uq_orders_place", postgresql_nulls_not_distinct=True)
    orders = Table("orders", our_metadata(), Column("id", Integer, primary_key=True), Column("place", Integer), unique)
    in_use.execute("CREATE TABLE orders (id serial PRIMARY KEY, place integer CONSTRAINT uq_orders_place UNIQUE)")
    [finding] = found(models_with(orders))
    assert (finding.rule, "uq_orders_place" in finding.what) == ("other-constraint", True)


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
    url = in_use.engine.url.render_as_string(hide_password=False)
    with empty_database(server_environment) as restored:
        copy_database({"DATABASE_URL": url}, restored)
        with connected(restored):
            assert diagnosed() == []


@pytest.mark.servers
def test_what_the_models_say_is_brought_back_by_a_revision(
    in_use: Database, server_environment: Environment, tmp_path: Path
) -> None:
    for fault in MODELS:
        in_use.execute(fault.plant)
    url = in_use.engine.url.render_as_string(hide_password=False)
    history = OwnHistory(tmp_path, {**server_environment, "DATABASE_URL": url})
    for _ in range(2):
        [command] = {finding["next"] for finding in findings_of(history)}
        done = history.flask(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stdout + done.stderr
    assert findings_of(history) == []


def findings_of(history: OwnHistory) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(history.flask("release", "doctor", "--json").stdout)["findings"]
    return found


def test_every_rule_is_explained_in_the_runbook() -> None:
    page = Path("docs/operations.md").read_text()
    code = "".join(path.read_text() for path in Path("app/release/doctor").glob("*.py"))
    rules = re.findall(r'Diagnosis\(\s*(?:ERROR|WARNING|NOTE), "([\w-]+)"', code)
    assert len(rules) > 30
    assert [rule for rule in rules if f"`{rule}`" not in page] == []
