"""Bring figures to people who are there, and the archive (revisions 0039 to 0041) forth and back.

When an upgrade ends they are right, whatever is written meanwhile; no note is lost, and no write fails.
"""

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import flask_migrate
import pytest
from sqlalchemy import text

from app.extensions import db
from tests.databases import OUR_HISTORY
from tests.figures.counts import counted, kept
from tests.release.migrating import Database

MIGRATIONS = OUR_HISTORY.dir
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


def writes(database: Database, seed: int, is_over: Event) -> int:
    chance, written = random.Random(seed), 0  # noqa: S311 - repeatable
    while not is_over.is_set():
        owner = chance.randrange(1 + seed, 301, WRITERS)  # a person has one writer, so nobody waits in a circle
        database.execute(chance.choice(WRITES), owner=owner)
        written += 1
    return written


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
def test_forth_and_back_under_traffic_no_write_fails_and_no_figure_is_wrong(
    database: Database, first: str, revisions: tuple[str, ...], missing: str
) -> None:
    people(database, first)
    is_over = Event()
    with ThreadPoolExecutor(WRITERS) as threads:
        writing = [threads.submit(writes, database, seed, is_over) for seed in range(WRITERS)]
        try:
            for revision in revisions:
                change_to(revision)
            db.session.rollback()
        finally:
            is_over.set()
        assert min(written.result() for written in writing) > 10
    assert kept() == counted()
    assert db.session.scalar(text(f"SELECT count(*) FROM {missing}")) == 0
