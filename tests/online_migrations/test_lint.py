"""Read a revision's file: its phase and hash; and lint it on a scratch database with rows."""

import re
import secrets
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from flask import current_app
from sqlalchemy import make_url, text

from app.extensions import Base
from online_migrations import options
from online_migrations.errors import ReleaseError
from online_migrations.lint import lint
from online_migrations.state.ledger import phase_of
from tests.databases import OUR_HISTORY
from tests.online_migrations.history import (
    BASE,
    CONTRACT,
    EXPAND,
    NO_MODELS,
    findings,
    history,
    rules_of,
    write_revision,
)
from tests.online_migrations.migrating import Database

# It judges by the guard, which test_hand_written_revisions.py tries on each server.
pytestmark = [pytest.mark.newest_server, pytest.mark.usefixtures("database")]

NEWEST = [script.revision for script in OUR_HISTORY.walk_revisions()][:3]
SPLIT = "with op.get_context().autocommit_block():\n    op.execute(\"COMMENT ON TABLE todos IS 'split'\")\n"


# The lines of upgrade(), and the rules that they break.
JUDGED: list[tuple[str, list[str]]] = [
    ('op.drop_column("todos", "note")\nop.execute("DELETE FROM people")', ["drops-column", "deletes-rows"]),
    ('with excused("Nobody reads the column since spring."):\n    op.drop_column("todos", "note")', []),
    ('op.add_column("todos", sa.Column("due", sa.Date(), nullable=False))', ["requires-new-column"]),  # not with rows
    # A part that is committed early must run again after a kill.
    (f'op.add_column("todos", sa.Column("due", sa.Date()))\n{SPLIT}', ["not-rerunnable"]),
    (f'op.execute("ALTER TABLE todos ADD COLUMN IF NOT EXISTS due date")\n{SPLIT}', []),
    # A column that a trigger fills may be required by an expand.
    ('add_computed_column_online("todos", sa.Column("words", sa.Integer(), nullable=False), "position + 1")', []),
]


def test_each_cause_is_one_finding(tmp_path: Path) -> None:
    found = {upgrade: rules_of(tmp_path / str(number), upgrade) for number, (upgrade, _) in enumerate(JUDGED)}
    assert found == dict(JUDGED)
    assert rules_of(tmp_path / "none", "pass", "") == ["phase-missing"]
    assert rules_of(tmp_path / "odd", "pass", 'phase = "Expand"') == ["phase-unknown"]


def test_a_line_that_runs_many_times_is_told_as_an_upgrade_tells_it(tmp_path: Path) -> None:
    loop = 'for number in range(9):\n    op.execute(f"UPDATE todos SET position = {number}")\n'
    found = findings(tmp_path, loop + 'op.drop_column("people", "name")', CONTRACT)
    *first, last = [finding.what for finding in found if finding.rule == "writes-many-rows"]
    assert len(first) == 2
    assert last.endswith(" And 6 more.")
    assert "drops-column" in [finding.rule for finding in found]


def test_what_an_earlier_step_leaves_to_the_worker_is_done_when_the_next_one_needs_it(tmp_path: Path) -> None:
    begins = 'add_column_online("todos", sa.Column("words", sa.Integer()))\n'
    begins += 'backfill_later("words", "todos", "words = 1", "words IS NULL")'
    history(tmp_path, begins)
    needs = 'require_backfilled("words")\nset_not_null_online("todos", "words")'
    write_revision(tmp_path, "0003", "0002", needs, CONTRACT)
    for revisions in (["0002", "0003"], ["0003"]):
        assert lint(ScriptDirectory(str(tmp_path)), NO_MODELS, revisions) == []


def test_what_revisions_have_written_outlives_one_that_fails_on_rows_of_our_making(tmp_path: Path) -> None:
    history(tmp_path, "op.execute(\"INSERT INTO people (name) VALUES ('Ada')\")")
    refused = 'CHECKS.pop()\nop.execute("ALTER TABLE todos ADD CHECK (position < 0)")'
    write_revision(tmp_path, "0003", "0002", refused, f"{EXPAND}\nCHECKS = [1]")  # and it runs twice in one process
    ada = "(SELECT name FROM people WHERE name = 'Ada')"
    write_revision(
        tmp_path, "0004", "0003", f'op.execute("INSERT INTO todos (description, position) SELECT {ada}, -1")'
    )
    write_revision(tmp_path, "0005", "0004", 'op.execute("DELETE FROM people")')
    found = lint(ScriptDirectory(str(tmp_path)), NO_MODELS, ["0002", "0003", "0004", "0005"])
    assert [one.place for one in found] == ["0003_step.py:16", "0003_step.py:16", "0005_step.py:14"]


def test_the_shadow_of_a_former_type_may_go(tmp_path: Path) -> None:
    history(tmp_path, 'change_type_online("todos", "position", "BIGINT")')
    write_revision(tmp_path, "0003", "0002", 'drop_shadow_contract("todos", "position")', CONTRACT)
    assert lint(ScriptDirectory(str(tmp_path)), NO_MODELS, ["0003"]) == []


def test_a_table_may_not_go_of_which_a_column_was_retired(tmp_path: Path) -> None:
    history(tmp_path, 'retire_column_online("people", "name")')
    write_revision(tmp_path, "0003", "0002", 'op.execute("DROP TABLE people")', CONTRACT)
    assert [found.rule for found in lint(ScriptDirectory(str(tmp_path)), NO_MODELS, ["0003"])] == ["drops-table"]


def test_a_connection_to_the_projects_own_database_is_refused(tmp_path: Path, database: Database) -> None:
    database.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
    begun = f"with sa.create_engine({database.url!r}).begin() as other:"
    [finding] = findings(tmp_path, f'{begun}\n    other.execute(sa.text("DELETE FROM kept"))')
    assert "0002_step.py" in finding.what
    assert "Use op.get_bind()" in finding.what
    assert database.scalar("SELECT count(*) FROM kept") == 1


def test_it_names_the_file_the_line_and_the_way_out(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, 'pass\nop.execute("SELECT 1; DELETE FROM todos")')
    lines = (tmp_path / "versions/0002_step.py").read_text().splitlines()
    file, line = finding.place.split(":")
    assert file == "0002_step.py"
    assert "DELETE FROM todos" in lines[int(line) - 1]
    assert (finding.revision, finding.rule) == ("0002", "deletes-rows")
    assert 'excused("…")' in finding.instead


@pytest.mark.parametrize(
    ("constants", "upgrade", "said"),
    [
        (EXPAND, 'op.get_bind().execute(sa.text("SELECT 1 WHERE false")).fetchone()[0]', "0002_step.py:14 .*TypeError"),
        (EXPAND, "raise SystemExit(3)", "0002_step.py:14 .*SystemExit: 3"),
        (f"{EXPAND}; Mute = type('Mute', (BaseException,), {{'__str__': None}})", "raise Mute", "0002.*cannot be read"),
        (EXPAND, 'raise ValueError("\\ud800")', r"0002_step.py:14 .*ValueError: \?"),
        (EXPAND, "op.get_bind().invalidate()", "0002_step.py fails"),
        (EXPAND, "yield", r"0002_step.py: no call runs its upgrade\(\)"),
        (EXPAND, 'op.execute("ALTER TABLE nowhere ADD x int")', '0002_step.py:14 .*"nowhere" does not exist'),
        (EXPAND, 'op.execute("CREATE EXTENSION nowhere")', '0002_step.py:14 .*"nowhere" is not available'),
        ("import nowhere", "pass", "0002_step.py:10 cannot be imported, ModuleNotFoundError"),
        ("def", "pass", "0002_step.py:10 cannot be imported, SyntaxError"),
    ],
)
def test_whatever_a_file_does_is_one_finding_with_its_line(
    tmp_path: Path, constants: str, upgrade: str, said: str
) -> None:
    write_revision(tmp_path, "0001", None, BASE)
    write_revision(tmp_path, "0002", "0001", upgrade, constants)
    write_revision(tmp_path, "0003", "0002", 'op.execute("DELETE FROM people")')
    [finding] = lint(ScriptDirectory(str(tmp_path)), NO_MODELS)[-1:]
    assert re.match(said, finding.what)
    assert finding.place.startswith("0002_step.py")
    assert [one.place for one in lint(ScriptDirectory(str(tmp_path)), NO_MODELS, ["0003"])] == [finding.place]


def test_it_begins_with_what_no_revision_makes(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema of the search path, the tables from before the first revision, and what a revision needs of them."""
    base = tmp_path / "base.sql"
    base.write_text("\\restrict x\nSELECT set_config('search_path', '', false);\nCREATE TABLE public.ours (id int);")
    given = options.current()
    url = make_url(given.url).update_query_dict({"options": "-csearch_path=tenant,public"})
    given = given._replace(base_schema=str(base), url=url.render_as_string(hide_password=False))
    monkeypatch.setitem(current_app.extensions, "release", given)
    write_revision(tmp_path, "0001", None, 'op.execute("CREATE TABLE tenant.theirs AS TABLE ours")')
    write_revision(tmp_path, "0002", "0001", 'op.add_column("ours", sa.Column("name", sa.Text()))')
    assert lint(ScriptDirectory(str(tmp_path)), NO_MODELS) == []
    monkeypatch.setitem(current_app.extensions, "release", given._replace(baseline="0001"))
    assert lint(ScriptDirectory(str(tmp_path)), NO_MODELS) == []
    base.write_text("CREATE")
    with pytest.raises(ReleaseError, match=r"base\.sql cannot be loaded: syntax error.*pg_dump --schema-only"):
        lint(ScriptDirectory(str(tmp_path)), NO_MODELS)
    assert database.scalar("SELECT to_regnamespace('tenant')") is None


def test_when_none_is_named_all_are_judged_since_the_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        write_revision(tmp_path, f"000{number}", f"000{number - 1}" if number > 1 else None, constants="")
    for baseline, judged in ((None, ["0001", "0002", "0003"]), ("0002", ["0003"])):
        monkeypatch.setitem(current_app.extensions, "release", options.current()._replace(baseline=baseline))
        assert [finding.revision for finding in lint(ScriptDirectory(str(tmp_path)), NO_MODELS)] == judged
    monkeypatch.setitem(current_app.extensions, "release", options.current()._replace(baseline="nowhere"))
    with pytest.raises(RevisionError, match="nowhere"):
        lint(ScriptDirectory(str(tmp_path)), NO_MODELS)
    with pytest.raises(ReleaseError, match=r"'9999'.*flask db history"):
        lint(ScriptDirectory(str(tmp_path)), NO_MODELS, ["9999"])


def test_no_scratch_database_is_left(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    own = f"lint_{secrets.token_hex(4)}"  # other tests have theirs at the same time
    monkeypatch.setitem(current_app.extensions, "release", options.current()._replace(name=own))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {own}_scratch_0123abcd"))  # a process left it that was killed
    assert findings(tmp_path, 'op.execute("DROP TABLE people")')
    assert database.scalar("SELECT count(*) FROM pg_database WHERE datname LIKE :name", name=f"{own}_scratch_%") == 0


@pytest.mark.parametrize(
    "revisions",
    [pytest.param(NEWEST, marks=pytest.mark.smoke), pytest.param([], marks=pytest.mark.minutes)],
    ids=["newest", "all"],
)
def test_our_own_history_is_clean(revisions: list[str]) -> None:
    assert [(found.place, found.what) for found in lint(OUR_HISTORY, Base.metadata, revisions)] == []


def test_whatever_does_not_say_expand_counts_as_contract(tmp_path: Path) -> None:
    """That is the safe answer for a rollback."""
    for constants in ('phase = "expand"', 'phase = "contract"', "", 'phase = "Expand"', "phase = True"):
        phase = phase_of(history(tmp_path, "pass", constants).get_revision("0002"))
        assert phase == ("expand" if constants == 'phase = "expand"' else "contract"), constants
