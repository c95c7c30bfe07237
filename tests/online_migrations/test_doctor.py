"""Diagnose a database, its revisions and its server: each planted fault once, with the command that mends it."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import current_app
from sqlalchemy import CheckConstraint, Column, Connection, Integer, MetaData, Table, UniqueConstraint, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import conv

from app.extensions import Base
from online_migrations import doctor
from online_migrations.connection import read_only_connection
from online_migrations.doctor import Diagnosis, Difference, _causes, _difference, diagnose, diagnosis
from online_migrations.operations.tables import drop_compat_view
from online_migrations.revisions import content_hashes
from tests.databases import HEAD, Environment
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.dumps import program
from tests.online_migrations.history import write_revision
from tests.online_migrations.migrating import LOCK_KEY, Database
from tests.online_migrations.rows import our_models


class Fault(NamedTuple):
    """Hold what the diagnosis of a fault says, and the SQL that plants it. The severity of an error is empty."""

    rule: str
    severity: str
    named: str
    plant: str


FAULT = re.compile(r"^- (?P<rule>[\w-]+)(?: \[(?P<severity>\w+)\])?: (?P<named>.*)\n> (?P<plant>.*)$", re.MULTILINE)


def read_faults() -> dict[str, list[Fault]]:
    """Read faults.txt: the faults of each group."""
    lines = re.sub("^//.*\n", "", Path(__file__).with_name("faults.txt").read_text(), flags=re.MULTILINE)
    groups = [block.partition("\n") for block in re.sub(r"\n>> ", " ", lines).strip().split("\n\n")]
    return {name.removeprefix("# "): [Fault(*found) for found in FAULT.findall(faults)] for name, _, faults in groups}


FAULTS = read_faults()
MENDED = (("tables", "definitions"), ("read-only defaults",))  # two groups share a database


def diagnosed(metadata: MetaData = Base.metadata) -> list[Diagnosis]:
    with read_only_connection() as connection:
        return diagnose(connection, metadata)


def planted(database: Database, *groups: str) -> list[Diagnosis]:
    """Plant the faults of groups, and require that each is found once."""
    faults = [fault for group in groups for fault in FAULTS[group]]
    for fault in faults:
        database.execute(fault.plant)
    findings = diagnosed()
    for fault in faults:
        ours = [finding for finding in findings if finding.rule == fault.rule and fault.named in finding.what]
        assert len(ours) == 1, f"{fault.rule} of {fault.named} is not one of {findings}"
        assert ours[0].severity == (fault.severity or "error")
        assert ours[0].what.endswith(".") or ours[0].next in ours[0].what
    assert len(findings) == len(faults), findings
    return findings


def mended(database: Database, findings: list[Diagnosis]) -> None:
    """Type what the doctor says, and require that it has nothing more to say."""
    for finding in findings:
        follow(database, finding.next)
    assert diagnosed() == []


def follow(database: Database, command: str) -> None:
    """Type a command of the doctor, in a shell that has psql and the variables of the application."""
    if command.startswith("flask"):
        _, group, *arguments = shlex.split(command)
        ended = current_app.test_cli_runner().invoke(current_app.cli.commands[group], arguments)
        assert ended.exit_code == 0, f"{command}: {ended.output}"
        return
    path = f"{Path(program('psql')).parent}:{os.environ['PATH']}"
    environment = {"DATABASE_URL": database.url.replace("+psycopg2", ""), "PATH": path}
    done = subprocess.run(command, shell=True, executable="/bin/bash", env=environment, capture_output=True, text=True)
    assert (done.returncode, "ERROR" in done.stderr) == (0, False), f"{command}: {done.stderr}"


@pytest.mark.parametrize("groups", [pytest.param(MENDED[0], marks=pytest.mark.smoke), MENDED[1]], ids=" and ".join)
def test_each_fault_is_found_once_and_its_command_mends_it(in_use: Database, groups: tuple[str, ...]) -> None:
    mended(in_use, planted(in_use, *groups))


def test_what_follows_from_a_fault_is_no_further_finding(in_use: Database) -> None:
    planted(in_use, "consequences")


def test_what_only_one_role_or_one_server_can_plant(in_use: Database) -> None:
    """Of PostgreSQL 18's, attnotnull says true already, so neither `flask db check` nor the models show it."""
    groups = ["unchecked" if in_use.is_superuser else "forbidden"]
    if in_use.version >= 180_000 and not in_use.is_superuser:
        groups.append("enforced")
    mended(in_use, planted(in_use, *groups))


@pytest.mark.parametrize("group", ["models", "replaced", "by hand"])
def test_a_difference_from_models_is_told_with_the_command_to_write_the_revision(in_use: Database, group: str) -> None:
    commands = {finding.next for finding in planted(in_use, group)}
    assert commands == {'flask db migrate -m "Bring the schema to the models"'}


# Where `newest_server` stands below, the finding is of our own tables or of Alembic, or who waits for whom is the same.
# By hand: an upgrade would run again what has run. test_plan.py has the other states.
BY_HAND = ("DELETE FROM {}", "UPDATE {} SET version_num = '0012'", "INSERT INTO {} VALUES ('0012')")


@pytest.mark.newest_server
def test_a_version_that_was_changed_by_hand_is_stamped_with_the_ledgers(in_use: Database) -> None:
    for plant in BY_HAND:
        in_use.execute(f"TRUNCATE alembic_version; INSERT INTO alembic_version VALUES ('{HEAD}')")
        in_use.execute(plant.format("alembic_version"))
        [finding] = diagnosed()
        assert (finding.rule, finding.severity) == ("other-version", "error")
        assert finding.next == f"flask db stamp --purge {HEAD}"
    mended(in_use, [finding])


@pytest.mark.newest_server
def test_an_older_schema_that_was_restored_over_a_newer_one_is_found_by_its_tables(in_use: Database) -> None:
    in_use.execute("DELETE FROM schema_ledger WHERE revision > '0057'; UPDATE alembic_version SET version_num = '0057'")
    assert {finding.rule for finding in diagnosed()} == {"behind"}  # by hand, as it seems
    in_use.execute("ALTER TABLE alembic_version RENAME TO replaced; CREATE TABLE alembic_version AS TABLE replaced")
    in_use.execute("DROP TABLE replaced")
    found = {finding.rule: finding for finding in diagnosed()}
    assert found.keys() == {"behind", "mixed"}
    assert (found["mixed"].severity, "note_versions" in found["mixed"].what) == ("error", True)
    assert "DROP SCHEMA public CASCADE; CREATE SCHEMA public" in found["mixed"].next


def failed_build(database: Database, index: str) -> None:
    """Build a unique index that rows break."""
    autocommit = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(text(f"CREATE UNIQUE INDEX CONCURRENTLY {index}"))


@pytest.mark.newest_server
def test_what_a_failed_build_left_is_built_again_or_dropped_where_no_model_has_it(in_use: Database) -> None:
    index = "ix_account_events_user_id_kind_day"
    in_use.execute(
        f"DROP INDEX {index}; INSERT INTO account_events (user_id, kind, day, user_agent, ip)"
        " SELECT user_id, kind, day, 'twice', ip FROM account_events LIMIT 1"
    )
    failed_build(in_use, f"{index} ON account_events (user_id, kind, day) WHERE day IS NOT NULL")
    for name in ("half", "uq_users_email_ccnew1"):  # the second as REINDEX names it
        failed_build(in_use, f"{name} ON notes (title)")
    found = diagnosed()
    names = sorted((index, "half", "uq_users_email_ccnew1"))
    expected = [f"{'REINDEX' if name == index else 'DROP'} INDEX CONCURRENTLY {name}" for name in names]
    told = [(one.rule, command in one.next) for one, command in zip(found, expected, strict=True)]
    assert told == [("invalid-index", True)] * 3
    in_use.execute("DELETE FROM account_events WHERE user_agent = 'twice'")
    mended(in_use, found)


OTHER_VIEWS = """
CREATE VIEW pinned_notes AS SELECT * FROM notes WHERE pinned;
CREATE VIEW owners AS SELECT id, user_id FROM notes;
CREATE VIEW of_everybody AS SELECT n.* FROM notes n, users
"""


@pytest.mark.newest_server
def test_a_compatibility_view_that_is_left_over_and_no_other_view(in_use: Database) -> None:
    """The table of the second has been given a column since."""
    in_use.execute(OTHER_VIEWS)
    columns = [column["name"] for column in inspect(in_use.engine).get_columns("notes")]
    for name, shown in (("pages", columns), ("leaves", columns[:-1])):
        in_use.execute(f"CREATE VIEW {name} AS SELECT {', '.join(shown)} FROM notes")
    found = diagnosed()
    assert [(one.rule, one.severity) for one in found] == [("compatibility-view", "warning")] * 2
    for name, one in zip(("leaves", "pages"), found, strict=True):
        assert f'drop_compat_view("{name}")' in one.what
        in_use.migrate(partial(drop_compat_view, name))
    assert diagnosed() == []


SHADOW = "ALTER TABLE notes ADD version_was integer; COMMENT ON COLUMN notes.version_was IS 'shadow: of version'"
BACKFILLS = """
INSERT INTO schema_backfills (name, table_name, set_sql, where_sql, pk, state, rows_done, estimated_rows, batch_size,
    updated_at)
SELECT name, 'notes', 'words = 1', 'words IS NULL', 'id', state, 7, 9, 500, now() - make_interval(secs => idle)
FROM (VALUES ('broken', 'failed', 0), ('halted', 'paused', 0), ('stuck', 'running', 900), ('going', 'running', 0),
    ('ready', 'done', 900)) AS those (name, state, idle)
"""


@pytest.mark.newest_server
def test_a_shadow_that_no_trigger_keeps_and_backfills_that_do_not_go_on(in_use: Database) -> None:
    in_use.execute(f"{SHADOW}; {BACKFILLS}")
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
    metadata = our_models()
    columns = [Column("id", Integer, primary_key=True), Column("place", Integer)]
    Table("orders", metadata, *columns, unique, info={"row_security": True})
    in_use.execute("CREATE TABLE orders (id serial PRIMARY KEY, place integer CONSTRAINT uq_orders_place UNIQUE)")
    in_use.execute("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    assert {finding.rule for finding in diagnosed(metadata)} == {"other-constraint", "row-security"}
    in_use.execute(
        "ALTER TABLE orders DROP CONSTRAINT uq_orders_place; CREATE POLICY all_of_them ON orders USING (true);"
        "ALTER TABLE orders ADD CONSTRAINT uq_orders_place UNIQUE NULLS NOT DISTINCT (place)"
    )
    assert diagnosed(metadata) == []


# In the models and in the database. Alembic and a text comparison would see a difference; the server does not.
SPELLINGS = [
    ("version>0", "(notes.version) > 0"),
    ("title LIKE '%' AND length(title) > -1", "title ~~ '%' and (length(title) > -1)"),
    ("version IN (1, 2)", "version = ANY (ARRAY[1, 2])"),
    (r"content <> '\:x'", r"content != '\:x'"),
    ("version > 0", "version > 0 OR version IS NULL"),  # which is another one
]


def models(*conditions: str) -> MetaData:
    """Return our models with CHECK constraints on notes, named c0, c1, …."""
    metadata = our_models()
    for number, condition in enumerate(conditions):
        metadata.tables["notes"].append_constraint(CheckConstraint(condition, name=conv(f"c{number}")))
    return metadata


def test_a_check_in_other_words_is_the_same(in_use: Database) -> None:
    for number, (_, there) in enumerate(SPELLINGS):
        in_use.execute(f"ALTER TABLE notes ADD CONSTRAINT c{number} CHECK ({there})")
    [finding] = diagnosed(models(*(ours for ours, _ in SPELLINGS)))
    assert (finding.rule, "c4 on notes" in finding.what) == ("other-check", True)


def test_a_definition_follows_from_a_column_that_is_missing_and_not_from_one_that_is_there_besides() -> None:
    """A CHECK stands on the column's old name after a rename, and cannot be compared."""
    check = Difference("replace", "check", "notes", "ck_notes_colour", there="CHECK (hue > 0)", wanted="CHECK (c > 0)")
    missing = Difference("add", "column", "notes", "c")
    elsewhere = check._replace(table="todos")
    assert _causes([missing, check, elsewhere]) == [missing, elsewhere]
    besides = missing._replace(action="remove")
    assert _causes([besides, check]) == [besides, check]


SECRET = "SELECT 'a person''s secret'"


def test_a_primary_key_that_no_model_names_is_made_with_the_servers_name() -> None:
    key = Table("lines", MetaData(), Column("id", Integer, primary_key=True)).primary_key
    found = diagnosis(_difference(("add_constraint", key)))
    assert (found.rule, "key lines_pkey on lines" in found.what) == ("missing-primary-key", True)


@contextmanager
def session(database: Database, sql: str) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        connection.execute(text("SET application_name = 'somebody'"))
        connection.commit()
        connection.execute(text(sql))
        yield connection


@pytest.mark.newest_server
def test_it_waits_for_nobody_and_locks_nothing(in_use: Database) -> None:
    """EXCLUSIVE conflicts with every lock but ACCESS SHARE. Another advisory lock is no migrator."""
    in_use.execute("ALTER TABLE notes ADD CONSTRAINT c0 CHECK (version > 0)")
    before = in_use.definitions()
    keys = (LOCK_KEY + 1, LOCK_KEY | 1 << 32, f"0, {LOCK_KEY % 2**31}")
    locks = [f"SELECT pg_advisory_lock({key})" for key in keys]
    tables = "LOCK TABLE users, notes, user_sessions, alembic_version IN EXCLUSIVE MODE"
    with session(in_use, "; ".join([*locks, tables])):
        assert diagnosed(models("version > 0")) == []
    assert in_use.definitions() == before
    with session(in_use, "LOCK TABLE notes IN ACCESS EXCLUSIVE MODE"):
        [finding] = diagnosed(models("version > 0"))
    assert (finding.rule, finding.severity) == ("not-compared", "warning")
    with read_only_connection() as connection:
        settings = [connection.scalar(text(f"SHOW {name}")) for name in ("transaction_read_only", "statement_timeout")]
    assert settings == ["on", "10s"]


def test_what_a_session_or_a_prepared_transaction_holds_back(in_use: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is found once it has lasted, without its query, and ended by its command."""
    two_phases = int(in_use.scalar("SHOW max_prepared_transactions")) > 0
    with session(in_use, f"SELECT pg_advisory_lock({LOCK_KEY})") as holder, session(in_use, SECRET) as other:
        holder.commit()
        preparing = in_use.engine.raw_connection()
        if two_phases:
            preparing.cursor().execute("DELETE FROM notices; PREPARE TRANSACTION 'left over'")
        preparing.close()
        assert [finding.rule for finding in diagnosed()] == ["running-migrator"]
        for limit in ("LONG_TRANSACTION", "IDLE_MIGRATOR"):
            monkeypatch.setattr(doctor, limit, 0)
        found = {finding.rule: finding for finding in diagnosed()}
        for finding in found.values():
            follow(in_use, finding.next)
        for ended in (holder, other):
            ended.invalidate()
    assert found.keys() - {"prepared-transaction"} == {"orphaned-migrator", "long-transaction"}
    assert ("prepared-transaction" in found) == two_phases
    assert (found["long-transaction"].severity, "secret" in str(found)) == ("warning", False)
    assert "somebody, idle in transaction" in found["long-transaction"].what
    assert diagnosed() == []


def test_what_the_role_may_not_do_is_a_note(in_use: Database) -> None:
    if in_use.is_superuser:
        pytest.skip("a superuser may do everything")
    database = in_use.scalar("SELECT current_database()")
    in_use.execute(f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC, CURRENT_USER")
    [note] = diagnosed()
    assert (note.rule, note.severity) == ("not-seen", "note")
    assert "permission denied to create temporary tables" in note.what


@pytest.mark.newest_server
def test_a_revision_that_was_edited_after_it_ran_or_has_another_number_now(in_use: Database) -> None:
    [other] = Path("migrations/versions").glob("0014_*.py")
    for revision, hash_ in (("0010", "0" * 64), ("0015", content_hashes(other)[0])):
        update = "UPDATE schema_ledger SET content_hash = :hash WHERE revision = :revision"
        in_use.execute(update, revision=revision, hash=hash_)
    edited, renumbered = sorted(diagnosed(), key=lambda finding: finding.rule)
    assert (edited.rule, edited.severity) == ("edited-revision", "error")
    assert edited.next.startswith("git log -p -- migrations/versions/0010_")
    assert (renumbered.rule, renumbered.next) == ("renumbered-revision", "flask db upgrade")


def advised(history: OwnHistory) -> list[str]:
    """Do what each finding says until there is none; return their rules."""
    rules = []
    while findings := json.loads(history.flask("release", "doctor", "--json").stdout)["findings"]:
        rules += [finding["rule"] for finding in findings]
        [command] = {finding["next"] for finding in findings}
        done = history.flask(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stdout + done.stderr
    return rules


@pytest.fixture
def history(in_use: Database, server_environment: Environment, tmp_path: Path) -> OwnHistory:
    return OwnHistory(tmp_path, {**server_environment, "DATABASE_URL": in_use.url})


@pytest.mark.minutes
@pytest.mark.newest_server
def test_what_is_advised_joins_two_heads_and_brings_back_the_models(history: OwnHistory, in_use: Database) -> None:
    """test_plan.py and the tests above have each advice by itself."""
    for revision in ("9001", "9002"):
        write_revision(history.folder / "migrations", revision, HEAD)
    assert advised(history) == ["two-heads", "behind"]
    for fault in [*FAULTS["models"], *FAULTS["replaced"]]:
        in_use.execute(fault.plant)
    assert advised(history)[-1] == "behind"
