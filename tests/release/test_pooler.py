"""Refuse migrations through PgBouncer in transaction mode, where locks and settings go to whoever comes next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Environment
from tests.pgbouncer import STRICT, needs_pgbouncer, pooler
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database

MADE = (
    "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname IN ('alembic_version', 'schema_ledger', 'users')"
    " AND relnamespace IN ('public'::regnamespace, current_schema()::regnamespace)"
)

pytestmark = [pytest.mark.servers, needs_pgbouncer]


@pytest.fixture(params=[STRICT, f"{STRICT}, options"], ids=["strict", "ignoring options"])
def pooled(request: pytest.FixtureRequest, environment: Environment) -> Iterator[Environment]:
    """Yield the environment with a DATABASE_URL that leads through the pooler, and a direct one beside it.

    A strict one does not take the settings that we send when we connect; the other takes and forgets them.
    """
    with pooler(environment, ignored=request.param) as both:
        yield both


def test_a_release_through_a_pooler_is_refused_with_what_to_set_and_makes_nothing(
    pooled: Environment, database: Database, tmp_path: Path
) -> None:
    made = database.scalar(MADE)
    alone = {**pooled, "MIGRATION_DATABASE_URL": pooled["DATABASE_URL"]}
    refused = OwnHistory(tmp_path / "checkout", alone).flask("db", "upgrade")
    assert refused.returncode == 1
    assert "pooler" in refused.stderr
    assert "Set MIGRATION_DATABASE_URL to the database's direct URL" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert database.scalar(MADE) == made


def test_with_a_direct_url_for_migrations_beside_the_pooler_it_succeeds(
    pooled: Environment, database: Database, tmp_path: Path
) -> None:
    done = OwnHistory(tmp_path / "checkout", pooled).flask("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert database.scalar("SELECT to_regclass('users') IS NOT NULL")
