"""Revision files: by hand, in two branches at once, edited after they ran, lost, and of several bases."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.script import ScriptDirectory

from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.lint import lint
from online_migrations.plan import plan
from online_migrations.revisions import _read, content_hashes, duplicate_revisions, made_too_early, require_parent_files
from online_migrations.state import AHEAD, AT_HEAD, BEHIND, SchemaState, ledger, read_schema_state, written_heads
from tests.databases import OUR_HISTORY
from tests.online_migrations import dumps
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.history import EXPAND, NO_MODELS, history, revision_text, write_revision
from tests.online_migrations.migrating import Database
from tests.online_migrations.model_project import ModelProject

servers = pytest.mark.servers
pytestmark = pytest.mark.newest_server  # they are read by Python, and of the ledger the simplest statements


def test_our_own_files_fit_together() -> None:
    assert duplicate_revisions(OUR_HISTORY) == {}
    require_parent_files(OUR_HISTORY)


def test_it_reads_merges_and_annotations(tmp_path: Path) -> None:
    directory = history(tmp_path, "pass")
    write_revision(tmp_path, "0003", ("0001", "0002"))
    file = tmp_path / "versions/0003_step.py"
    file.write_text(file.read_text().replace("revision =", "revision: str =", 1))
    require_parent_files(directory)
    (tmp_path / "versions/0002_step.py").unlink()
    with pytest.raises(ReleaseError, match=r"0003_step\.py follows revision 0002.*git log --all -S 0002"):
        require_parent_files(directory)


@pytest.mark.parametrize(
    ("made", "too_early"),
    [
        ('op.create_table("new")', ["new"]),
        ('if True:\n    op.create_table("new", sa.Column("id", sa.Integer()))', ["new"]),
        ('op.create_table("others")', []),  # which is not there
        ('op.drop_table("todos")\nop.create_table("todos")', []),  # an earlier revision has made it, too
        ('op.create_table("new", if_not_exists=True)', []),
        ('op.create_table("new", schema="stock")', []),
        ('op.create_index("new", "todos", ["id"])', []),
    ],
)
def test_a_table_that_only_a_later_revision_makes_is_there_too_early(
    tmp_path: Path, made: str, too_early: list[str]
) -> None:
    directory = history(tmp_path, made)
    assert made_too_early(directory, ["0002"], ["todos", "new", "stock.new"]) == too_early
    assert made_too_early(directory, [], ["todos", "new"]) == []


def test_what_a_downgrade_makes_again_is_not_too_early(tmp_path: Path) -> None:
    directory = history(tmp_path, 'op.drop_table("legacy")')
    file = tmp_path / "versions/0002_step.py"
    file.write_text(file.read_text().replace("    pass", '    op.create_table("legacy")'))
    assert made_too_early(directory, ["0002"], ["legacy"]) == []


@pytest.mark.smoke
@pytest.mark.filterwarnings("ignore:Revision 0002 is present more than once")
@pytest.mark.usefixtures("database")
def test_two_files_of_one_number_are_found(tmp_path: Path) -> None:
    directory = history(tmp_path, "pass")
    shutil.copy(tmp_path / "versions/0002_step.py", tmp_path / "versions/0002_other.py")
    assert duplicate_revisions(directory) == {"0002": ["0002_other.py", "0002_step.py"]}
    with pytest.raises(ReleaseError, match=r"0002 has several files, 0002_other\.py, 0002_step\.py"):
        lint(directory, NO_MODELS)


@servers
def test_each_command_says_it_in_a_sentence(checkout: OwnHistory) -> None:
    write_revision(checkout.folder / "migrations", "9001", "9000")
    for command in ("status", "plan", "lint", "doctor"):
        ended = checkout.flask("release", command)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "follows revision 9000" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.fixture
def checkout(checkout: OwnHistory) -> OwnHistory:
    """Return it with a first revision."""
    checkout.write_revision(1, 'op.execute("CREATE TABLE things (id bigint PRIMARY KEY)")')
    return checkout


def without_a_database(history: OwnHistory) -> OwnHistory:
    history.environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    return history


def test_a_revision_by_hand_gets_the_next_number_and_asks_no_database(checkout: OwnHistory) -> None:
    without_a_database(checkout).ends(0, "db", "revision", "-m", "Fill it")
    text = (checkout.versions / "0002_fill_it.py").read_text()
    said = ('revision = "0002"', 'down_revision = "0001"', 'phase = "expand"')
    assert [line for line in said if line not in text] == []
    assert "auto generated" not in text
    assert checkout.flask("db", "revision", "-m", "Fill it", "--rev-id", "0042").returncode == 0
    assert (checkout.versions / "0042_fill_it.py").exists()


def test_a_merge_takes_nothing_and_so_is_an_expand(checkout: OwnHistory) -> None:
    checkout.write_revision(2, "pass")
    branch = checkout.versions / "0002_step.py"
    other = branch.read_text().replace('revision = "0002"', 'revision = "0003"')
    (checkout.versions / "0003_step.py").write_text(other)
    without_a_database(checkout).ends(0, "db", "merge", "heads", "-m", "Merge")
    [file] = checkout.versions.glob("*_merge.py")
    assert 'phase = "expand"' in file.read_text()


def test_the_printed_sql_can_be_run(checkout: OwnHistory, database: Database) -> None:
    checkout.write_revision(2, 'op.execute("ALTER TABLE things ADD name text")')
    printed = checkout.flask("db", "upgrade", "--sql")
    assert printed.returncode == 0, printed.stderr
    dumps.psql({"DATABASE_URL": database.url}, printed.stdout)
    assert database.scalar("SELECT down_revisions FROM schema_ledger WHERE revision = '0001'") == []
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"
    assert checkout.flask("db", "upgrade").returncode == 0


# Two branches each add a revision of the same number. Every database ends with the changes of both.
OURS = 'op.execute("CREATE TABLE ours (id int)")'
THEIRS = 'op.execute("CREATE TABLE theirs (id int)")'
LATER = 'op.execute("CREATE TABLE later (id int)")'

TABLES = "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relname IN ('ours', 'theirs', 'later')"
LEDGER = "SELECT array_agg(concat_ws(' ran as ', revision, renumbered_from) ORDER BY revision) FROM schema_ledger"


def applied(checkout: OwnHistory, *upgrades: str) -> subprocess.CompletedProcess[str]:
    """Write 0002, 0003 … anew, and upgrade."""
    for number, upgrade in enumerate(upgrades, start=2):
        checkout.write_revision(number, upgrade)
    return checkout.flask("db", "upgrade")


@servers
def test_a_database_from_before_the_hashes_is_left_as_it_is(checkout: OwnHistory, database: Database) -> None:
    assert applied(checkout, THEIRS).returncode == 0
    database.execute("ALTER TABLE schema_ledger DROP content_hash, DROP cost, DROP renumbered_from")
    assert applied(checkout, OURS, LATER).returncode == 0
    assert database.scalar(TABLES) == ["later", "theirs"]


# A file, and the hash by which ledgers know it that were written before hashes had a mark.
RAN = """from app.release.operations import add_column_online, drop_column_contract as drop

revision = "0007"

def upgrade():
    add_column_online("things", "name")
"""
RAN_AS = "f836b8deb86e5acc49a1ca2e542ab529e9a145b018d388636b2c2cb6b82003f7"
MOVED = RAN.replace("app.release.operations", "online_migrations.operations")
# Python 3.13 prints its syntax tree otherwise than 3.12, and reads the ledger that 3.12 wrote.
PRINTED_OTHERWISE = MOVED.replace('"name"', """f"{'name'}\"""")
PRINTED_AS = "2:1e009157bd01734a13c71ff3ca25d80ae66d0e30a107b46ae510da92d755fc"


def hashes(folder: Path, text: str) -> tuple[str, str]:
    file = folder / "0007_step.py"
    file.write_text(text)
    return content_hashes(file)


def test_the_hash_is_the_same_in_each_python_and_what_ran_before_it_had_a_mark_has_that_of_then(
    tmp_path: Path,
) -> None:
    assert hashes(tmp_path, RAN)[1] == RAN_AS
    assert RAN_AS not in hashes(tmp_path, MOVED)
    assert hashes(tmp_path, PRINTED_OTHERWISE)[0] == PRINTED_AS


@pytest.mark.parametrize(
    "text",
    [
        MOVED,
        MOVED.replace("import ", "import Anything, ", 1),
        "# A comment.\n" + RAN.replace("0007", "0008").replace("upgrade():", 'upgrade():\n    """Say why."""'),
        "import online_migrations.operations\n" + MOVED,
    ],
)
def test_whence_the_library_is_imported_does_not_count(tmp_path: Path, text: str) -> None:
    now, then = hashes(tmp_path, RAN)
    assert (now[:2], len(now)) == ("2:", 64)
    assert hashes(tmp_path, text)[0] == now
    assert now not in (RAN_AS, then)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("things", "parts"),
        ("add_column_online(", "drop("),
        ("drop_column_contract as drop", "drop_table_contract as drop"),
        ("from app.release.operations", "from app.operations"),
        ("from app.release.operations", "from online_migrations_of_ours"),
        ("revision =", "import app.other\nrevision ="),
        ("revision =", 'phase = "contract"\nrevision ='),
        ("upgrade():", "downgrade():"),
    ],
)
def test_another_file_is_one_under_both_hashes(tmp_path: Path, old: str, new: str) -> None:
    assert set(hashes(tmp_path, RAN)).isdisjoint(hashes(tmp_path, RAN.replace(old, new)))


@servers
def test_what_ran_is_told_by_content_also_in_a_ledger_without_marks(checkout: OwnHistory, database: Database) -> None:
    """Another file of the number is refused. What has another number now is not run again, and the rest is run."""
    assert applied(checkout, THEIRS).returncode == 0
    for revision in ("0001", "0002"):
        new, old = content_hashes(checkout.versions / f"{revision}_step.py")
        update = "UPDATE schema_ledger SET content_hash = :old WHERE revision = :revision AND content_hash = :new"
        database.execute(update, old=old, revision=revision, new=new)
    refused = applied(checkout, OURS, LATER)
    said = ("0002 is another one in this code", "git log -p")
    assert (refused.returncode, [one for one in said if one not in refused.stderr]) == (1, [])
    assert (database.scalar(TABLES), database.scalar(LEDGER)) == (["theirs"], ["0001", "0002"])
    assert applied(checkout, THEIRS, LATER).returncode == 0, "the advice: the file as it was"
    marked = "SELECT array_agg(content_hash LIKE '2:%' ORDER BY revision) FROM schema_ledger"
    assert database.scalar(marked) == [False, False, True]
    merged = applied(checkout, OURS, THEIRS, LATER)  # theirs has the next number, and so has what follows
    assert merged.returncode == 0, merged.stderr
    assert database.scalar(TABLES) == ["later", "ours", "theirs"]
    assert database.scalar("SELECT version_num FROM alembic_version") == "0004"
    assert database.scalar(LEDGER) == ["0001", "0002", "0003 ran as 0002", "0004 ran as 0003"]


FORGET = 'op.execute("ALTER TABLE things DROP COLUMN note")'
ADD = 'op.execute("CREATE TABLE bills (id bigint)")'

# Where a revision that is not on the way from 0001 comes from: its parent, and what it depends on.
PLACES: dict[str, dict[str, Any]] = {
    "a base that depends on a label and a revision": {"depends_on": ("shop", "0001")},
    "a branch in the middle": {"down": "0001"},
}


def add(project: ModelProject, revision: str = "bill1", up: str = ADD, **given: Any) -> None:
    constants = f"{EXPAND}\nbranch_labels = {given.get('labels')!r}\ndepends_on = {given.get('depends_on')!r}"
    text = revision_text(revision, given.get("down"), up, constants, given.get("back", "pass"))
    (project.folder / f"versions/{revision}_by_hand.py").write_text(text)
    _read.cache_clear()
    written_heads.cache_clear()  # a process meets new files when it starts


@pytest.fixture
def branched(project: ModelProject) -> ModelProject:
    """Return the project at 0002, whose branch is labelled."""
    project.write("pass")
    file = project.files()[-1]
    file.write_text(file.read_text().replace('phase = "expand"', 'phase = "expand"\nbranch_labels = ("shop",)'))
    project.upgrade()
    project.goes_live()
    return project


def upgrade(project: ModelProject, to: str = "heads") -> None:
    flask_migrate.upgrade(str(project.folder), to)


def state(project: ModelProject) -> SchemaState:
    with project.database.migrating.connect() as connection:
        return read_schema_state(connection, ScriptDirectory(str(project.folder)))


def entries(project: ModelProject) -> list[str]:
    with project.database.migrating.connect() as connection:
        return sorted(row.revision for row in ledger.read_history(connection))


def versions(project: ModelProject) -> object:
    return project.database.scalar("SELECT string_agg(version_num, ' ') FROM alembic_version")


@pytest.mark.parametrize("place", PLACES)
def test_it_is_judged_and_stands_in_plan_status_and_ledger(branched: ModelProject, place: str) -> None:
    add(branched, up=FORGET, labels=("billing",), **PLACES[place])
    for to in ("heads", "bill1", "billing@head"):
        with pytest.raises(UnsafeOperation, match=r"things.note would be gone"):
            upgrade(branched, to)
    assert branched.database.scalar("SELECT count(note) FROM things") == 3
    assert versions(branched) == "0002"
    add(branched, labels=("billing",), **PLACES[place])
    assert (state(branched).name, state(branched).pending) == (BEHIND, ["bill1"])
    with branched.database.migrating.connect() as connection:
        [planned] = plan(connection, ScriptDirectory(str(branched.folder)), branched.metadata).revisions
    assert "CREATE TABLE bills (id bigint)" in planned.sql
    upgrade(branched)
    assert state(branched).name == AT_HEAD
    assert entries(branched) == ["0001", "0002", "bill1"]
    assert [one for one in branched.diagnosed() if one.rule in ("two-heads", "other-version", "behind")] == []
    assert branched.database.scalar("SELECT cost IS NOT NULL FROM schema_ledger WHERE revision = 'bill1'")


def test_what_a_revision_depends_on_is_run_and_judged_before_it(branched: ModelProject) -> None:
    add(branched, up=FORGET)
    branched.write("pass")
    file = branched.files()[-2]
    file.write_text(file.read_text().replace('phase = "expand"', 'phase = "expand"\ndepends_on = "bill1"'))
    _read.cache_clear()
    written_heads.cache_clear()
    assert state(branched).pending == ["bill1", "0003"]
    with pytest.raises(UnsafeOperation, match=r"things.note would be gone"):
        upgrade(branched, "0003")
    assert branched.database.scalar("SELECT count(note) FROM things") == 3


def test_a_downgrade_of_one_base_leaves_the_other_and_a_stamp_records_it(branched: ModelProject) -> None:
    add(branched, labels=("billing",), back='op.execute("DROP TABLE bills")')
    upgrade(branched)
    flask_migrate.downgrade(str(branched.folder), "billing@base")
    assert (entries(branched), versions(branched)) == (["0001", "0002"], "0002")
    flask_migrate.stamp(str(branched.folder), "heads")
    assert entries(branched) == ["0001", "0002", "bill1"]


def test_older_code_learns_from_the_ledger_whether_it_runs_on_another_base(branched: ModelProject) -> None:
    """After a rollback, it does not have the file."""
    add(branched, depends_on="0002")
    upgrade(branched)
    (branched.folder / "versions/bill1_by_hand.py").unlink()
    _read.cache_clear()
    written_heads.cache_clear()
    assert state(branched).name == AHEAD


def test_one_head_is_asked_for_and_there_are_two(branched: ModelProject) -> None:
    file = branched.files()[1]
    labelled, unlabelled = file.read_text(), file.read_text().replace('branch_labels = ("shop",)', "")
    for text, down, labels, advice in (
        (labelled, "0001", ("billing",), "flask db upgrade heads"),
        (unlabelled, None, None, "flask db upgrade heads"),  # another base
        (unlabelled, "0001", None, "flask db merge heads"),
    ):
        file.write_text(text)
        add(branched, down=down, labels=labels)
        with pytest.raises(ReleaseError, match=advice):
            upgrade(branched, "head")
        assert state(branched).pending == ["bill1"]
