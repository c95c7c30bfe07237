""".env.example lists the variables that the code reads. A copy works for development, and is refused in production."""

import ast
import itertools
import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from dotenv import dotenv_values

from config import DevelopmentConfig, ProductionConfig, TestingConfig, from_environment
from environment.values import ConfigError, secret_key
from tests.test_config import BUCKETEER, CLOUDCUBE

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / ".env.example"


class Recorded(Mapping[str, str]):
    """Record which variables are read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_ = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a variable has to be asked for by its name")

    def __len__(self) -> int:
        return len(self.values_)


def sample() -> dict[str, str]:
    """Return every variable of the example with its sample value, including those that are commented out."""
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def production(*families_left_out: str) -> dict[str, str]:
    values = {**sample(), **BUCKETEER, **CLOUDCUBE, "SECRET_KEY": secrets.token_hex(32)}
    return {name: value for name, value in values.items() if not name.startswith(families_left_out or ("-",))}


def read_by_the_configuration() -> set[str]:
    asked: set[str] = {"APP_SETTINGS"}
    for left_out in ((), ("S3_", "AWS_"), ("S3_", "AWS_", "BUCKETEER_")):
        env = Recorded(production(*left_out))
        TestingConfig(env)
        asked |= env.asked
    return asked


def read_elsewhere(path: Path) -> set[str]:
    """Return the names in os.environ["X"], os.environ.get("X"), os.getenv("X") and envvar="X" of a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            found.add(ast.unparse(node.slice))
        if isinstance(node, ast.Call) and re.search(r"(environ\.get|getenv)$", ast.unparse(node.func)):
            found.add(ast.unparse(node.args[0]))
        if isinstance(node, ast.keyword) and node.arg == "envvar":
            found.add(ast.unparse(node.value))
        if isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]).endswith("environ"):
            found.add(ast.unparse(node.left))
    return {name.strip("'\"") for name in found}


def test_the_example_lists_exactly_the_variables_that_the_code_reads() -> None:
    assert sample().keys() == read_by_the_configuration()


def test_only_the_configuration_reads_the_environment() -> None:
    folders = ("app", "migrations", "online_migrations")
    files = [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    found = {str(path.relative_to(ROOT)): names for path in files if (names := read_elsewhere(path))}
    assert found == {}


def test_every_variable_has_a_comment_directly_above() -> None:
    lines = EXAMPLE.read_text().splitlines()
    assignment = re.compile(r"(?:# )?([A-Z0-9]+)(?:_[A-Z0-9_]+)?=")
    for before, line in itertools.pairwise(lines):
        variable, above = assignment.match(line), assignment.match(before)
        if variable and above:  # variables with a common prefix share one comment above the first
            assert variable[1] == above[1], line
        elif variable:
            assert before.startswith("# "), line


def test_a_copy_of_the_example_works_for_development() -> None:
    values = {name: value or "" for name, value in dotenv_values(EXAMPLE).items()}
    found = from_environment(values)
    assert type(found) is DevelopmentConfig
    assert vars(found) == vars(DevelopmentConfig({}))


def test_the_sample_values_start_production_with_a_new_secret_key_alone() -> None:
    assert ProductionConfig(production()).S3_BUCKET == "semicircle-photos"
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        ProductionConfig(sample())


def test_every_secret_key_published_in_this_repository_is_refused() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)  # noqa: S607
    tracked = [ROOT / name for name in listed.stdout.split("\0") if name]
    files = tracked or [EXAMPLE, *ROOT.glob("*.py")]  # Heroku CI has no git
    beside = re.compile(
        r"""(?:SECRET_KEY|DEVELOPMENT_KEY|PUBLISHED_KEYS)\w*["']?\s*[:=]\s*[{(\[]?\s*["']?([\w+/=-]{16,})"""
    )
    published = {key for file in files if file.is_file() for key in beside.findall(file.read_text(errors="replace"))}
    assert len(published) >= 2
    for key in published:
        with pytest.raises(ConfigError):
            secret_key("SECRET_KEY", key)
