"""What a case of the corpus is: a hand-written revision, and what the database says once it took effect."""

from typing import NamedTuple

from app.release.ledger import EXPAND
from app.release.operations import __all__ as operations_of_ours


class Danger(NamedTuple):
    """One danger in several spellings, each of which plain Alembic applies without a word.

    Args:
        what: the danger, in words.
        names: regular expressions; the refusal says something that matches each of them, in any case of letters.
        harm: SQL, one boolean: false before, true once it took effect.
        spellings: name: the body of upgrade().
        instead: the way out that the refusal has to name; "" when any will do.
        phase: what the revision says of itself.
    """

    what: str
    names: tuple[str, ...]
    harm: str
    spellings: dict[str, str]
    instead: str = ""
    phase: str = EXPAND


def is_one_transaction(body: str) -> bool:
    """Whether a revision commits once, at its end: it uses no operation of ours, and no autocommit_block."""
    operations = set(operations_of_ours) - {"excused"}
    return "autocommit_block" not in body and not any(f"{operation}(" in body for operation in operations)


class Unsafe(NamedTuple):
    """One spelling of a danger."""

    danger: Danger
    spelling: str

    @property
    def body(self) -> str:
        return self.danger.spellings[self.spelling]

    def __str__(self) -> str:
        return f"{self.danger.what}: {self.spelling}"


class Safe(NamedTuple):
    """A revision that nothing is said against.

    Args:
        what: what it does, in words.
        body: of upgrade().
        effect: SQL, one boolean: false before, true after.
        phase: what the revision says of itself.
    """

    what: str
    body: str
    effect: str
    phase: str = EXPAND

    def __str__(self) -> str:
        return self.what


def in_do_block(statement: str) -> str:
    """The body of an upgrade() that puts a statement together of two texts, which no reader of SQL finds."""
    middle = len(statement) // 2
    first, second = (half.replace("'", "''") for half in (statement[:middle], statement[middle:]))
    block = f"DO $$ BEGIN EXECUTE '{first}' || '{second}'; END $$"
    return f"op.execute({block!r})"
