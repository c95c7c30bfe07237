"""A run of several revisions, and a run after a red one: what happened before counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import HEAD, OUR_HISTORY, Environment, at_revision, copied_database
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database, connected

pytestmark = pytest.mark.servers

THINGS = "CREATE TABLE things (id bigint PRIMARY KEY); INSERT INTO things SELECT generate_series(1, 10);"
# A release that uses nothing, so that the runs after it are judged.
LIVE = "INSERT INTO schema_releases (mapping_hash, code_head, mapping, rules) VALUES ('none', '0001', '{}', '{}');"


@pytest.mark.smoke
def test_a_table_that_the_run_has_renamed_is_still_one_that_was_there(
    tmp_path: Path, environment: Environment, database: Database
) -> None:
    history = OwnHistory(tmp_path, environment)
    history.forget_history()
    history.write_revision(1, f'op.execute("""{THINGS} {LIVE}""")')
    assert history.flask("db", "upgrade").returncode == 0
    history.write_revision(2, 'rename_with_view("things", "objects")')
    history.write_revision(3, 'op.execute("TRUNCATE objects")')
    red = history.flask("db", "upgrade")
    assert red.returncode == 1
    assert "objects would be rewritten, or emptied" in red.stderr
    assert database.scalar("SELECT count(*) FROM objects") == 10
    assert database.scalar("SELECT version_num FROM alembic_version") == "0002"


def test_a_run_that_is_not_judged_says_so(tmp_path: Path, environment: Environment) -> None:
    """A release may serve the database, and not be allowed to note it."""
    history = OwnHistory(tmp_path, environment)
    history.forget_history()
    history.write_revision(1, f'op.execute("{THINGS}")')
    first = history.flask("db", "upgrade")
    history.write_revision(2, 'op.execute("TRUNCATE things")')
    second = history.flask("db", "upgrade")
    said = ["so nothing is judged" in done.stdout + done.stderr for done in (first, second)]
    assert (first.returncode, second.returncode, said) == (0, 0, [False, True])


@pytest.fixture
def behind(server_environment: Environment) -> Iterator[Environment]:
    """The service's own database, one revision before the head."""
    before = str(OUR_HISTORY.get_revision(HEAD).down_revision)
    with copied_database(server_environment, at_revision(server_environment, before)) as environment:
        yield environment


def test_what_is_not_as_the_models_say_stays_red_until_it_is(tmp_path: Path, behind: Environment) -> None:
    history = OwnHistory(tmp_path, behind)
    with connected(behind) as database:
        database.execute("ALTER TABLE users DROP COLUMN language")
        for _ in range(2):
            red = history.flask("db", "upgrade")
            assert red.returncode == 1
            assert "users.language" in red.stderr
        database.execute("ALTER TABLE users ADD language varchar(2)")
        green = history.flask("db", "upgrade")
        assert green.returncode == 0, green.stderr
