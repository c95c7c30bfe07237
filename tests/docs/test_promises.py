"""The table of 42 checks in docs/deploying.md is whole, and every test and command that it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import click

from app import create_app
from app.release.commands import release
from config import ProductionConfig
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
        return name.removeprefix("make ") in targets()
    if name.startswith("flask "):
        return is_command(name.split()[1:])
    if "::" in name:
        file, _, function = name.partition("::")
        return (ROOT / file).is_file() and function in names_of_tests(ROOT / file)
    return name.startswith((".ci/", "bin/")) and (ROOT / name).is_file()


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def names_of_tests(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def is_command(words: list[str]) -> bool:
    command: click.Command | None = commands()
    for word in words:
        command = command.commands.get(word) if isinstance(command, click.Group) else None
    return command is not None and not isinstance(command, click.Group)


@cache
def commands() -> click.Group:
    own = create_app(ProductionConfig(PRODUCTION)).cli.commands
    return click.Group(commands={**own, "release": release})  # the application loads that one when it is asked for
