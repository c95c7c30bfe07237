"""The world of bin/deploy without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.world import World, make_template, world_in


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment") / "template"
    make_template(folder)
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path / "world", template) as world:
        yield world
