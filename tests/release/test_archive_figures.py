"""The archive comes and goes (revisions 0039 to 0041): no note is lost, no write fails, and the figures are right."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import flask_migrate
from sqlalchemy import text

from app.extensions import db
from tests.databases import OUR_HISTORY
from tests.figures.counts import counted, kept
from tests.release.migrating import Database
from tests.release.test_count_figures import PEOPLE, WRITERS, writes

MIGRATIONS = OUR_HISTORY.dir
BEFORE, ARCHIVE = "0038", "0041"
NOTES = "SELECT string_agg(id || array_to_string(tags, ','), ';' ORDER BY id) FROM notes"
# One that is listed, and one that is in the trash.
PUT_AWAY = "UPDATE notes SET archived_at = now() WHERE tags && '{tag3,tag5}'"


def change_to(revision: str) -> None:
    db.session.rollback()  # whatever was read holds a lock
    change = flask_migrate.downgrade if revision == BEFORE else flask_migrate.upgrade
    change(MIGRATIONS, revision)


def listed_and_stored() -> set[tuple[int, int]]:
    """Notes of each person, as the figures say and a count says too."""
    db.session.rollback()
    assert kept() == counted()
    return {row[1:3] for row in kept()["figures"]}


def test_forth_back_and_forth_the_figures_are_right(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, BEFORE)
    database.execute(PEOPLE)
    notes = database.scalar(NOTES)
    for _ in range(2):
        change_to(ARCHIVE)
        assert listed_and_stored() == {(4, 5)}
        database.execute(PUT_AWAY)
        assert listed_and_stored() == {(3, 5)}
        change_to(BEFORE)
        assert listed_and_stored() == {(4, 5)}
    assert database.scalar(NOTES) == notes


def test_under_traffic_of_the_release_before_no_write_fails_and_no_figure_is_wrong(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, BEFORE)
    database.execute(PEOPLE)
    is_over = Event()
    with ThreadPoolExecutor(WRITERS) as threads:
        writing = [threads.submit(writes, database, seed, is_over) for seed in range(WRITERS)]
        try:
            for revision in (ARCHIVE, BEFORE, ARCHIVE):
                change_to(revision)
        finally:
            is_over.set()
        assert min(written.result() for written in writing) > 10
    assert kept() == counted()
    assert db.session.scalar(text("SELECT count(*) FROM notes WHERE archived_at IS NOT NULL")) == 0
