"""Diagnose the revisions of a database, and follow what is advised until nothing is wrong."""

import json
import shlex
from pathlib import Path

import pytest

from online_migrations.revisions import content_hash
from tests.databases import HEAD, Environment
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.history import write_revision
from tests.online_migrations.migrating import Database
from tests.online_migrations.test_doctor import FAULTS, diagnosed, mended


@pytest.mark.newest_server
def test_a_revision_that_was_edited_after_it_ran_or_has_another_number_now(in_use: Database) -> None:
    [other] = Path("migrations/versions").glob("0014_*.py")
    for revision, hash_ in (("0010", "0" * 64), ("0015", content_hash(other))):
        update = "UPDATE schema_ledger SET content_hash = :hash WHERE revision = :revision"
        in_use.execute(update, revision=revision, hash=hash_)
    edited, renumbered = sorted(diagnosed(), key=lambda finding: finding.rule)
    assert (edited.rule, edited.severity) == ("edited-revision", "error")
    assert edited.next.startswith("git log -p -- migrations/versions/0010_")
    assert (renumbered.rule, renumbered.next) == ("renumbered-revision", "flask db upgrade")


@pytest.mark.newest_server
def test_a_ledger_that_begins_where_the_project_got_the_tool(in_use: Database) -> None:
    in_use.execute("DELETE FROM schema_ledger WHERE revision < '0012'")
    assert diagnosed() == []
    in_use.execute("DELETE FROM schema_ledger WHERE revision = '0020'")
    [finding] = diagnosed()
    assert (finding.rule, "lost 0020," in finding.what) == ("ledger-gap", True)
    mended(in_use, [finding])


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
    """test_plan.py and test_doctor.py have each advice by itself."""
    for revision in ("9001", "9002"):
        write_revision(history.folder / "migrations", revision, HEAD)
    assert advised(history) == ["two-heads", "behind"]
    for fault in [*FAULTS["models"], *FAULTS["replaced"]]:
        in_use.execute(fault.plant)
    assert advised(history)[-1] == "behind"
