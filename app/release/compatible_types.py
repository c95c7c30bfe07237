"""Compatible types: from which type to which a column may change under its name, while the release before serves.

That release was written for the old type, and sends and gets values through psycopg2, which writes literals without a
type. So two types are compatible when it reads a value that compares equal in Python, each value that it writes is
taken, and its conditions and orderings mean the same. tests/release/test_compatible_types.py tries each pair, and pairs
that look alike and are not.

Sources: PostgreSQL manual, "Numeric Types", "JSON Types"; psycopg2 manual, "Adaptation of Python values to SQL types".
"""

import re
from typing import NamedTuple

CAST = "CAST({column} AS {type})"

# Old type, new type: the new value, as SQL over the column. Not among them, though a cast exists:
# - integer to numeric, date to timestamp, timestamp with or without time zone: another class of Python;
# - char(n) to text: without the padding; text to integer: a condition c = '7' or c LIKE …;
# - an enum to text: it sorts by the alphabet.
CONVERSIONS = {
    ("SMALLINT", "INTEGER"): CAST,
    ("SMALLINT", "BIGINT"): CAST,
    ("INTEGER", "BIGINT"): CAST,
    # Through the text, in which a real shows as few digits as tell it from others: 0.1 stays 0.1.
    ("REAL", "DOUBLE PRECISION"): "CAST(CAST({column} AS text) AS {type})",
    ("JSON", "JSONB"): CAST,
}

_NUMERIC = re.compile(r"(?:NUMERIC|DECIMAL)(?:\((\d+)(?:, ?(\d+))?\))?")
_FLOAT = re.compile(r"FLOAT(?:\((\d+)\))?")
_MOST_BITS_OF_REAL = 24  # FLOAT(25) and above is DOUBLE PRECISION (manual, "Floating-Point Types")
_UNLIMITED = (1_000_000, 1_000_000)


class Digits(NamedTuple):
    before_point: int
    after_point: int


def conversion(old: str, new: str) -> str | None:
    """The new value of a compatible type, as SQL with {column} and {type}; None when the types are not compatible.

    Args:
        old, new: as SQLAlchemy writes them for PostgreSQL, such as "BIGINT" or "NUMERIC(10, 2)".
    """
    before, after = _name(old), _name(new)
    if (before, after) in CONVERSIONS:
        return CONVERSIONS[before, after]
    had, has = _digits(before), _digits(after)
    if had and has and has.before_point >= had.before_point and has.after_point >= had.after_point:
        return CAST
    return None


def _name(type_: str) -> str:
    name = type_.upper()
    match = _FLOAT.fullmatch(name)
    if match is None:
        return name
    return "REAL" if match[1] and int(match[1]) <= _MOST_BITS_OF_REAL else "DOUBLE PRECISION"


def _digits(type_: str) -> Digits | None:
    match = _NUMERIC.fullmatch(type_)
    if match is None:
        return None
    if match[1] is None:
        return Digits(*_UNLIMITED)
    precision, scale = int(match[1]), int(match[2] or 0)
    return Digits(precision - scale, scale)
