"""Lint revisions: apply them to a scratch database with rows, and say what an upgrade would refuse, and where."""

import secrets
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import text

from app.extensions import Base
from app.release import options
from app.release.errors import ReleaseError
from app.release.lint import lint
from tests.databases import OUR_HISTORY
from tests.release.history import CONTRACT, EXPAND, NO_MODELS, findings, history, rules_of, write_revision
from tests.release.migrating import Database

pytestmark = pytest.mark.usefixtures("database")

NEWEST = [script.revision for script in OUR_HISTORY.walk_revisions()][:3]
SPLIT = "with op.get_context().autocommit_block():\n    op.execute(\"COMMENT ON TABLE todos IS 'split'\")\n"


def test_a_column_that_a_trigger_fills_may_be_required_by_an_expand(tmp_path: Path) -> None:
    column = 'sa.Column("words", sa.Integer(), nullable=False)'
    assert findings(tmp_path, f'add_computed_column_online("todos", {column}, "position + 1")', EXPAND) == []


def test_what_an_earlier_step_leaves_to_the_worker_is_done_when_the_next_one_needs_it(tmp_path: Path) -> None:
    begins = 'add_column_online("todos", sa.Column("words", sa.Integer()))\n'
    begins += 'backfill_later("words", "todos", "words = 1", "words IS NULL")'
    history(tmp_path, begins)
    needs = 'require_backfilled("words")\nset_not_null_online("todos", "words")'
    write_revision(tmp_path, "0003", "0002", needs, CONTRACT)
    assert lint(ScriptDirectory(str(tmp_path)), NO_MODELS, ["0002", "0003"]) == []
    assert lint(ScriptDirectory(str(tmp_path)), NO_MODELS, ["0003"]) == []


def test_a_connection_to_the_projects_own_database_is_refused(tmp_path: Path, database: Database) -> None:
    database.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
    url = database.url
    delete = f'with sa.create_engine({url!r}).begin() as other:\n    other.execute(sa.text("DELETE FROM kept"))'
    [finding] = findings(tmp_path, delete)
    assert "0002_step.py" in finding.what
    assert "Use op.get_bind()" in finding.what
    assert database.scalar("SELECT count(*) FROM kept") == 1


def test_it_names_the_file_the_line_and_the_way_out(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, 'pass\nop.execute("SELECT 1; DELETE FROM todos")')
    lines = (tmp_path / "versions/0002_step.py").read_text().splitlines()
    file, line = finding.place.split(":")
    assert file == "0002_step.py"
    assert "DELETE FROM todos" in lines[int(line) - 1]
    assert (finding.revision, finding.rule) == ("0002", "writes-many-rows")
    assert "backfill()" in finding.instead


def test_one_cause_is_one_finding_and_two_are_two(tmp_path: Path) -> None:
    upgrade = 'op.drop_column("todos", "note")\nop.execute("DELETE FROM people")'
    assert rules_of(tmp_path, upgrade) == ["drops-column", "writes-many-rows"]


def test_an_excuse_is_heeded(tmp_path: Path) -> None:
    upgrade = 'with excused("Nobody reads the column since spring."):\n    op.drop_column("todos", "note")'
    assert findings(tmp_path, upgrade) == []


@pytest.mark.parametrize(("constants", "rule"), [("", "phase-missing"), ('phase = "Expand"', "phase-unknown")])
def test_a_revision_says_its_phase(tmp_path: Path, constants: str, rule: str) -> None:
    assert rules_of(tmp_path, "pass", constants) == [rule]


def test_a_part_that_is_committed_early_must_run_again_after_a_kill(tmp_path: Path) -> None:
    twice = 'op.add_column("todos", sa.Column("due", sa.Date()))\n' + SPLIT
    assert rules_of(tmp_path, twice) == ["not-rerunnable"]
    again = 'op.execute("ALTER TABLE todos ADD COLUMN IF NOT EXISTS due date")\n' + SPLIT
    assert rules_of(tmp_path, again) == []


def test_a_step_that_fails_is_a_finding_with_what_the_server_said(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, 'op.execute("ALTER TABLE nowhere ADD x int")')
    assert finding.rule == "refused"
    assert 'relation "nowhere" does not exist' in finding.what


def test_all_revisions_are_looked_at_when_none_is_named(tmp_path: Path) -> None:
    write_revision(tmp_path, "0001", None, constants="")
    write_revision(tmp_path, "0002", "0001", constants="")
    found = lint(ScriptDirectory(str(tmp_path)), NO_MODELS)
    assert [finding.revision for finding in found] == ["0001", "0002"]


def test_a_revision_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"'9999'.*flask db history"):
        lint(history(tmp_path, "pass"), NO_MODELS, ["9999"])


def test_no_scratch_database_is_left(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    own = f"lint_{secrets.token_hex(4)}"  # other tests have theirs at the same time
    monkeypatch.setitem(current_app.extensions, "release", options.current()._replace(name=own))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {own}_scratch_0123abcd"))  # a process left it that was killed
    assert findings(tmp_path, 'op.execute("DROP TABLE people")')
    name = f"{own}_scratch_%"
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_database WHERE datname LIKE :name"), {"name": name}) == 0


@pytest.mark.parametrize("revisions", [NEWEST, pytest.param([], marks=pytest.mark.minutes)], ids=["newest", "all"])
def test_our_own_history_is_clean(revisions: list[str]) -> None:
    assert [(found.place, found.what) for found in lint(OUR_HISTORY, Base.metadata, revisions)] == []
