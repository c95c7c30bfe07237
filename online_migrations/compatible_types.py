"""Compatible types: from which type to which a column may change under its name, while code of the old type serves.

That code sends and gets values through psycopg2, which writes literals without a type. So two types are compatible when
it reads a value that compares equal in Python, each value that it writes is taken, and its conditions and orderings
mean the same. Types are written as format_type() prints them.

Sources: PostgreSQL manual, "Numeric Types", "JSON Types"; psycopg2 manual, "Adaptation of Python values to SQL types".
"""

import re
from typing import NamedTuple

# Each holds all values of those before it, and the driver gives them as the same Python type. Not so:
# - integer to numeric, date to timestamp, timestamp with or without time zone: another class of Python;
# - char(n) or bit(n) of another length: other padding; text to integer: a condition c = '7' or c LIKE …;
# - an enum to text: it sorts by the alphabet;
# - an array to one of another type: no operator compares them.
_LADDERS = (("smallint", "integer", "bigint"), ("real", "double precision"), ("json", "jsonb"))
_TEXTS = ("character varying", "text")
_PADDED = ("character", "bit")

_TYPE = re.compile(r"(?P<name>[^(\[]+?)(?:\((?P<size>[\d,]+)\))?(?P<zone> with(?:out)? time zone)?(?P<array>\[\])?")


class _Type(NamedTuple):
    name: str
    size: tuple[int, ...]  # length, or precision and scale; empty: as much as PostgreSQL can
    is_array: bool


def is_compatible(old: str, new: str) -> bool:
    """Tell if code that knows the old type, such as "character varying(50)", can go on with the new one."""
    if old == new or old.rpartition(".")[2] == new.rpartition(".")[2]:  # with or without its schema
        return True
    before, after = _parsed(old), _parsed(new)
    if before is None or after is None or before.is_array != after.is_array:
        return False
    if before.name == after.name:
        return before.name not in _PADDED and _is_no_shorter(before.size, after.size)
    is_text = {before.name, after.name} <= {*_TEXTS}
    ladders = [ladder for ladder in _LADDERS if before.name in ladder and after.name in ladder]
    is_higher = is_text or any(ladder.index(after.name) > ladder.index(before.name) for ladder in ladders)
    return not before.is_array and is_higher and _is_no_shorter(before.size, after.size)


def is_longer_text(old: str, new: str) -> bool:
    """Tell if a text becomes as long or longer, for which PostgreSQL changes its catalog only."""
    found = [parsed.name for parsed in map(_parsed, (old, new)) if parsed and not parsed.is_array]
    return len(found) == 2 and set(found) <= set(_TEXTS) and is_compatible(old, new)


def _parsed(type_: str) -> _Type | None:
    found = _TYPE.fullmatch(type_)
    if found is None:
        return None
    size = tuple(int(number) for number in found["size"].split(",")) if found["size"] else ()
    return _Type(found["name"] + (found["zone"] or ""), size, bool(found["array"]))


def _is_no_shorter(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    if not new or not old:
        return not new
    if len(new) == len(old) == 2:  # as many digits before the point, and behind it
        return new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]
    return new[0] >= old[0]
