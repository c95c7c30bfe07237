"""Folders in which PostgreSQL can run."""

import os
import shutil
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


def copy_data(template: Path, directory: Path) -> None:
    """Copy the data of a PostgreSQL that was stopped, which is quicker than making them again."""
    shutil.copytree(template, directory)
    owner = template.stat().st_uid  # nobody, when we are root
    for path in (directory, *directory.rglob("*")):
        os.chown(path, owner, -1)
