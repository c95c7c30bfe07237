"""The history of the service's schema: whole, step by step with the previous release beside it, and added to."""

import re
from itertools import pairwise

import flask_migrate
import pytest

from app.extensions import db
from online_migrations.errors import ReleaseError
from online_migrations.state import ledger
from tests.databases import HEAD, OUR_HISTORY
from tests.figures.counts import counted, kept
from tests.online_migrations.checkout import ROOT
from tests.online_migrations.migrating import Database
from tests.online_migrations.release_before import ReleaseBefore
from tests.online_migrations.rows import Rows, fill, rows, tables

# Sequences, views, types and functions, which no table would take along.
LEFT = """
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('S', 'v', 'm'))
  + (SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd'))
  + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)
"""
MIGRATIONS = str(ROOT / "migrations")
SCRIPTS = {script.revision: script for script in OUR_HISTORY.walk_revisions()}
REVISIONS = [*SCRIPTS][::-1]


def test_there_is_one_head_and_the_files_are_numbered_in_order() -> None:
    assert OUR_HISTORY.get_heads() == [HEAD]
    assert [f"{number:04d}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS


def test_no_test_names_the_newest_revision() -> None:
    """A new feature has a newer one, and its tests are green."""
    named = re.compile(rf"['\"{{]{HEAD}\b")
    assert [path for path in (ROOT / "tests").rglob("*.py") if named.search(path.read_text())] == []


def test_every_table_is_given_rows_by_these_tests(in_use: Database) -> None:
    fill()
    assert [table for table, found in rows().items() if not found] == []


def test_from_empty_the_models_and_the_schema_agree(in_use: Database) -> None:
    flask_migrate.check(MIGRATIONS)


def test_a_failing_step_leaves_what_was_finished_before_it(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, "0002")
    database.execute("CREATE TABLE user_sessions (in_the_way int)")
    with pytest.raises(ReleaseError, match="already exists"):
        flask_migrate.upgrade(MIGRATIONS)
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"


def assert_kept(before: Rows, after: Rows, step: str) -> None:
    """Require every row, and every column that stands in both."""
    for table in before.keys() & after.keys():
        assert len(before[table]) == len(after[table]) > 0, f"{step}: {table}"
        for old, new in zip(before[table], after[table], strict=True):
            both = old.keys() & new.keys()
            assert {name: old[name] for name in both} == {name: new[name] for name in both}, f"{step}: {table}"


def columns(of: Rows) -> set[tuple[str, str]]:
    return {(table, name) for table, found in of.items() for name in found[0]}


@pytest.mark.minutes
@pytest.mark.timeout(300)
def test_up_and_down_by_steps_and_up_at_once_keeps_rows_and_the_previous_release(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, REVISIONS[0])
    assert_goes_up_and_down(database, REVISIONS)
    flask_migrate.downgrade(MIGRATIONS, "base")
    assert (tables(), database.scalar(LEFT)) == ([], 0)


@pytest.mark.smoke
def test_so_does_the_newest_step(in_use: Database) -> None:
    flask_migrate.downgrade(MIGRATIONS, REVISIONS[-2])
    assert_goes_up_and_down(in_use, REVISIONS[-2:])


def assert_goes_up_and_down(database: Database, revisions: list[str]) -> None:
    """Require it of these steps, with rows in every table, of each revision and of all before it."""
    steps = [*pairwise(revisions)]
    before: dict[str, Rows] = {}
    dropped: set[tuple[str, str]] = set()  # columns that a contract took, which no downgrade brings back
    for revision, following in steps:
        fill()
        release, before[revision] = ReleaseBefore(database.engine), rows()
        flask_migrate.upgrade(MIGRATIONS, following)
        assert_kept(before[revision], after := rows(), f"up to {following}")
        fill(besides=before[revision])  # the newer release begins to write
        if ledger.phase_of(SCRIPTS[following]) == ledger.EXPAND:
            release.assert_works(database.engine)
        else:
            dropped |= columns(before[revision]) - columns(after)
    kept = rows()
    for revision, _ in reversed(steps):
        flask_migrate.downgrade(MIGRATIONS, revision)
        above, kept = kept, rows()
        assert_kept(above, kept, f"down to {revision}")
        for table, found in before[revision].items():
            known = [{name: row[name] for name in row if (table, name) not in dropped} for row in found]
            assert [row for row in kept[table] if row in known] == known, f"down to {revision}: {table}"
        assert kept.keys() == before[revision].keys()
    flask_migrate.upgrade(MIGRATIONS)
    assert_kept(kept, rows(), "up at once")
    flask_migrate.check(MIGRATIONS)


BEFORE_ARCHIVE, ARCHIVE = "0038", "0041"
PEOPLE = """
    INSERT INTO users (email, nickname, nickname_key, password_hash)
    SELECT n || '@example.com', 'n' || n, 'n' || n, 'hash' FROM generate_series(1, 300) n;
    INSERT INTO notes (user_id, title, content, tags, pinned, deleted_at)
    SELECT id, '', 'x', ARRAY['a', 'tag' || n], n = 1, CASE WHEN n = 5 THEN now() END
    FROM users, generate_series(1, 5) n"""
NOTES = "SELECT string_agg(id || array_to_string(tags, ','), ';' ORDER BY id) FROM notes"
# One that is listed, and one that is in the trash.
PUT_AWAY = "UPDATE notes SET archived_at = now() WHERE tags && '{tag3,tag5}'"


def listed_and_stored() -> set[tuple[int, int]]:
    """Return the notes of each person, as the figures say and a count says too."""
    assert kept() == counted()
    found = {row[1:3] for row in kept()["figures"]}
    db.session.rollback()  # what was read holds a lock
    return found


@pytest.mark.minutes
def test_the_archive_forth_back_and_forth(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, BEFORE_ARCHIVE)
    database.execute(PEOPLE)
    notes = database.scalar(NOTES)
    for _ in range(2):
        flask_migrate.upgrade(MIGRATIONS, ARCHIVE)
        assert listed_and_stored() == {(4, 5)}
        database.execute(PUT_AWAY)
        assert listed_and_stored() == {(3, 5)}
        flask_migrate.downgrade(MIGRATIONS, BEFORE_ARCHIVE)
        assert listed_and_stored() == {(4, 5)}
    assert database.scalar(NOTES) == notes
