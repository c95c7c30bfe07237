"""Diagnose planted faults: each is found once, and its command, typed as it stands there, mends it."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, Table, UniqueConstraint, text
from sqlalchemy.exc import IntegrityError

from app.release.operations import drop_compat_view
from tests.release.migrating import Database
from tests.release.planted_faults import (
    FAULTS,
    Fault,
    diagnosed,
    follow,
    is_superuser,
    our_models,
    require_each_found_once,
    require_mended,
)

MENDED = ("tables", "keys", "definitions", "queue", "renamed")


@pytest.mark.parametrize("group", MENDED)
def test_each_fault_is_found_once_and_its_command_mends_it(in_use: Database, group: str) -> None:
    require_mended(in_use, FAULTS[group])


def test_new_sessions_that_write_nothing(in_use: Database) -> None:
    """The command has to write, in a session of its own."""
    name = in_use.scalar("SELECT current_database()")
    for whose in ("DATABASE {}", "ROLE CURRENT_USER IN DATABASE {}"):
        in_use.execute(f"ALTER {whose.format(name)} SET default_transaction_read_only = true")
        [finding] = diagnosed()
        assert (finding.rule, name in finding.what) == ("read-only-default", True)
        follow(in_use, finding.next)
        assert diagnosed() == []


def test_a_missing_privilege(in_use: Database) -> None:
    if is_superuser(in_use):
        pytest.skip("a superuser may do everything")
    require_mended(in_use, FAULTS["forbidden"])


def test_foreign_keys_that_nothing_checks(in_use: Database) -> None:
    if not is_superuser(in_use):
        pytest.skip("only a superuser can disable them")
    require_mended(in_use, FAULTS["unchecked"])


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


@pytest.mark.minutes
@pytest.mark.each_server
def test_what_a_failed_build_or_reindex_left_is_dropped(in_use: Database) -> None:
    autocommit = in_use.engine.execution_options(isolation_level="AUTOCOMMIT")
    for name in ("half", "uq_users_email_ccnew1"):
        with autocommit.connect() as connection, pytest.raises(IntegrityError):
            connection.execute(text(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON notes (title)"))
        [finding] = diagnosed()
        assert (finding.rule, f"DROP INDEX CONCURRENTLY {name}" in finding.next) == ("invalid-index", True)
        follow(in_use, finding.next)
        assert diagnosed() == []


COLUMNS = "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'notes'::regclass"


OTHER_VIEWS = """
CREATE VIEW pinned_notes AS SELECT * FROM notes WHERE pinned;
CREATE VIEW owners AS SELECT id, user_id FROM notes;
CREATE VIEW of_everybody AS SELECT n.* FROM notes n, users
"""


def test_a_compatibility_view_that_is_left_over_and_no_other_view(in_use: Database) -> None:
    """The second table has been given a column since."""
    in_use.execute(OTHER_VIEWS)
    columns = in_use.scalar(f"{COLUMNS} AND attnum > 0").split(", ")
    for shown in (columns, columns[:-1]):
        in_use.execute(f"CREATE VIEW pages AS SELECT {', '.join(shown)} FROM notes")
        [finding] = diagnosed()
        assert (finding.rule, finding.severity) == ("compatibility-view", "warning")
        assert 'drop_compat_view("pages")' in finding.what
        in_use.migrate(lambda: drop_compat_view("pages"))
    assert diagnosed() == []


def test_differences_to_the_models_are_found_once(in_use: Database) -> None:
    for fault in FAULTS["models"]:
        in_use.execute(fault.plant)
    findings = diagnosed()
    require_each_found_once(FAULTS["models"], findings)
    assert {finding.next for finding in findings} == {'flask db migrate -m "Bring the schema to the models"'}


def test_what_follows_from_a_fault_is_no_further_finding(in_use: Database) -> None:
    for fault in FAULTS["consequences"]:
        in_use.execute(fault.plant)
    require_each_found_once(FAULTS["consequences"], diagnosed())


def test_what_postgresql_18_brought(in_use: Database) -> None:
    """attnotnull says true already, so neither `flask db check` nor the models show it."""
    if int(in_use.scalar("SHOW server_version_num")) < 180_000:
        pytest.skip("PostgreSQL 18 brought it")
    require_mended(in_use, FAULTS["enforced"])


def test_a_shadow_that_no_trigger_keeps_and_backfills_that_do_not_go_on(in_use: Database) -> None:
    in_use.execute(
        "ALTER TABLE notes ADD version_was integer; COMMENT ON COLUMN notes.version_was IS 'shadow: of version'"
    )
    insert = (
        "INSERT INTO schema_backfills (name, table_name, set_sql, where_sql, pk, state, rows_done, estimated_rows,"
        " batch_size, updated_at) VALUES (:name, 'notes', 'words = 1', 'words IS NULL', 'id', :state, 7, 9, 500,"
        " now() - make_interval(secs => :idle))"
    )
    for name, state, idle in (
        *(("broken", "failed", 0), ("halted", "paused", 0), ("stuck", "running", 900)),
        *(("going", "running", 0), ("ready", "done", 900)),
    ):
        in_use.execute(insert, name=name, state=state, idle=idle)
    found = {finding.rule: finding for finding in diagnosed() if finding.rule != "extra-column"}
    shadow = found.pop("unkept-shadow")
    assert {(rule, finding.severity, finding.next) for rule, finding in found.items()} == {
        ("backfill-failed", "error", "flask release resume broken"),
        ("backfill-paused", "warning", "flask release resume halted"),
        ("backfill-stalled", "warning", "flask release status"),
    }
    assert "notes.version_was" in shadow.what
    follow(in_use, shadow.next)
    assert len(diagnosed()) == len(found)


def test_what_models_say_besides_of_a_table(in_use: Database) -> None:
    """Row security on purpose is a fault all the same without a policy: then nobody sees a row."""
    unique = UniqueConstraint("place", name="uq_orders_place", postgresql_nulls_not_distinct=True)
    columns = [Column("id", Integer, primary_key=True), Column("place", Integer)]
    metadata = our_models()
    Table("orders", metadata, *columns, unique, info={"row_security": True})
    in_use.execute("CREATE TABLE orders (id serial PRIMARY KEY, place integer CONSTRAINT uq_orders_place UNIQUE)")
    in_use.execute("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    assert {finding.rule for finding in diagnosed(metadata)} == {"other-constraint", "row-security"}
    in_use.execute(
        "ALTER TABLE orders DROP CONSTRAINT uq_orders_place; CREATE POLICY all_of_them ON orders USING (true)"
    )
    in_use.execute("ALTER TABLE orders ADD CONSTRAINT uq_orders_place UNIQUE NULLS NOT DISTINCT (place)")
    assert diagnosed(metadata) == []
    in_use.execute("INSERT INTO orders VALUES (2000000000); SELECT setval('orders_id_seq', 2000000000)")
    [finding] = diagnosed(metadata)
    assert (finding.rule, "BigInteger" in finding.what) == ("key-near-end", True)
    assert finding.next.startswith("flask db migrate")


@pytest.mark.minutes
@pytest.mark.each_server
def test_a_table_of_the_queue_that_is_gone(in_use: Database) -> None:
    """The first command makes it again with its sequence, the next what stands on it."""
    in_use.execute("DROP TABLE procrastinate_events")
    require_each_found_once([Fault("missing-table", "", "procrastinate_events", "")], diagnosed())
    for _ in range(2):
        for finding in diagnosed():
            follow(in_use, finding.next)
    assert diagnosed() == []


def test_every_rule_is_explained_in_the_runbook() -> None:
    page = Path("docs/operations.md").read_text()
    code = "".join(path.read_text() for path in Path("app/release/doctor").glob("*.py"))
    rules = re.findall(r'Diagnosis\(\s*(?:ERROR|WARNING|NOTE), "([\w-]+)"', code)
    assert len(rules) > 30
    assert [rule for rule in rules if f"`{rule}`" not in page] == []
