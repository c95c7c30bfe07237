"""Generate docs/operations-for-migrations.md from the docstrings, with the SQL that each example prints.

Run as a script it writes the page: python -m tests.online_migrations.operation_docs
"""

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from online_migrations import operations
from online_migrations.sql import normalize, split_statements
from tests.online_migrations.migrating import printed

PAGE = Path(__file__).parents[2] / "docs/operations-for-migrations.md"
SECTION = re.compile(r"^(Args|Returns|Example|SQL|Run again|Downgrade|Raises): ?\n?", re.MULTILINE)
ITEM = re.compile(r"^(?=[\w, ]+: )", re.MULTILINE)
HEAD = """\
# Operations for migrations

Revisions in `migrations/versions/` are written with these functions. `flask db migrate` writes them for you;
[schema-changes.md](schema-changes.md) says which one to use when. This page is made of their docstrings:
`python -m tests.online_migrations.operation_docs`.

Each shows the statements of an example, as `--sql` prints them, with the lock that a statement takes. Under SHARE
UPDATE EXCLUSIVE and ROW EXCLUSIVE requests read and write, under SHARE ROW EXCLUSIVE they read, under ACCESS EXCLUSIVE
they wait. What stands between BEGIN and COMMIT is *short*; all else waits and runs *until the deadline*. When an
operation runs again, a statement is skipped whose result is there, unless something else is said.

"""


def generated() -> str:
    """Return the page."""
    functions = [getattr(operations, name) for name in operations.__all__ if name not in ("excused", "in_schema")]
    chapters = [f"{HEAD}{inspect.getdoc(operations)}"]
    for name, group in groupby(functions, lambda function: function.__module__):
        title = name.rpartition(".")[2].replace("_", " ").capitalize()
        in_order = sorted(group, key=lambda function: function.__code__.co_firstlineno)
        chapters += [f"## {title}\n\n{inspect.getdoc(sys.modules[name])}", *map(section, in_order)]
    return "\n\n".join(chapters) + "\n"


def section(function: Callable[..., object]) -> str:
    name, (description, parts) = function.__name__, read(function)
    example = textwrap.dedent(parts.get("Example", "")).strip() or plain_example(function)
    items = [f"- `{argument}`: {said}" for argument, said in said_of(parts.get("Args", ""))]
    items += [f"- **{part}**: {flowing(parts[part])}" for part in ("SQL", "Run again", "Downgrade") if part in parts]
    items += [f"- **Raises** `{error}`: {said}" for error, said in said_of(parts.get("Raises", ""))]
    wrapped = [textwrap.fill(item, 128, subsequent_indent="  ", break_long_words=False) for item in items]
    return "\n".join(
        [
            *(f"### `{name}`", "", "```python", signature(function), "```", ""),
            *(description, "", "```python", example, "```", "", "```sql", sql_of(example), "```", ""),
            *wrapped,
        ]
    )


# Values for the arguments of an example that takes names alone.
SAMPLES = {"table": "notes", "column": "words", "name": "notes_words", "old": "notes", "new": "pages"}


def plain_example(function: Callable[..., object]) -> str:
    """Make up an example for a docstring that has none, since names are all that the function takes."""
    required = [one for one in inspect.signature(function).parameters.values() if one.default is one.empty]
    given = ", ".join(f'"{SAMPLES[one.name]}"' for one in required)
    return f"{function.__name__}({given})"


def read(function: Callable[..., object]) -> tuple[str, dict[str, str]]:
    """Return the description that a docstring begins with, and its parts by their names."""
    description, *rest = SECTION.split(str(inspect.getdoc(function)))
    return description.strip(), dict(zip(rest[::2], rest[1::2], strict=True))


def said_of(part: str) -> Iterator[tuple[str, str]]:
    """Yield the names of Args or Raises, each with what is said of it."""
    for item in filter(str.strip, ITEM.split(textwrap.dedent(part))):
        name, _, said = item.partition(": ")
        yield name, flowing(said)


def flowing(text: str) -> str:
    return " ".join(text.split())


def signature(function: Callable[..., object]) -> str:
    """Return arguments and defaults; the types stand in the code."""
    parameters = inspect.signature(function).parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return f"{function.__name__}{inspect.Signature(plain)}"


def sql_of(code: str) -> str:
    """Return what --sql prints for a call, each line with the strongest lock of its statements."""
    names: dict[str, Any] = {"sa": sa, **vars(operations)}
    sent = printed(lambda: exec(code, names))  # noqa: S102 - an example of our own page
    # The transaction of the migration itself, which the operation ends before and begins again after its statements.
    sent = sent.removeprefix("BEGIN;\n\n").removesuffix("COMMIT;\n\n")
    sent = sent.removeprefix("COMMIT;\n\n").removesuffix("BEGIN;\n\n").replace("BEGIN;\n\nCOMMIT;\n\n", "")
    return "\n".join(f"{line.rstrip()}{lock_comment(line)}" for line in sent.strip().splitlines())


SHARE_ROW, SHARE_UPDATE = "SHARE ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"
# How a statement begins: its lock on the table that it names. test_names.py asks the server for each.
LOCKS = {
    r"LOCK TABLE .* IN SHARE ROW EXCLUSIVE MODE|CREATE OR REPLACE TRIGGER|ALTER TABLE .* FOREIGN KEY": SHARE_ROW,
    r"LOCK TABLE|(CREATE|DROP) (UNIQUE )?INDEX CONCURRENTLY|ALTER TABLE \S+ VALIDATE|COMMENT ON|ANALYZE": SHARE_UPDATE,
    r"ALTER TABLE|DROP (TABLE|VIEW|TRIGGER)": "ACCESS EXCLUSIVE",
    r"UPDATE|INSERT INTO|DELETE FROM": "ROW EXCLUSIVE",
}
STRONGEST_LAST = ("ROW EXCLUSIVE", SHARE_UPDATE, SHARE_ROW, "ACCESS EXCLUSIVE")


def lock_comment(line: str) -> str:
    taken = [lock for statement in split_statements(line) if (lock := lock_of(normalize(statement)))]
    return f"  -- {max(taken, key=STRONGEST_LAST.index)}" if taken else ""


def lock_of(statement: str) -> str | None:
    return next((lock for pattern, lock in LOCKS.items() if re.match(pattern, statement)), None)


if __name__ == "__main__":
    PAGE.write_text(generated())
