"""CONTRIBUTING.md makes features that pass the tests of the house, and refuses what it cannot make."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import Environment
from tools import feature
from tools.migration import Refused

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = {found["path"]: found["text"] for found in feature.BLOCK.finditer(GUIDE)}
# Tests that a new feature could break, but for the browser's tests and the walks over all migrations.
TESTS = [
    *("tests/books", "tests/reading_lists", "tests/api/test_document.py", "tests/api/test_queries.py"),
    *("tests/accounts/test_recent_sign_in.py", "tests/test_architecture.py", "tests/web/test_access.py"),
    *("tests/web/test_owners.py", "tests/web/test_templates.py"),
    "tests/release/test_lint.py::test_our_own_history_is_clean[newest]",
    "tests/release/test_migrations.py::test_every_table_is_given_rows_by_these_tests",
]


class Checkout:
    """Run commands in a copy of this checkout, which is a Git repository of its own."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self.folder = folder
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTEST_"))},
            **environment,
            **{f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            "APP_SETTINGS": "config.TestingConfig",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def run(self, *command: str, status: int = 0) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=400)
        said = done.stdout + done.stderr
        assert done.returncode == status, said[-5000:]
        return said

    def make(self, *arguments: str, status: int = 0) -> str:
        old = [f"--assume-old={target}" for target in ("install", "install-lint")]  # this environment has all
        return self.run("make", "--silent", *old, *arguments, f"BIN={Path(sys.executable).parent}", status=status)

    def commit(self) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message=step")


@pytest.fixture
def checkout(tmp_path: Path, migrated_environment: Environment) -> Checkout:
    folder = tmp_path / "semicircle"
    ignored = shutil.ignore_patterns(
        ".git", ".venv*", ".*_cache", "instance", "node_modules", "__pycache__", "screenshots"
    )
    shutil.copytree(ROOT, folder, ignore=ignored)
    if (ROOT / ".mypy_cache").is_dir():  # saves half a minute
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    copy = Checkout(folder, migrated_environment)
    copy.run("git", "init", "--quiet")
    copy.commit()
    return copy


@pytest.mark.minutes
@pytest.mark.servers
@pytest.mark.timeout(900)
def test_two_features_pass_the_tests_of_the_house(checkout: Checkout) -> None:
    checkout.make("feature", "NAME=books", "KOREAN=책")
    touched = checkout.run("git", "diff", "--name-only").split()
    assert touched == ["app/features.py", feature.CATALOG.replace(".po", ".mo"), feature.CATALOG]
    assert {path: (checkout.folder / path).read_text() for path in BLOCKS} == BLOCKS
    assert "Commit what you have changed" in checkout.make("feature", "NAME=recipes", status=2)
    assert checkout.run("git", "diff", "--name-only").split() == touched
    models = checkout.folder / "app/books/models.py"
    for length in (120, 100):  # the revision is written anew as long as it is not committed
        models.write_text(re.sub(r"TITLE_LENGTH = \d+", f"TITLE_LENGTH = {length}", models.read_text()))
        assert "Written: migrations/versions/" in checkout.make("migration", "MESSAGE=Create books")
        [revision] = (checkout.folder / "migrations/versions").glob("*create_books.py")
        assert f"sa.String(length={length})" in revision.read_text()
    checkout.commit()
    checkout.make("feature", "NAME=reading_lists")
    checkout.commit()
    checkout.run("python", "-m", "pytest", "-q", "-m", "not browser and not servers and not minutes", *TESTS)
    checkout.make("lint")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *(
            (name, "plural of 3 to 24 small letters")
            for name in ("", "book", "Books", "my-books", "x" * 24 + "s", "2s", "news", "glass")
        ),
        *((name, "which has a meaning in it") for name in ("classes", "lists", "pages", "forms", "rows", "titles")),
        *((name, "already: take another name") for name in ("notes", "todos", "jobs", "notices")),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(name: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature, "git", lambda *_: "")
    with pytest.raises(Refused, match=why):
        feature.checked(name, "", BLOCKS)


def test_a_checkout_with_changes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature, "git", lambda *_: " M app/__init__.py")
    with pytest.raises(Refused, match="Commit what you have changed"):
        feature.checked("bookmarks", "", BLOCKS)


@pytest.mark.parametrize(
    ("plural", "singular", "model"),
    [
        ("bookmarks", "bookmark", "Bookmark"), ("diaries", "diary", "Diary"), ("movies", "movie", "Movie"),
        ("boxes", "box", "Box"), ("dishes", "dish", "Dish"), ("reading_lists", "reading_list", "ReadingList"),
    ],
)  # fmt: skip
def test_the_names_of_a_feature(plural: str, singular: str, model: str) -> None:
    names = feature.Names(plural, "")
    assert names.code('get_book(books: Book) # _("All books") "/books"') == (
        f'get_{singular}({plural}: {model}) # _("All {plural.replace("_", " ")}") "/{plural}"'
    )
