"""Take each step of the history, forth and back: no row is lost, and the previous release goes on working on it.

The previous release serves while the step runs, as long as nobody deploys, and after a rollback.
"""

from itertools import pairwise

import flask_migrate
import pytest

from app.release import ledger
from tests.databases import OUR_HISTORY
from tests.release.migrating import Database
from tests.release.release_before import ReleaseBefore
from tests.release.rows import Rows, fill, rows, tables

MIGRATIONS = OUR_HISTORY.dir
SCRIPTS = {script.revision: script for script in OUR_HISTORY.walk_revisions()}
REVISIONS = sorted(SCRIPTS)

pytestmark = [pytest.mark.minutes, pytest.mark.timeout(300)]


def assert_kept(before: Rows, after: Rows, step: str) -> None:
    """Require every row, and every column that stands in both."""
    for table in before.keys() & after.keys():
        assert len(before[table]) == len(after[table]) > 0, f"{step}: {table}"
        for old, new in zip(before[table], after[table], strict=True):
            both = old.keys() & new.keys()
            assert {name: old[name] for name in both} == {name: new[name] for name in both}, f"{step}: {table}"


@pytest.mark.parametrize("first", [pytest.param(REVISIONS[-2], marks=pytest.mark.smoke), REVISIONS[0]])
def test_up_down_and_up_again_no_row_is_lost_and_the_previous_release_reads_and_writes_as_it_did(
    database: Database, first: str
) -> None:
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
