"""Let safe revisions pass: nothing is said against them, and they do what they say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Environment, copied_database
from tests.release import judged
from tests.release.migrating import Database, connected
from tests.release.revision_corpus.cases import Safe, is_one_transaction, read_safe
from tests.release.sampling import one_in

SAFE = read_safe()
ROLLED_BACK = [case for case in SAFE if is_one_transaction(case.body)]
COMMITTED = [case for case in SAFE if not is_one_transaction(case.body)]


@pytest.fixture(scope="module")
def database(server_environment: Environment, corpus: str) -> Iterator[Database]:
    """Yield one database for all cases that can be rolled back."""
    with copied_database(server_environment, corpus) as environment, connected(environment) as database:
        yield database


@pytest.mark.parametrize("case", one_in(4, ROLLED_BACK), ids=str)
def test_it_passes_and_takes_effect(database: Database, tmp_path: Path, case: Safe) -> None:
    assert database.scalar(case.effect) is False
    assert judged.try_out(database, judged.written(tmp_path, case.body, case.phase), case.effect) is True


@pytest.mark.parametrize("case", one_in(20, COMMITTED), ids=str)  # a database each
def test_it_passes_and_commits_by_itself(corpus_copy: Database, tmp_path: Path, case: Safe) -> None:
    assert corpus_copy.scalar(case.effect) is False
    judged.upgrade(corpus_copy, judged.written(tmp_path, case.body, case.phase))
    assert corpus_copy.scalar(case.effect) is True
