"""Diagnose revisions, the ledger and the models, and bring back by a revision what is lost."""

import json
import shlex
from pathlib import Path

import pytest

from app.release.content_hash import content_hash
from tests.databases import HEAD, Environment
from tests.release.checkout import OwnHistory
from tests.release.history import write_revision
from tests.release.migrating import Database
from tests.release.planted_faults import MODELS, diagnosed, follow, url_of


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
def test_what_the_models_say_is_brought_back_by_a_revision(
    in_use: Database, server_environment: Environment, tmp_path: Path
) -> None:
    for fault in MODELS:
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
