"""Cases of the corpus: revisions written by hand, read from the texts beside this file.

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

`rule` is a key of app/release/effects/rules.py, or "no rule" if the revision is refused before. `names` are regular
expressions, apart by spaces; the refusal matches each of them, in any case of letters. `instead` is one more, of the
way out that it has to name; without it any will do. A question is SQL with one boolean, or an expression of `probes`.
A safe revision has only a title, a question and the lines of upgrade(). `//` begins a comment.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app.release.ledger import CONTRACT, EXPAND
from app.release.operations import __all__ as operations_of_ours
from tests.release.revision_corpus import probes

NO_RULE = "no rule"


class Safe(NamedTuple):
    """A revision that nothing is said against.

    Args:
        body: of upgrade().
        effect: SQL, one boolean: false before, true after.
        phase: what the revision says of itself.
    """

    what: str
    body: str
    effect: str
    phase: str

    def __str__(self) -> str:
        return self.what


class Unsafe(NamedTuple):
    """One spelling of a danger, which plain Alembic applies without a word."""

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


def read_safe() -> list[Safe]:
    return [Safe(what, _body(lines[1:]), _question(lines[0]), phase) for what, phase, lines in _blocks("safe")]


def read_unsafe() -> list[Unsafe]:
    return [
        case
        for name in ("unsafe_losses", "unsafe_rules", "unsafe_locks")
        for what, phase, lines in _blocks(name)
        for case in _spellings(what, phase, lines)
    ]


def is_one_transaction(body: str) -> bool:
    """Tell whether a revision commits once, at its end: it uses no operation of ours, and no autocommit_block."""
    operations = set(operations_of_ours) - {"excused"}
    return "autocommit_block" not in body and not any(f"{operation}(" in body for operation in operations)


def _blocks(name: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the title, the phase and the lines of each case of a text."""
    text = (Path(__file__).parent / f"{name}.txt").read_text()
    text = re.sub(r"\n *(>>|\?\?) ", " ", re.sub("^//.*\n", "", text, flags=re.MULTILINE))
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


def _question(line: str) -> str:
    question = line.removeprefix("? ")
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
