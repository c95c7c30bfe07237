"""CONTRIBUTING.md is followed line by line: the feature that it adds passes its tests and the house's rules."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po, write_po

from tests.databases import Environment

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
BLOCK = re.compile(r"^`(?P<path>[\w/.]+)`:\n\n```\w+\n(?P<text>.*?)```$", re.MULTILINE | re.DOTALL)
PATCH = re.compile(r"^```diff\n(?P<text>.*?)```$", re.MULTILINE | re.DOTALL)
SENTENCE = re.compile(r"^\| (?P<english>[^|]+?) \| (?P<korean>[^|]*[가-힣][^|]*?) \|$", re.MULTILINE)
CATALOG = "app/translations/ko/LC_MESSAGES/messages.po"

TESTS = [
    *("tests/books", "tests/test_architecture.py", "tests/web/test_access.py", "tests/web/test_preferences.py"),
    "tests/accounts/test_recent_sign_in.py::test_every_view_is_known_to_be_sensitive_or_not",
    *("tests/web/test_templates.py", "tests/release/test_lint.py::test_our_own_history_is_clean[newest]"),
    "tests/release/test_migrations.py::test_from_empty_the_models_and_the_schema_agree",
]


class Checkout:
    """Run the commands of the guide in a copy of this checkout."""

    def __init__(self, folder: Path, environment: Environment, log: Path) -> None:
        self.folder = folder
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            **environment,
            "APP_SETTINGS": "config.TestingConfig",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self._log = log

    def run(self, *command: str) -> None:
        with self._log.open("a") as log:
            done = subprocess.run(command, cwd=self.folder, env=self._env, stdout=log, stderr=log, timeout=300)
        assert done.returncode == 0, self._log.read_text()[-5000:]


@pytest.fixture
def checkout(tmp_path: Path, migrated_environment: Environment) -> Checkout:
    folder = tmp_path / "semicircle"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "instance", "node_modules", "__pycache__"))
    if (ROOT / ".mypy_cache").is_dir():  # saves half a minute
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    return Checkout(folder, migrated_environment, tmp_path / "log")


@pytest.mark.minutes
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_the_worked_feature_passes(checkout: Checkout) -> None:
    for block in BLOCK.finditer(GUIDE):
        path = checkout.folder / block["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["text"])
    for number, patch in enumerate(PATCH.finditer(GUIDE)):
        (checkout.folder / f"{number}.patch").write_text(patch["text"])
        checkout.run("git", "apply", f"{number}.patch")
    checkout.run("flask", "db", "migrate", "-m", "Create books")
    checkout.run("flask", "db", "upgrade")
    with (checkout.folder / CATALOG).open("rb") as file:
        catalog = read_po(file)
    for sentence in SENTENCE.finditer(GUIDE):
        catalog.add(sentence["english"], sentence["korean"])
    with (checkout.folder / CATALOG).open("wb") as file:
        write_po(file, catalog, width=120)
    checkout.run("make", "--silent", "--assume-old=install", "translations", f"BIN={Path(sys.executable).parent}")
    checkout.run("python", "-m", "pytest", "-q", *TESTS)
    checkout.run("ruff", "check", "app", "tests/books", "migrations")
    checkout.run("mypy", "app/books", "tests/books")
