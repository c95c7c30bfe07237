"""The history of the service's schema: whole, step by step with the previous release beside it, and added to."""

import json
import random
from itertools import pairwise
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError

from app.extensions import Base, db
from app.release import ledger
from app.release.errors import ReleaseError
from app.release.operations import rename_with_view, retire_column_online
from tests.databases import OUR_HISTORY, Environment
from tests.figures.counts import counted, kept
from tests.release.checkout import ROOT, OwnHistory
from tests.release.migrating import Database, traffic
from tests.release.release_before import ReleaseBefore
from tests.release.rows import ROWS, Rows, fill, our_models, rows, tables

MIGRATIONS = str(ROOT / "migrations")
REVISIONS = [script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()][::-1]
HEAD, NEXT = REVISIONS[-1], f"{len(REVISIONS) + 1:04d}"


def test_there_is_one_head_and_the_files_are_numbered_in_order() -> None:
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1
    assert [f"{number:04d}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS


def test_every_table_is_given_rows_by_these_tests(in_use: Database) -> None:
    assert set(ROWS) == set(tables())


def test_from_empty_the_models_and_the_schema_agree(in_use: Database) -> None:
    flask_migrate.check(MIGRATIONS)


def test_a_failing_step_leaves_what_was_finished_before_it(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, "0002")
    db.session.execute(text("CREATE TABLE user_sessions (in_the_way int)"))
    db.session.commit()
    with pytest.raises(ReleaseError, match="already exists"):
        flask_migrate.upgrade(MIGRATIONS)
    assert db.session.scalar(text("SELECT version_num FROM alembic_version")) == "0002"


# Statements that are no expand step: how the previous release notices, and the one that undoes each.
BREAKING = [
    (
        "ALTER TABLE notes ADD colour text NOT NULL DEFAULT ''; ALTER TABLE notes ALTER colour DROP DEFAULT",
        'null value in column "colour"',
        "ALTER TABLE notes DROP colour",
    ),
    ("UPDATE notes SET title = upper(title)", "notes reads otherwise", "UPDATE notes SET title = lower(title)"),
    (
        "CREATE TABLE pictures (note_id bigint REFERENCES notes (id)); INSERT INTO pictures SELECT id FROM notes",
        "violates foreign key constraint",
        "DROP TABLE pictures",
    ),
]


def test_the_stand_in_for_the_previous_release_finds_what_breaks_it_and_nothing_else(in_use: Database) -> None:
    """Each step of the history is tried on it, below."""
    release = ReleaseBefore(in_use.engine)
    for breaks, reason, mends in BREAKING:
        in_use.execute(breaks)
        with pytest.raises((DBAPIError, AssertionError), match=reason):
            release.assert_works(in_use.engine)
        in_use.execute(mends)
    in_use.migrate(lambda: rename_with_view("notes", "texts"))
    in_use.migrate(lambda: retire_column_online("todos", "description"))
    release.assert_works(in_use.engine)


def with_colour() -> MetaData:
    """Return our models with one column more."""
    metadata = our_models()
    metadata.tables["notes"].append_column(sa.Column("colour", sa.String(20), server_default="", nullable=False))
    return metadata


@pytest.fixture
def history(tmp_path: Path, migrated_environment: Environment) -> OwnHistory:
    return OwnHistory(tmp_path, migrated_environment)


def do(history: OwnHistory, *arguments: str) -> str:
    """Return what a command prints, which has to end well."""
    done = history.flask(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def revision_of(history: OwnHistory) -> str:
    return str(json.loads(do(history, "release", "status", "--json"))["database_revision"])


@pytest.mark.servers
def test_a_column_comes_with_one_release_and_goes_in_two(history: OwnHistory) -> None:
    """It goes when the code has stopped using it. Both in one release are refused, however often it is tried."""
    history.metadata = with_colour()
    assert history.flask("db", "check").returncode == 1
    do(history, "db", "migrate", "-m", "Add notes.colour")
    revision = (history.versions / f"{NEXT}_add_notes_colour.py").read_text()
    assert "add_column_online(" in revision
    assert 'phase = "expand"' in revision
    assert "auto generated" not in revision
    for command, expected in (("upgrade", NEXT), ("downgrade", HEAD), ("upgrade", NEXT)):
        do(history, "db", command)
        assert revision_of(history) == expected
    do(history, "db", "check")

    history.metadata = Base.metadata
    do(history, "db", "migrate", "-m", "Retire notes.colour")
    do(history, "db", "upgrade")
    do(history, "db", "check")
    do(history, "db", "migrate", "-m", "Drop notes.colour")
    [dropping] = history.versions.glob("*_drop_notes_colour.py")
    assert 'drop_column_contract("notes", "colour")' in dropping.read_text()
    assert 'phase = "contract"' in dropping.read_text()
    do(history, "db", "downgrade", NEXT)
    assert "In one run this is refused" in do(history, "release", "plan")
    for _ in range(2):
        refused = history.flask("db", "upgrade")
        assert refused.returncode == 1
        assert "in this same release" in refused.stderr
        assert revision_of(history) == NEXT
    do(history, "db", "upgrade", "+1")
    do(history, "db", "upgrade")
    do(history, "db", "check")


@pytest.mark.servers
def test_migrating_without_a_change_writes_no_revision(history: OwnHistory) -> None:
    do(history, "db", "migrate", "-m", "Nothing")
    assert not list(history.versions.glob(f"{NEXT}_*"))


@pytest.mark.servers
def test_the_sql_of_a_migration_can_be_printed(tmp_path: Path, environment: Environment) -> None:
    assert "CREATE TABLE users" in do(OwnHistory(tmp_path, environment), "db", "upgrade", "--sql")


SCRIPTS = {script.revision: script for script in OUR_HISTORY.walk_revisions()}


def assert_kept(before: Rows, after: Rows, step: str) -> None:
    """Require every row, and every column that stands in both."""
    for table in before.keys() & after.keys():
        assert len(before[table]) == len(after[table]) > 0, f"{step}: {table}"
        for old, new in zip(before[table], after[table], strict=True):
            both = old.keys() & new.keys()
            assert {name: old[name] for name in both} == {name: new[name] for name in both}, f"{step}: {table}"


@pytest.mark.minutes
@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", [pytest.param(REVISIONS[-2], marks=pytest.mark.smoke), REVISIONS[0]])
def test_up_down_and_up_again_keeps_rows_and_the_previous_release(database: Database, first: str) -> None:
    """With rows in every table, of this revision and of all before it."""
    flask_migrate.upgrade(MIGRATIONS, first)
    for revision, following in pairwise(REVISIONS[REVISIONS.index(first) :]):
        fill()
        release, before = ReleaseBefore(database.engine), rows()

        flask_migrate.upgrade(MIGRATIONS, following)
        assert_kept(before, rows(), f"up to {following}")
        fill(besides=before)  # the newer release begins to write
        if ledger.phase_of(SCRIPTS[following]) == ledger.EXPAND:
            release.assert_works(database.engine)

        flask_migrate.downgrade(MIGRATIONS, revision)
        assert rows() == before, f"down to {revision}"
        flask_migrate.upgrade(MIGRATIONS, following)
        assert_kept(before, rows(), f"up to {following} again")
    flask_migrate.check(MIGRATIONS)


@pytest.mark.minutes
@pytest.mark.timeout(300)
def test_back_from_the_head_to_each_revision_and_up_at_once_no_row_is_lost(in_use: Database) -> None:
    before = rows()
    for revision in REVISIONS[-2::-1]:
        flask_migrate.downgrade(MIGRATIONS, revision)
        kept = rows()
        assert_kept(before, kept, f"down to {revision}")
    flask_migrate.upgrade(MIGRATIONS)
    assert_kept(kept, rows(), "up at once")
    flask_migrate.downgrade(MIGRATIONS, "base")
    assert tables() == []
    flask_migrate.upgrade(MIGRATIONS)
    flask_migrate.check(MIGRATIONS)


BEFORE_FIGURES, COUNTED = "0024", "0029"
BEFORE_ARCHIVE, ARCHIVE = "0038", "0041"
WRITERS = 3
PEOPLE = """
    INSERT INTO users (email, nickname, nickname_key, password_hash)
    SELECT n || '@example.com', 'n' || n, 'n' || n, 'hash' FROM generate_series(1, 300) n;
    INSERT INTO notes (user_id, title, content, tags, pinned, deleted_at)
    SELECT id, '', 'x', ARRAY['a', 'tag' || n], n = 1, CASE WHEN n = 5 THEN now() END
    FROM users, generate_series(1, 5) n;
    INSERT INTO todos (user_id, description, completed, deleted_at)
    SELECT id, 'x', n = 1, CASE WHEN n = 3 THEN now() END FROM users, generate_series(1, 3) n;
    INSERT INTO results (user_id, url, status) SELECT id, 'x', 'done' FROM users"""
# What the previous release writes.
WRITES = (
    "INSERT INTO notes (user_id, title, content, tags) SELECT id, '', 'x', '{a,new}' FROM users WHERE id = :owner",
    "UPDATE notes SET tags = '{b}', version = version + 1 WHERE user_id = :owner AND deleted_at IS NULL",
    "UPDATE notes SET deleted_at = now() WHERE user_id = :owner AND pinned",
    "UPDATE notes SET deleted_at = NULL WHERE user_id = :owner",
    "DELETE FROM notes WHERE user_id = :owner AND title = ''  AND id % 7 = 0",
    "UPDATE todos SET completed = NOT completed WHERE user_id = :owner",
    "DELETE FROM users WHERE id = :owner AND id % 50 = 0",
    "INSERT INTO users (email, nickname, nickname_key, password_hash)"
    " SELECT key || '@example.org', key, key, 'hash' FROM (SELECT md5(random()::text) AS key) AS new WHERE :owner > 0",
)


NOTES = "SELECT string_agg(id || array_to_string(tags, ','), ';' ORDER BY id) FROM notes"
# One that is listed, and one that is in the trash.
PUT_AWAY = "UPDATE notes SET archived_at = now() WHERE tags && '{tag3,tag5}'"


def people(database: Database, revision: str) -> None:
    flask_migrate.upgrade(MIGRATIONS, revision)
    database.execute(PEOPLE)


def change_to(revision: str) -> None:
    db.session.rollback()  # whatever was read holds a lock
    is_older = revision in (BEFORE_ARCHIVE, "0025")
    (flask_migrate.downgrade if is_older else flask_migrate.upgrade)(MIGRATIONS, revision)


def listed_and_stored() -> set[tuple[int, int]]:
    """Return the notes of each person, as the figures say and a count says too."""
    db.session.rollback()
    assert kept() == counted()
    return {row[1:3] for row in kept()["figures"]}


def test_the_archive_forth_back_and_forth(database: Database) -> None:
    people(database, BEFORE_ARCHIVE)
    notes = database.scalar(NOTES)
    for _ in range(2):
        change_to(ARCHIVE)
        assert listed_and_stored() == {(4, 5)}
        database.execute(PUT_AWAY)
        assert listed_and_stored() == {(3, 5)}
        change_to(BEFORE_ARCHIVE)
        assert listed_and_stored() == {(4, 5)}
    assert database.scalar(NOTES) == notes


@pytest.mark.parametrize(
    ("first", "revisions", "missing"),
    [
        (BEFORE_FIGURES, (COUNTED, "0025", COUNTED), "users WHERE figures_counted_at IS NULL"),
        (BEFORE_ARCHIVE, (ARCHIVE, BEFORE_ARCHIVE, ARCHIVE), "notes WHERE archived_at IS NOT NULL"),
    ],
    ids=["figures", "archive"],
)
def test_under_traffic_figures_are_right(
    database: Database, first: str, revisions: tuple[str, ...], missing: str
) -> None:
    people(database, first)
    chance = random.Random(1)  # noqa: S311 - repeatable

    def write(writer: int, _turn: int) -> None:
        """Write as one of its own people, so that nobody waits in a circle."""
        database.execute(chance.choice(WRITES), owner=chance.randrange(1 + writer, 301, WRITERS))

    with traffic(WRITERS, write):
        for revision in revisions:
            change_to(revision)
        db.session.rollback()
    assert kept() == counted()
    assert db.session.scalar(text(f"SELECT count(*) FROM {missing}")) == 0
