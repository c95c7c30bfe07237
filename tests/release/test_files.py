"""Revision files that do not fit together, of which Alembic only warns."""

import json
import shutil
from pathlib import Path

import pytest

from app.release.errors import ReleaseError
from app.release.lint import lint
from app.release.revision_files import declared_revisions, duplicate_revisions, require_parent_files
from tests.databases import HEAD, OUR_HISTORY, Environment
from tests.release.checkout import Checkout
from tests.release.history import EXPAND, NO_MODELS, history, write_revision

NOTHING = "def upgrade():\n    pass\n"


def second_of_its_number(folder: Path) -> None:
    shutil.copy(folder / "versions/0002_step.py", folder / "versions/0002_other.py")


def test_our_own_files_fit_together() -> None:
    assert len(declared_revisions(OUR_HISTORY)) == len(list(OUR_HISTORY.walk_revisions()))
    assert duplicate_revisions(OUR_HISTORY) == {}
    require_parent_files(OUR_HISTORY)


def test_it_reads_merges_and_annotations(tmp_path: Path) -> None:
    directory = history(tmp_path, "pass")
    write_revision(tmp_path, "0003", ("0001", "0002"), EXPAND, NOTHING)
    file = tmp_path / "versions/0003_step.py"
    file.write_text(file.read_text().replace("revision =", "revision: str =", 1))
    assert [(one.revision, one.down_revisions) for one in declared_revisions(directory)] == [
        ("0001", ()),
        ("0002", ("0001",)),
        ("0003", ("0001", "0002")),
    ]
    require_parent_files(directory)


def test_two_files_of_one_number_are_found(tmp_path: Path) -> None:
    directory = history(tmp_path, "pass")
    second_of_its_number(tmp_path)
    assert duplicate_revisions(directory) == {"0002": ["0002_other.py", "0002_step.py"]}


@pytest.mark.filterwarnings("ignore:Revision 0002 is present more than once")
@pytest.mark.usefixtures("database")
def test_lint_refuses_them(tmp_path: Path) -> None:
    directory = history(tmp_path, "pass")
    second_of_its_number(tmp_path)
    [finding] = lint(directory, NO_MODELS)
    assert finding.rule == "revision-twice"
    assert "0002_other.py, 0002_step.py" in finding.what
    assert lint(directory, NO_MODELS, ["0001"]) == []


def test_a_revision_that_follows_a_lost_one(tmp_path: Path) -> None:
    directory = history(tmp_path, "pass")
    write_revision(tmp_path, "0003", "0099", EXPAND, NOTHING)
    with pytest.raises(ReleaseError, match=r"0003_step\.py follows revision 0099.*git log --all -S 0099"):
        require_parent_files(directory)


@pytest.mark.servers
@pytest.mark.parametrize("command", ["status", "plan", "lint", "doctor"])
def test_each_command_says_it_in_a_sentence(tmp_path: Path, environment: Environment, command: str) -> None:
    checkout = Checkout(tmp_path, environment)
    write_revision(tmp_path / "migrations", "9001", "9000", EXPAND, NOTHING)
    ended = checkout.flask("release", command)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "follows revision 9000" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.servers
def test_doctor_finds_two_files_of_one_number(tmp_path: Path, migrated_environment: Environment) -> None:
    checkout = Checkout(tmp_path, migrated_environment)
    [file] = (tmp_path / "migrations/versions").glob(f"{HEAD}_*.py")
    shutil.copy(file, file.with_name(f"{HEAD}_other.py"))
    ended = checkout.flask("release", "doctor", "--json")
    assert ended.returncode == 1
    assert [finding["rule"] for finding in json.loads(ended.stdout)["findings"]] == ["revision-twice"]
