"""The tables of docs/deploying.md and docs/asvs.md are whole, and each row names a test or a file that exists."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import click

from app import create_app
from config import ProductionConfig
from online_migrations.cli import release
from tests.samples import TAKEN_OUT
from tests.test_platform import PRODUCTION

ROOT = Path(__file__).parents[2]
HEADING = "\n## What a repository for such platforms has to do\n"
TABLE = (ROOT / "docs/deploying.md").read_text().partition(HEADING)[2]
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", TABLE, re.MULTILINE)
NAMED = re.compile(r"`([^`]+)`")


def test_every_check_is_there_once() -> None:
    assert [int(number) for number, *_ in ROWS] == [*range(1, 43)]
    assert len(ROWS) == len(re.findall(r"^\| \d", TABLE, re.MULTILINE)), "a row that is not read holds nothing"


def test_each_check_is_held_by_what_exists() -> None:
    named = {number: NAMED.findall(held_by) for number, _, held_by in ROWS}
    assert [number for number, names in named.items() if not names] == [], "name what would be red"
    assert [(number, name) for number, names in named.items() for name in names if not exists(name)] == []


def exists(name: str) -> bool:
    """Tell if it is a test, a target of the Makefile, a command of `flask`, or a program of ours."""
    if name.startswith("make "):
        return f"\n{name.removeprefix('make ')}:" in (ROOT / "Makefile").read_text()
    if name.startswith("flask "):
        return is_command(name.split()[1:])
    if "::" in name:
        file, _, function = name.partition("::")
        return (ROOT / file).is_file() and function in names_of_tests(ROOT / file)
    return name.startswith((".ci/", "bin/")) and (ROOT / name).is_file()


def names_of_tests(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE))


def is_command(words: list[str]) -> bool:
    command: click.Command | None = commands()
    for word in words:
        command = command.commands.get(word) if isinstance(command, click.Group) else None
    return command is not None and not isinstance(command, click.Group)


@cache
def commands() -> click.Group:
    own = create_app(ProductionConfig(PRODUCTION)).cli.commands
    return click.Group(commands={**own, "release": release})  # the application loads that one when it is asked for


ASVS = (ROOT / "docs/asvs.md").read_text()
REQUIREMENT = re.compile(r"^\| (V\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
ASVS_ROWS = REQUIREMENT.findall(ASVS)
STATES = {"met", "n/a", "waived"}

# How many requirements of level 1 or 2 each chapter of ASVS 5.0.0 has.
CHAPTERS = {
    1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 10: 29,
    11: 14, 12: 9, 13: 13, 14: 9, 15: 13, 16: 16, 17: 7,
}  # fmt: skip
# Words in code style that are no file: an address, a value, a header or a command.
FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")


def files(where: str) -> list[str]:
    return [name for name in FILE.findall(where) if "/" in name or re.search(r"\.(py|md|toml|txt)$", name)]


def test_every_requirement_is_there_once_and_every_row_of_the_table_is_read() -> None:
    ids = [id_ for id_, *_ in ASVS_ROWS]
    assert [id_ for id_, count in Counter(ids).items() if count > 1] == []
    assert Counter(int(id_[1:].split(".")[0]) for id_ in ids) == CHAPTERS
    assert len(ASVS_ROWS) == len(re.findall(r"^\| V", ASVS, re.MULTILINE))


def test_a_row_that_is_met_names_files_that_exist_and_any_other_says_why() -> None:
    assert {state for _, _, state, _ in ASVS_ROWS} <= STATES
    named = [(id_, name) for id_, _, _, where in ASVS_ROWS for name in files(where)]
    gone = [(id_, name) for id_, name in named if not (ROOT / name).exists()]
    assert [(id_, name) for id_, name in gone if name.split("/")[1] not in TAKEN_OUT] == []
    met = [(id_, where) for id_, _, state, where in ASVS_ROWS if state == "met" and "`make audit`" not in where]
    assert [id_ for id_, where in met if not files(where)] == [], "name the test or the file that shows it"
    unexplained = [id_ for id_, _, state, where in ASVS_ROWS if state != "met" and len(where) < len("no SAML")]
    assert unexplained == [], "say why"


def test_the_sum_above_the_table_is_true() -> None:
    count = Counter(state for _, _, state, _ in ASVS_ROWS)
    told = f"{count['met']} are met, {count['n/a']} do not apply, {count['waived']} are waived."
    assert f"Of {len(ASVS_ROWS)} requirements {told}" in ASVS
