"""Generate the parts of docs/operations-for-migrations.md: each operation's signature, and the SQL of its example.

Run as a script it writes them again: python -m tests.online_migrations.operation_docs
"""

import inspect
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from online_migrations import operations
from tests.online_migrations.lock_modes import lock_comment
from tests.online_migrations.migrating import printed

PAGE = Path(__file__).parents[2] / "docs/operations-for-migrations.md"
EXAMPLE = re.compile(r"```python\n(?P<code>(?:(?!```).)*)```\n\n```sql\n(?P<sql>(?:(?!```).)*)```", re.DOTALL)
SECTION = re.compile(r"^### `(?P<name>\w+)`\n\n```python\n(?P<signature>(?:(?!```).)*)```\n", re.DOTALL | re.MULTILINE)
NAMES: dict[str, Any] = {"sa": sa, **vars(operations)}


def regenerated(page: str) -> str:
    """Return the page with its signatures and its SQL as the code has them now."""
    page = SECTION.sub(lambda section: replaced(section, "signature", signature(section["name"])), page)
    return EXAMPLE.sub(lambda example: replaced(example, "sql", sql_of(example["code"])), page)


def replaced(match: re.Match[str], group: str, new: str) -> str:
    start, end = (match.start(group) - match.start(), match.end(group) - match.start())
    return match[0][:start] + new + match[0][end:]


def signature(name: str) -> str:
    """Return arguments and defaults; the types stand in the operation's docstring."""
    parameters = inspect.signature(NAMES[name]).parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return f"{name}{inspect.Signature(plain)}\n"


def sql_of(code: str) -> str:
    """Return what --sql prints for a call, each line with the strongest lock of its statements."""
    sent = printed(lambda: exec(code, dict(NAMES)))  # noqa: S102 - an example of our own page
    # The transaction of the migration itself, which the operation ends before and begins again after its statements.
    sent = sent.removeprefix("BEGIN;\n\n").removesuffix("COMMIT;\n\n")
    sent = sent.removeprefix("COMMIT;\n\n").removesuffix("BEGIN;\n\n").replace("BEGIN;\n\nCOMMIT;\n\n", "")
    return "".join(f"{line.rstrip()}{lock_comment(line)}\n" for line in sent.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(regenerated(PAGE.read_text()))
