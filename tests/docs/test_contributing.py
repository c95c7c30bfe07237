"""CONTRIBUTING.md is followed word for word: a feature goes, the service gets a name of its own, features come.

All of it happens to one copy of this checkout, whose tests pass at the end. What fails says which command it was.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from app.accounts.password_policy import CONTEXT
from app.portability.archive import FORMAT
from tests.databases import Environment
from tests.samples import TAKEN_OUT
from tools import feature, rename
from tools.migration import Refused

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = {found["path"]: found["text"] for found in feature.BLOCK.finditer(GUIDE)}
SITE, KOREAN = CONTEXT[:2]
KEEP_THE_NAME = ("app/portability/archive.py", "migrations/versions/", "tools/rename.py")
TAKE_OUT = GUIDE.partition("## Take a feature out\n")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"^    (?!with| )(?:.venv/bin/)?(.*)$", TAKE_OUT, re.MULTILINE)
[RECOUNT] = re.findall(r"^```python\n(.*?)```$", TAKE_OUT, re.MULTILINE | re.DOTALL)
ROWS = """
    INSERT INTO users (email, nickname, nickname_key, password_hash) VALUES ('a@example.com', 'a', 'a', '');
    INSERT INTO results (user_id, url, status) SELECT id, 'https://example.com', 'done' FROM users;
    INSERT INTO notes (user_id, title, content) SELECT id, 'stays', '' FROM users"""
KEPT = "SELECT results_done, results_stored, notes_stored FROM figures"
# Tests that named word counts, that know the name, or that a new feature could break, but for those that need a browser
# or processes of their own, and the walks over all migrations.
TESTS = [
    *("tests/books", "tests/reading_lists", "tests/accounts/test_password_policy.py"),
    *("tests/accounts/test_recent_sign_in.py", "tests/api/test_document.py", "tests/api/test_queries.py", "tests/demo"),
    *("tests/docs/test_api.py", "tests/docs/test_promises.py", "tests/mail", "tests/mypage/test_my_page.py"),
    *("tests/portability/test_export.py", "tests/test_architecture.py", "tests/test_config.py", "tests/test_purge.py"),
    *("tests/test_quotas.py", "tests/web/test_access.py", "tests/web/test_installation.py"),
    *("tests/web/test_templates.py", "tests/portability/test_everything.py"),
    "tests/online_migrations/test_lint.py::test_our_own_history_is_clean[newest]",
    "tests/online_migrations/test_migrations.py::test_every_table_is_given_rows_by_these_tests",
    "tests/online_migrations/test_migrations.py::test_from_empty_the_models_and_the_schema_agree",
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

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=400)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-5000:]
        return said

    def make(self, *arguments: str) -> str:
        old = [f"--assume-old={target}" for target in ("install", "install-lint")]  # this environment has all
        return self.run("make", "--silent", *old, *arguments, f"BIN={Path(sys.executable).parent}")

    def commit(self) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message=step")


@pytest.fixture
def checkout(tmp_path: Path, migrated_environment: Environment) -> Checkout:
    folder = tmp_path / "semicircle"
    ignored = shutil.ignore_patterns(".git", ".venv*", "instance", "node_modules", "screenshots")
    shutil.copytree(ROOT, folder, ignore=ignored)  # with what is compiled and cached, which saves a minute
    copy = Checkout(folder, migrated_environment)
    copy.run("git", "init", "--quiet")
    copy.commit()
    return copy


@pytest.mark.minutes
@pytest.mark.servers
@pytest.mark.timeout(900)
@pytest.mark.skipif(bool(TAKEN_OUT) or SITE != FORMAT, reason="it was followed here already")
def test_the_guide_works_as_it_is_written(checkout: Checkout, migrated_environment: Environment) -> None:
    engine = create_engine(migrated_environment["DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text(ROWS))
    take_word_counts_out(checkout)
    name_the_service(checkout)
    make_two_features(checkout)
    checkout.make("lint")
    checkout.run("python", "-m", "pytest", "-q", "-m", "not browser and not servers and not minutes", *TESTS)
    drop_the_table(checkout)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT recount_figures(id) FROM users")).all() == [(1,)]
        assert connection.execute(text(KEPT)).all() == [(0, 0, 1)]
        assert connection.scalar(text("SELECT to_regclass('results')")) is None


def take_word_counts_out(checkout: Checkout) -> None:
    *commands, tested, _dropping = COMMANDS
    assert tested == "make test && make lint"
    for command in commands:
        if command.startswith("make"):
            checkout.make(command.removeprefix("make "))
        else:
            checkout.run("sh", "-c", command)
    checkout.commit()


def name_the_service(checkout: Checkout) -> None:
    """Leave the name of before where the guide says so, and nowhere else."""
    checkout.make("rename", "NAME=Half Moon", "KOREAN=반쪽달")
    checkout.make("translations", "format")
    found = checkout.run("git", "grep", "--ignore-case", "--name-only", "--extended-regexp", f"{SITE}|{KOREAN}").split()
    assert [name for name in found if not name.startswith(KEEP_THE_NAME)] == []
    checkout.commit()


def make_two_features(checkout: Checkout) -> None:
    checkout.make("feature", "NAME=books", "KOREAN=책")
    touched = checkout.run("git", "diff", "--name-only").split()
    assert touched == ["app/features.py", feature.CATALOG.replace(".po", ".mo"), feature.CATALOG]
    assert {path: (checkout.folder / path).read_text() for path in BLOCKS} == BLOCKS
    models = checkout.folder / "app/books/models.py"
    models.write_text(models.read_text().replace("TITLE_LENGTH = 100", "TITLE_LENGTH = 90"))
    assert "Written: migrations/versions/" in checkout.make("migration", "MESSAGE=Create books")
    [revision] = (checkout.folder / "migrations/versions").glob("*create_books.py")  # the same, as it is not committed
    assert "sa.String(length=90)" in revision.read_text()
    checkout.commit()
    checkout.make("feature", "NAME=reading_lists")
    checkout.commit()
    checkout.run("flask", "db", "upgrade")


def drop_the_table(checkout: Checkout) -> None:
    checkout.run("sh", "-c", COMMANDS[-1])
    [revision] = (checkout.folder / "migrations/versions").glob("*drop_the_results*.py")
    drop = '    drop_table_contract("results")\n'
    written = revision.read_text().replace(drop, textwrap.indent(textwrap.dedent(RECOUNT), "    ") + drop)
    revision.write_text(written.replace("drop_table_contract\n", "drop_table_contract, excused\n", 1))
    checkout.run("flask", "db", "upgrade")


NO_PLURAL = "plural of 3 to 24 small letters"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, NO_PLURAL) for name in ("", "book", "Books", "my-books", "x" * 24 + "s", "2s", "news", "glass")),
        *((name, "which has a meaning in it") for name in ("classes", "lists", "pages", "forms", "rows", "titles")),
        *((name, "already: take another name") for name in ("notes", "todos", "jobs", "notices", "profiles")),
        *((name, "already: take another name") for name in ("mailed_links", "procrastinate_jobs")),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(name: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature, "git", lambda *_: "")
    with pytest.raises(Refused, match=why):
        feature.checked(name, "", BLOCKS)


def test_a_name_of_the_service_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rename, "ROOT", None)  # so nothing can be written
    monkeypatch.setattr(rename, "git", lambda *_: "")
    for names in (("half moon", "반쪽달"), ("Half Moon", ""), ("Half-Moon", "반쪽달"), ("Half ", "반쪽달")):
        with pytest.raises(SystemExit, match="Give the name in Latin letters and in Korean"):
            rename.main(*names)
    for name in ("User", "Postgres"):
        with pytest.raises(SystemExit, match="PostgreSQL gives"):
            rename.main(name, "반쪽달")


def test_a_checkout_with_changes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in (feature, rename):
        monkeypatch.setattr(tool, "git", lambda *_: " M app/__init__.py")
    with pytest.raises(Refused, match="Commit what you have changed"):
        feature.checked("zebras", "", BLOCKS)
    with pytest.raises(SystemExit, match="Commit what you have changed"):
        rename.main("Half Moon", "반쪽달")


@pytest.mark.parametrize(
    ("plural", "singular", "model"),
    [
        ("bookmarks", "bookmark", "Bookmark"), ("diaries", "diary", "Diary"), ("movies", "movie", "Movie"),
        ("boxes", "box", "Box"), ("dishes", "dish", "Dish"), ("reading_lists", "reading_list", "ReadingList"),
        ("albums", "album", "Album"), ("units", "unit", "Unit"),
    ],
)  # fmt: skip
def test_the_names_of_a_feature(plural: str, singular: str, model: str) -> None:
    names, article = feature.Names(plural, ""), "An" if singular == "album" else "A"
    assert names.code('get_book(books: Book) # _("All books") "/books"') == (
        f'get_{singular}({plural}: {model}) # _("All {plural.replace("_", " ")}") "/{plural}"'
    )
    assert names.prose("A book") == f"{article} {singular.replace('_', ' ')}"
