"""Show the SQL of what is pending, and foretell in its own words what `flask db upgrade` will say."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from online_migrations.plan import RevisionPlan, render
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.history import BLOCK, history
from tests.online_migrations.migrating import Database

# Refused before anything runs: the statements are those of the simplest queries of the catalog.
pytestmark = pytest.mark.newest_server

THINGS = 'op.execute("CREATE TABLE things (id bigint PRIMARY KEY, note text)")'
PINS = 'op.execute("CREATE TABLE pins (id int)")'
TAGS = 'op.execute("CREATE TABLE tags (id int)")'


def edited(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(2, PINS)
    assert checkout.flask("db", "upgrade").returncode == 0
    checkout.write_revision(2, TAGS)


def two_heads(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(2, PINS)
    other = (checkout.versions / "0002_step.py").read_text().replace('revision = "0002"', 'revision = "0003"')
    (checkout.versions / "0003_step.py").write_text(other)


def ahead(database: Database, phase: str) -> None:
    insertion = "INSERT INTO schema_ledger (revision, down_revisions, phase) VALUES ('0009', '{0001}', :phase)"
    database.execute(insertion, phase=phase)
    database.execute("UPDATE alembic_version SET version_num = '0009'")


def unknown(checkout: OwnHistory, database: Database) -> None:
    database.execute("UPDATE alembic_version SET version_num = 'fade'")


def unlike_its_models(checkout: OwnHistory, database: Database) -> None:
    sa.Table("labels", checkout.metadata, sa.Column("id", sa.Integer, primary_key=True))


Obstruct = Callable[[OwnHistory, Database], None]
# What is in the way, words of the sentence, and the rule by which the doctor finds it.
OBSTACLES: dict[str, tuple[Obstruct, str, str]] = {
    "a file that was edited": (edited, "0002 is another one in this code", "edited-revision"),
    "two heads": (two_heads, "flask db merge heads", "two-heads"),
    "a contract of a newer release": (lambda _, its: ahead(its, "contract"), "0009 took away", "ahead-contract"),
    "a revision that nobody knows": (unknown, "nothing was changed", "unknown-revision"),
    "other models": (unlike_its_models, "labels is in the models and not in the database", "missing-table"),
}


@pytest.fixture
def checkout(checkout: OwnHistory) -> OwnHistory:
    """Return a history whose first revision has run."""
    checkout.write_revision(1, THINGS)
    assert checkout.flask("db", "upgrade").returncode == 0
    return checkout


def planned(checkout: OwnHistory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(checkout.flask("release", "plan", "--json").stdout)
    return found


def sentence(ended: subprocess.CompletedProcess[str]) -> str:
    return ended.stderr.rpartition("Error: ")[2].strip()


def rules(checkout: OwnHistory) -> list[str]:
    findings = json.loads(checkout.flask("release", "doctor", "--json").stdout)["findings"]
    return [finding["rule"] for finding in findings]


@pytest.mark.parametrize(("obstruct", "words", "rule"), OBSTACLES.values(), ids=OBSTACLES)
def test_what_upgrade_refuses_plan_refuses_with_the_same_sentence(
    checkout: OwnHistory, database: Database, obstruct: Obstruct, words: str, rule: str
) -> None:
    obstruct(checkout, database)
    assert rule in rules(checkout)
    shown, foretold = checkout.flask("release", "plan").stdout, planned(checkout)["refused"]
    before = database.schema()
    refused = checkout.flask("db", "upgrade")
    assert (refused.returncode != 0, sentence(refused)) == (True, foretold)
    assert words in foretold
    assert shown.endswith(f"flask db upgrade would be refused: {foretold}\n")
    assert not any(promise in shown for promise in ("Nothing pending", "Apply it"))
    assert database.schema() == before


def test_what_a_step_may_have_to_wait_for_is_told(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(2, 'backfill_later("notes", "things", "note = 1", "note IS NULL")')
    database.execute("INSERT INTO things SELECT generate_series(1, 2000)")
    checkout.ends(0, "db", "upgrade")
    checkout.write_revision(3, 'retire_column_online("things", "note")\nretire_table_online("things")')
    checkout.write_revision(4, 'drop_column_contract("things", "id")\ndrop_column_contract("things", "note")')
    checkout.write_revision(5, 'drop_table_contract("things")', phase="contract")
    *early, unfilled = planned(checkout)["notes"]
    names = [("0004", "things.note"), ("0005", "things")]
    assert [note.split(", which 0003 retires")[0] for note in early] == [f"{one} drops {name}" for one, name in names]
    assert unfilled.startswith("The backfill notes is not done")


def test_two_files_of_one_number_end_both(checkout: OwnHistory) -> None:
    shutil.copy(checkout.versions / "0001_step.py", checkout.versions / "0001_other.py")
    plan, upgrade = checkout.flask("release", "plan"), checkout.flask("db", "upgrade")
    assert (plan.returncode, plan.stdout, upgrade.returncode) == (1, "", 1)
    assert sentence(plan) == sentence(upgrade)
    assert "Revision 0001 has several files" in sentence(plan)
    assert rules(checkout) == ["revision-twice"]


def test_ahead_of_this_code_there_is_nothing_to_do(checkout: OwnHistory, database: Database) -> None:
    ahead(database, "expand")
    [note] = planned(checkout)["notes"]
    assert rules(checkout) == ["ahead"]
    assert checkout.flask("release", "plan").stdout == f"{note}\n"
    assert note in checkout.ends(0, "db", "upgrade")
    assert note.startswith("nothing to do: the database is at 0009, ahead of this code at 0001")


def test_what_ran_under_another_number_is_told_and_not_shown_again(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(2, PINS)
    assert checkout.flask("db", "upgrade").returncode == 0
    checkout.write_revision(2, TAGS)
    checkout.write_revision(3, PINS)
    plan = planned(checkout)
    assert plan["notes"] == ["what ran here as 0002 is 0003 in this code; its row in the ledger moves"]
    assert [revision["revision"] for revision in plan["revisions"]] == ["0002"]
    assert "renumbered-revision" in rules(checkout)
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002", "it only reads"
    assert plan["notes"][0] in checkout.ends(0, "db", "upgrade")
    plan = planned(checkout)
    assert (plan.pop("state"), plan.pop("database_revision")) == ("at_head", "0003")
    assert plan == {"refused": None, "notes": [], "revisions": []}


@pytest.mark.smoke
def test_what_is_pending_is_shown_with_its_phase_and_applied_as_foretold(checkout: OwnHistory) -> None:
    checkout.write_revision(2, PINS)
    checkout.write_revision(3, 'drop_index_online("ix")', phase=None)
    shown = checkout.flask("release", "plan").stdout
    step = "    BEGIN;\n\n    CREATE TABLE pins (id int);\n\n    COMMIT;\n"
    assert shown.startswith(f"0002  Step 0002.  (expand)\n{step}")
    assert "\n0003  Step 0003.  (contract, since it names no phase)\n" in shown
    assert shown.endswith("\nApply it with: flask db upgrade\n")
    assert checkout.flask("db", "upgrade").returncode == 0
    assert checkout.flask("release", "plan").stdout == "Nothing pending: the database is at 0003.\n"


def rendered(folder: Path, code: str) -> RevisionPlan:
    """Render a revision whose upgrade() has these lines."""
    return render(history(folder, code).get_revision("0002"))


def test_statements_stand_in_their_transactions(tmp_path: Path) -> None:
    found = rendered(tmp_path, f'op.execute("SELECT 1 -- one; two")\n{BLOCK}op.execute("SELECT 2")')
    assert found.sql == "BEGIN;\n\nSELECT 1 -- one; two;\n\nCOMMIT;\n\nSELECT 2;"


def test_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    found = rendered(tmp_path, 'op.execute("SELECT 1")\nraise RuntimeError("no database")')
    assert (found.revision, found.title, found.phase) == ("0002", "Step 0002.", "expand")
    assert (found.unreadable, "SELECT 1" in found.sql) == ("RuntimeError: no database", True)


def test_a_revision_that_takes_a_connection_is_not_let_near_the_database(tmp_path: Path, database: Database) -> None:
    database.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
    begun = f"with sa.create_engine({database.url!r}).begin() as other:"
    found = rendered(tmp_path, f'{begun}\n    other.execute(sa.text("DELETE FROM kept"))')
    assert "Use op.get_bind()" in str(found.unreadable)
    assert database.scalar("SELECT count(*) FROM kept") == 1
