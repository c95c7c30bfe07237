"""Revision files: written by hand, in two branches at once, edited after they ran, or that do not fit together."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.release.errors import ReleaseError
from app.release.lint import lint
from app.release.revision_files import declared_revisions, duplicate_revisions, require_parent_files
from tests.databases import HEAD, OUR_HISTORY, Environment
from tests.release.checkout import OwnHistory
from tests.release.history import NO_MODELS, history, write_revision
from tests.release.migrating import Database

servers = pytest.mark.servers


def second_of_its_number(folder: Path) -> None:
    shutil.copy(folder / "versions/0002_step.py", folder / "versions/0002_other.py")


def test_our_own_files_fit_together() -> None:
    assert len(declared_revisions(OUR_HISTORY)) == len(list(OUR_HISTORY.walk_revisions()))
    assert duplicate_revisions(OUR_HISTORY) == {}
    require_parent_files(OUR_HISTORY)


def test_it_reads_merges_and_annotations(tmp_path: Path) -> None:
    directory = history(tmp_path, "pass")
    write_revision(tmp_path, "0003", ("0001", "0002"))
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
    write_revision(tmp_path, "0003", "0099")
    with pytest.raises(ReleaseError, match=r"0003_step\.py follows revision 0099.*git log --all -S 0099"):
        require_parent_files(directory)


@servers
def test_each_command_says_it_in_a_sentence(own_history: OwnHistory) -> None:
    write_revision(own_history.folder / "migrations", "9001", "9000")
    for command in ("status", "plan", "lint", "doctor"):
        ended = own_history.flask("release", command)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "follows revision 9000" in ended.stderr
        assert "Traceback" not in ended.stderr


@servers
def test_doctor_finds_two_files_of_one_number(tmp_path: Path, migrated_environment: Environment) -> None:
    history = OwnHistory(tmp_path, migrated_environment)
    [file] = (tmp_path / "migrations/versions").glob(f"{HEAD}_*.py")
    shutil.copy(file, file.with_name(f"{HEAD}_other.py"))
    ended = history.flask("release", "doctor", "--json")
    assert ended.returncode == 1
    assert [finding["rule"] for finding in json.loads(ended.stdout)["findings"]] == ["revision-twice"]


@pytest.fixture
def own_history(tmp_path: Path, environment: Environment) -> OwnHistory:
    history = OwnHistory(tmp_path, environment)
    history.forget_history()
    history.write_revision(1, 'op.execute("CREATE TABLE things (id bigint PRIMARY KEY)")')
    return history


def without_a_database(history: OwnHistory) -> OwnHistory:
    history.environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    return history


def test_a_revision_by_hand_gets_the_next_number_and_asks_no_database(own_history: OwnHistory) -> None:
    written = without_a_database(own_history).flask("db", "revision", "-m", "Fill it")
    assert written.returncode == 0, written.stderr
    text = (own_history.versions / "0002_fill_it.py").read_text()
    assert 'revision = "0002"' in text
    assert 'down_revision = "0001"' in text
    assert 'phase = "expand"' in text


def test_a_number_that_is_given_is_kept(own_history: OwnHistory) -> None:
    assert own_history.flask("db", "revision", "-m", "Fill it", "--rev-id", "0042").returncode == 0
    assert (own_history.versions / "0042_fill_it.py").exists()


def test_a_merge_takes_nothing_and_so_is_an_expand(own_history: OwnHistory) -> None:
    own_history.write_revision(2, "pass")
    branch = own_history.versions / "0002_step.py"
    other = branch.read_text().replace('revision = "0002"', 'revision = "0003"')
    (own_history.versions / "0003_step.py").write_text(other)
    merged = without_a_database(own_history).flask("db", "merge", "heads", "-m", "Merge")
    assert merged.returncode == 0, merged.stderr
    [file] = own_history.versions.glob("*_merge.py")
    assert 'phase = "expand"' in file.read_text()


def test_the_sql_from_the_first_revision_on_can_be_applied(
    own_history: OwnHistory, database: Database, psql: Callable[[str], None]
) -> None:
    own_history.write_revision(2, 'op.execute("ALTER TABLE things ADD name text")')
    printed = own_history.flask("db", "upgrade", "--sql")
    assert printed.returncode == 0, printed.stderr
    psql(printed.stdout)
    assert database.scalar("SELECT down_revisions FROM schema_ledger WHERE revision = '0001'") == []
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    assert own_history.flask("db", "upgrade").returncode == 0


# Two branches each add a revision of the same number. Every database ends with the changes of both.
OURS = 'op.execute("CREATE TABLE ours (id int)")'
THEIRS = 'op.execute("CREATE TABLE theirs (id int)")'
LATER = 'op.execute("CREATE TABLE later (id int)")'

TABLES = "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relname IN ('ours', 'theirs', 'later')"
LEDGER = "SELECT array_agg(concat_ws(' ran as ', revision, renumbered_from) ORDER BY revision) FROM schema_ledger"


def write(own_history: OwnHistory, *upgrades: str) -> None:
    for number, upgrade in enumerate(upgrades, start=2):
        own_history.write_revision(number, upgrade)


@pytest.mark.smoke
@servers
def test_what_ran_under_another_number_is_not_run_again_and_what_is_lacking_runs(
    own_history: OwnHistory, database: Database
) -> None:
    write(own_history, THEIRS, LATER)
    assert own_history.flask("db", "upgrade").returncode == 0
    write(own_history, OURS, THEIRS, LATER)  # after the merge theirs has the next number, and so has what follows
    merged = own_history.flask("db", "upgrade")
    assert merged.returncode == 0, merged.stderr
    assert database.scalar(TABLES) == ["later", "ours", "theirs"]
    assert database.scalar("SELECT version_num FROM alembic_version") == "0004"
    assert database.scalar(LEDGER) == ["0001", "0002", "0003 ran as 0002", "0004 ran as 0003"]
    assert own_history.flask("db", "upgrade").returncode == 0


@servers
def test_a_database_of_the_other_branch_just_goes_on(own_history: OwnHistory, database: Database) -> None:
    write(own_history, OURS)
    assert own_history.flask("db", "upgrade").returncode == 0
    write(own_history, OURS, THEIRS)
    assert own_history.flask("db", "upgrade").returncode == 0
    assert database.scalar(TABLES) == ["ours", "theirs"]
    assert database.scalar(LEDGER) == ["0001", "0002", "0003"]


@pytest.mark.smoke
@servers
def test_a_revision_that_was_edited_after_it_ran_is_refused(own_history: OwnHistory, database: Database) -> None:
    write(own_history, THEIRS)
    assert own_history.flask("db", "upgrade").returncode == 0
    write(own_history, OURS, LATER)
    refused = own_history.flask("db", "upgrade")
    assert refused.returncode == 1
    assert "0002 is another one in this code" in refused.stderr
    assert "git log -p" in refused.stderr
    assert database.scalar(TABLES) == ["theirs"]
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    write(own_history, THEIRS, LATER)  # the advice: the file as it was
    assert own_history.flask("db", "upgrade").returncode == 0


@servers
def test_a_database_from_before_the_hashes_is_left_as_it_is(own_history: OwnHistory, database: Database) -> None:
    write(own_history, THEIRS)
    assert own_history.flask("db", "upgrade").returncode == 0
    database.execute("ALTER TABLE schema_ledger DROP content_hash, DROP cost, DROP renumbered_from")
    write(own_history, OURS, LATER)
    assert own_history.flask("db", "upgrade").returncode == 0
    assert database.scalar(TABLES) == ["later", "theirs"]
