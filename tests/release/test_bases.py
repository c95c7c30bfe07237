"""Judge, plan and record what Alembic is about to run, also with several bases and branches."""

from typing import Any

import flask_migrate
import pytest
from alembic.script import ScriptDirectory

from app.release import doctor, ledger, plan, revisions, schema_state
from app.release.errors import ReleaseError, UnsafeOperation
from app.release.schema_state import AT_HEAD, BEHIND
from tests.release.history import EXPAND, revision_text
from tests.release.model_project import ModelProject
from tests.release.sampling import named

FORGET = 'op.execute("ALTER TABLE things DROP COLUMN note")'
ADD = 'op.execute("CREATE TABLE bills (id bigint)")'

# Where a revision that is not on the way from 0001 comes from: its parent, and what it depends on.
PLACES: dict[str, dict[str, Any]] = {
    "a base of its own": {},
    "a base that depends on the first": {"depends_on": "0001"},
    "a base that depends on a label": {"depends_on": "shop"},
    "a base that depends on several": {"depends_on": ("0001", "0002")},
}


def add(project: ModelProject, revision: str = "bill1", up: str = ADD, **given: Any) -> None:
    constants = f"{EXPAND}\nbranch_labels = {given.get('labels')!r}\ndepends_on = {given.get('depends_on')!r}"
    text = revision_text(revision, given.get("down"), up, constants, given.get("back", "pass"))
    (project.folder / f"versions/{revision}_by_hand.py").write_text(text)
    revisions._read.cache_clear()  # a process meets new files when it starts


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


def state(project: ModelProject) -> schema_state.SchemaState:
    with project.database.migrating.connect() as connection:
        return schema_state.read_schema_state(connection, ScriptDirectory(str(project.folder)))


@pytest.mark.parametrize("place", named(2, PLACES))
def test_it_stands_in_plan_status_and_ledger_and_the_doctor_finds_nothing(
    branched: ModelProject, place: dict[str, Any]
) -> None:
    add(branched, labels=("billing",), **place)
    assert (state(branched).name, state(branched).pending) == (BEHIND, ["bill1"])
    code = ScriptDirectory(str(branched.folder))
    with branched.database.migrating.connect() as connection:
        [planned] = plan.plan(connection, [code.get_revision("bill1")])
    assert [step.sql for step in planned.steps] == ["CREATE TABLE bills (id bigint)"]
    upgrade(branched)
    assert state(branched).name == AT_HEAD
    with branched.database.migrating.connect() as connection:
        entries = ledger.read_entries(connection)
        found = doctor.diagnose(connection, branched.metadata)
    assert sorted(entries) == ["0001", "0002", "bill1"]
    assert [one for one in found if one.rule in ("ledger-gap", "two-heads", "other-version", "behind")] == []
    assert branched.database.scalar("SELECT cost IS NOT NULL FROM schema_ledger WHERE revision = 'bill1'")


@pytest.mark.parametrize("place", named(2, PLACES))
def test_it_is_judged_by_whatever_name_it_is_run(branched: ModelProject, place: dict[str, Any]) -> None:
    add(branched, up=FORGET, labels=("billing",), **place)
    for to in ("heads", "bill1", "billing@head"):
        with pytest.raises(UnsafeOperation, match=r"things.note would be gone"):
            upgrade(branched, to)
    assert branched.database.scalar("SELECT count(note) FROM things") == 3
    assert branched.database.scalar("SELECT string_agg(version_num, ' ') FROM alembic_version") == "0002"


def test_a_branch_in_the_middle_of_the_history_is_judged(branched: ModelProject) -> None:
    add(branched, up=FORGET, down="0001", labels=("billing",))
    with pytest.raises(UnsafeOperation, match=r"things.note would be gone"):
        upgrade(branched, "billing@head")
    assert branched.database.scalar("SELECT count(note) FROM things") == 3


def test_what_a_revision_depends_on_is_run_and_judged_before_it(branched: ModelProject) -> None:
    add(branched, up=FORGET)
    branched.write("pass")
    file = branched.files()[-2]
    file.write_text(file.read_text().replace('phase = "expand"', 'phase = "expand"\ndepends_on = "bill1"'))
    revisions._read.cache_clear()
    assert state(branched).pending == ["bill1", "0003"]
    with pytest.raises(UnsafeOperation, match=r"things.note would be gone"):
        upgrade(branched, "0003")
    assert branched.database.scalar("SELECT count(note) FROM things") == 3


def test_a_downgrade_of_one_base_leaves_the_other_and_a_stamp_records_it(branched: ModelProject) -> None:
    add(branched, labels=("billing",), back='op.execute("DROP TABLE bills")')
    upgrade(branched)
    flask_migrate.downgrade(str(branched.folder), "billing@base")
    with branched.database.migrating.connect() as connection:
        assert sorted(ledger.read_entries(connection)) == ["0001", "0002"]
    assert branched.database.scalar("SELECT string_agg(version_num, ' ') FROM alembic_version") == "0002"
    flask_migrate.stamp(str(branched.folder), "heads")
    with branched.database.migrating.connect() as connection:
        assert sorted(ledger.read_entries(connection)) == ["0001", "0002", "bill1"]


def test_older_code_learns_from_the_ledger_whether_it_runs_on_another_base(branched: ModelProject) -> None:
    """After a rollback, it does not have the file."""
    add(branched, depends_on="0002")
    upgrade(branched)
    (branched.folder / "versions/bill1_by_hand.py").unlink()
    revisions._read.cache_clear()
    assert state(branched).name == schema_state.AHEAD


@pytest.mark.parametrize(
    ("down", "labels", "advice"),
    [
        (None, None, "flask db upgrade heads"),
        ("0001", ("billing",), "flask db upgrade heads"),
        ("0001", None, "flask db merge heads"),
    ],
    ids=["another base", "a branch with a label", "a forgotten merge"],
)
def test_one_head_is_asked_for_and_there_are_two(
    branched: ModelProject, down: str | None, labels: tuple[str, ...] | None, advice: str
) -> None:
    if labels is None:
        file = branched.files()[1]
        file.write_text(file.read_text().replace('branch_labels = ("shop",)', ""))
    add(branched, down=down, labels=labels)
    with pytest.raises(ReleaseError, match=advice):
        upgrade(branched, "head")
    assert state(branched).pending == ["bill1"]
