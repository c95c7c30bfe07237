""".env.example and the code name the same variables, and the file is enough to start production."""

import itertools
import re
from pathlib import Path

from dotenv import dotenv_values

from config import ProductionConfig

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / ".env.example"
# How the code reads a variable: required(env, "X"), env.get("X"), env["X"], "X" in os.environ, envvar="X".
READ = re.compile(
    r'(?:(?:required|whole_number)\((?:os\.)?env(?:iron)?, |env(?:iron)?(?:\.get\(|\[)|envvar=)"([A-Z][A-Z0-9_]+)"'
)
MEMBER = re.compile(r'"([A-Z][A-Z0-9_]+)" in os\.environ')


def named_in_the_example() -> set[str]:
    return set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE))


def read_by_the_code() -> set[str]:
    files = [ROOT / "config.py", ROOT / "environment.py", ROOT / "gunicorn.conf.py", *(ROOT / "app").rglob("*.py")]
    return {name for file in files for pattern in (READ, MEMBER) for name in pattern.findall(file.read_text())}


def test_the_example_names_what_the_code_reads_and_nothing_else() -> None:
    assert named_in_the_example() == read_by_the_code()


def test_every_variable_is_explained_right_above_it() -> None:
    lines = EXAMPLE.read_text().splitlines()
    assignment = re.compile(r"(?:# )?([A-Z0-9]+)(?:_[A-Z0-9_]+)?=")
    for before, line in itertools.pairwise(lines):
        variable, above = assignment.match(line), assignment.match(before)
        if variable and above:  # a family is explained once, above its first member
            assert variable[1] == above[1], line
        elif variable:
            assert before.startswith("# "), line


def test_the_example_starts_production() -> None:
    values = {name: value for name, value in dotenv_values(EXAMPLE).items() if value}
    assert ProductionConfig(values).S3_BUCKET == "semicircle-photos"
