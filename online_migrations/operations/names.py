"""Names that fit, and names that PostgreSQL itself gives to constraints where the project has no naming convention.

Without a name in the model, plain Flask-Migrate writes none into the revision either, and the database made one up. So
what it made up is what the model's constraint is called. A UNIQUE or a foreign key is compared by its columns, and
needs a name only when a revision adds it; a CHECK is compared by its name. Source: makeObjectName() and
ChooseIndexName() in src/backend/commands/indexcmds.c, and AddRelationNewConstraints() in src/backend/catalog/heap.c.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import chain, count

from sqlalchemy import CheckConstraint, MetaData, Table
from sqlalchemy.schema import conv

from online_migrations.errors import UnsafeOperation
from online_migrations.sql import DIALECT

MAX_BYTES = 63  # NAMEDATALEN - 1; two long names may be cut to the same one


def shorten_identifier(name: str) -> str:
    """Return the name, or, when it is too long, its beginning with a hash of the whole."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"


def spare_name(name: str) -> str:
    """Return the name of what is to take the place of `name`, until it does."""
    return shorten_identifier(f"{name}_new")


def require_short(name: str) -> None:
    """Refuse a name that PostgreSQL would cut, maybe to one that is taken; nobody would find it again."""
    length = len(name.encode())
    if length > MAX_BYTES:
        raise UnsafeOperation(
            f"The name {name} has {length} bytes, and PostgreSQL cuts names at {MAX_BYTES}; nothing was changed. Give"
            " it a shorter one."
        )


def shadow_of(name: str) -> str:
    """Return the name of a column's shadow, and of the twin of an index or constraint that stands on it."""
    return shorten_identifier(f"{name}_shadow")


UNIQUE = "key"
FOREIGN_KEY = "fkey"
CHECK = "check"
PRIMARY_KEY = "pkey"

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_WORD = re.compile(r'"((?:[^"]|"")+)"|(\w+)')


def default_name(table: str, columns: Sequence[str], label: str) -> str:
    """Return TABLE_COLUMN_LABEL, with all columns of a key; when it is too long, the longer part is cut first.

    Args:
        label: one of the constants above, with a number behind it for the second of its kind.
    """
    first, second = table.encode(), "_".join(columns).encode()
    room = MAX_BYTES - len(label) - (2 if second else 1)
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    parts = (part.decode(errors="ignore") for part in (first, second) if part)  # no half of a character
    return "_".join([*parts, label])


def name_checks(metadata: MetaData) -> None:
    """Name the CHECKs that neither the models nor a naming convention name. Those that have a name keep it."""
    if metadata.naming_convention.keys() & {"ck", CheckConstraint}:
        return
    for table in metadata.tables.values():
        checks = list(_checks(table))
        taken = {check.name for check in checks if isinstance(check.name, str)}
        for check in checks:
            if not isinstance(check.name, str):
                check.name = conv(_free_name(table, check, taken))
                taken.add(check.name)


def _checks(table: Table) -> Iterator[CheckConstraint]:
    """Return them in the order in which CREATE TABLE writes them: those within columns come first."""
    within = chain.from_iterable(column.constraints for column in table.columns)
    beside = sorted(table.constraints, key=lambda constraint: constraint._creation_order)
    return (constraint for constraint in chain(within, beside) if isinstance(constraint, CheckConstraint))


def _free_name(table: Table, check: CheckConstraint, taken: set[str]) -> str:
    """Return a name with the column in it when the condition is about one column alone."""
    columns = _columns_of(table, check)
    about = columns if len(columns) == 1 else []
    names = (default_name(table.name, about, f"{CHECK}{number or ''}") for number in count())
    return next(name for name in names if name not in taken)


def _columns_of(table: Table, check: CheckConstraint) -> list[str]:
    """Return the table's columns that the condition names. (A function of the same name counts as one.)"""
    condition = str(check.sqltext.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
    words = {quoted or bare.lower() for quoted, bare in _WORD.findall(_LITERAL.sub("", condition))}
    return [column.name for column in table.columns if column.name in words]
