"""The server's code runs under Debian's own Python, and deploys every commit of the app: it needs nothing else."""

import sys
from pathlib import Path

import pytest

from tests.test_architecture import imported_modules

FILES = sorted((Path(__file__).parents[2] / "plain_server").glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_imports_the_standard_library_and_itself_alone(path: Path) -> None:
    assert {name.split(".")[0] for name in imported_modules(path)} <= {*sys.stdlib_module_names, "plain_server"}
