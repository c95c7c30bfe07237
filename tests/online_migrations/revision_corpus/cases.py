"""Cases of the corpus: revisions written by hand, and calls of operations, read from the texts beside this file.

A danger has one spelling for each path by which it reaches the code that judges, and no more. A text of dangers:

    # [contract] what would happen; "[contract]" is the phase that the revision says, else it says expand
    rule: names -> instead
    ? a question to the catalog: false before, true once it took effect
    - a spelling: the lines of upgrade() follow
    > SQL for op.execute()
    >> the rest of it
    DO> SQL that a DO block puts together of two texts, so that no reader of SQL finds it
    with op.get_context().autocommit_block():
        > so it goes with Python

`rule` is one of online_migrations/guard/rules.toml, or "no rule" if the revision is refused before. `names` are regular
expressions, apart by spaces; the refusal matches each of them, in any case of letters. `instead` is one more, of the
way out that it has to name; without it any will do. A question is SQL with one boolean, or an expression of `probes`.
Another case has a title, a question and the lines of upgrade(), maybe `< SQL` that sets it up, and `! what is said` of
it. `//` begins a comment.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateTable

from online_migrations import operations
from online_migrations.sql import DIALECT
from online_migrations.state.ledger import CONTRACT, EXPAND
from online_migrations.state.tables import BACKFILLS
from tests.online_migrations.revision_corpus import probes

NO_RULE = "no rule"


class Unsafe(NamedTuple):
    """Hold one spelling of a danger, which plain Alembic applies without a word."""

    danger: str
    rule: str
    names: str
    instead: str
    harm: str
    phase: str
    spelling: str
    body: str

    def __str__(self) -> str:
        return f"{self.danger}: {self.spelling}"


class Operation(NamedTuple):
    """Hold a safe revision, or an operation's call: its lines, and SQL whose answer is false before and true after."""

    name: str
    phase: str
    setup: str
    holds: str
    said: str
    call: str

    def __str__(self) -> str:
        return self.name

    def upgrade(self) -> None:
        run(self.call)


def run(lines: str) -> None:
    """Run lines of upgrade(), which may use every operation."""
    exec(lines, {**vars(operations), "sa": sa, "op": op})  # noqa: S102 - our own text


def read_operations(name: str) -> list[Operation]:
    return [
        Operation(
            *(what, phase, _marked("< ", lines), _question(_marked("? ", lines)), _marked("! ", lines)),
            call=_body([line for line in lines if not line.startswith(("< ", "? ", "! "))]),
        )
        for what, phase, lines in _blocks(name)
    ]


# The tables that each operation meets in its case.
TABLES = """
CREATE TABLE owners (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE things (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint,
    name varchar(50) NOT NULL,
    size int CONSTRAINT ck_things_small CHECK (size < 10),
    "Odd name" int
);
CREATE INDEX ix_things_size ON things (size);
CREATE TYPE mood AS ENUM ('good', 'bad');
INSERT INTO owners SELECT FROM generate_series(1, 10);
INSERT INTO things (owner_id, name, "Odd name") SELECT n % 10 + 1, 'thing ' || n, n FROM generate_series(1, 3000) n;
"""
WITH_BACKFILLS = f"{TABLES}{CreateTable(BACKFILLS).compile(dialect=DIALECT)}"


def read_unsafe() -> list[Unsafe]:
    return [
        case
        for name in ("unsafe_losses", "unsafe_rules", "unsafe_locks")
        for what, phase, lines in _blocks(name)
        for case in _spellings(what, phase, lines)
    ]


def is_one_transaction(body: str) -> bool:
    """Tell whether a revision commits once, at its end: it uses no operation of ours, and no autocommit_block."""
    names = set(operations.__all__) - {"excused", "in_schema"}
    return "autocommit_block" not in body and not any(f"{name}(" in body for name in names)


def _blocks(name: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the title, the phase and the lines of each case of a text."""
    text = (Path(__file__).parent / f"{name}.txt").read_text()
    text = re.sub(r"\n *(>>|\?\?|<<) ", " ", re.sub("^//.*\n", "", text, flags=re.MULTILINE))
    for block in text.strip().split("\n\n"):
        title, *lines = block.splitlines()
        _, contract, what = title.removeprefix("# ").rpartition("[contract] ")
        yield what, CONTRACT if contract else EXPAND, lines


def _spellings(what: str, phase: str, lines: list[str]) -> Iterator[Unsafe]:
    judged, question, *rest = lines
    rule, _, said = judged.partition(": ")
    names, _, instead = said.partition(" -> ")
    for spelling in re.split(r"^- ", "\n".join(rest), flags=re.MULTILINE)[1:]:
        name, *body = spelling.splitlines()
        yield Unsafe(what, rule, names, instead, _question(question), phase, name, _body(body))


def _marked(mark: str, lines: list[str]) -> str:
    return "; ".join(line.removeprefix(mark) for line in lines if line.startswith(mark))


def _question(line: str) -> str:
    question = line.removeprefix("? ")
    if not question:
        return ""
    return question if question.startswith("SELECT") else eval(question, vars(probes))  # noqa: S307 - our own text


def _body(lines: list[str]) -> str:
    return "\n".join(_line(line) for line in lines)


def _line(line: str) -> str:
    """Return a line of upgrade(), in Python."""
    found = re.match(r"( *)(DO)?> (.*)", line)
    if not found:
        return line
    indent, in_do_block, statement = found.groups()
    if in_do_block:
        middle = len(statement) // 2
        first, second = (half.replace("'", "''") for half in (statement[:middle], statement[middle:]))
        statement = f"DO $$ BEGIN EXECUTE '{first}' || '{second}'; END $$"
    return f"{indent}op.execute({statement!r})"


CASES = read_operations("operations")

# A sample is for `make test`, and for each version of PostgreSQL. Of all others CI runs every second one on the newest
# version and the rest on the oldest.
ON_ONE_SERVER = ((pytest.mark.minutes,), (pytest.mark.minutes, pytest.mark.oldest_server))

Case = TypeVar("Case")


def one_in(number: int, cases: Sequence[Case]) -> list[object]:
    """Return the cases as parameters. One in so many is run by `make test`."""
    others = itertools.cycle(ON_ONE_SERVER)
    return [case if case in cases[::number] else pytest.param(case, marks=next(others)) for case in cases]
