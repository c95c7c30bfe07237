"""Folders in which PostgreSQL can run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import folder_for_postgres


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with folder_for_postgres() as folder:
        yield folder


@pytest.fixture(scope="module")
def path_of_module() -> Iterator[Path]:
    with folder_for_postgres() as folder:
        yield folder
