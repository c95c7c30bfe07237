"""Types that grow: which type of a column takes and gives all that code sends and expects of another one.

Literals of our statements have no type of their own (psycopg2 writes them into the SQL), so PostgreSQL reads them as
the column's type.
"""

import re
from typing import NamedTuple

# Each holds all values of those before it, and the driver gives them as the same Python type.
_LADDERS = (
    ("smallint", "integer", "bigint"),
    ("real", "double precision"),
    ("character", "character varying", "text"),
    ("json", "jsonb"),
)
_UNBOUNDED_ALIKE = {"text", "character varying"}

_TYPE = re.compile(r"(?P<name>[^(\[]+?)(?:\((?P<size>[\d,]+)\))?(?P<zone> with(?:out)? time zone)?(?P<array>\[\])?")


class _Type(NamedTuple):
    name: str
    size: tuple[int, ...]  # length, or precision and scale; empty: as much as PostgreSQL can
    is_array: bool


def holds_all_of(now: str, before: str) -> bool:
    """
    Args:
        now: the column's type, as format_type() prints it.
        before: the type that the code knows.
    """
    if now == before or now.rpartition(".")[2] == before.rpartition(".")[2]:  # with or without its schema
        return True
    new, old = _parsed(now), _parsed(before)
    if new is None or old is None or new.is_array != old.is_array:
        return False
    return _is_no_lower(new.name, old) and _is_no_shorter(new.size, old.size)


def _parsed(type_: str) -> _Type | None:
    found = _TYPE.fullmatch(type_)
    if found is None:
        return None
    size = tuple(int(number) for number in found["size"].split(",")) if found["size"] else ()
    return _Type(found["name"] + (found["zone"] or ""), size, bool(found["array"]))


def _is_no_lower(name: str, old: _Type) -> bool:
    if name == old.name or (name in _UNBOUNDED_ALIKE and old.name in _UNBOUNDED_ALIKE):
        return True
    return any(
        name in ladder and old.name in ladder and ladder.index(name) >= ladder.index(old.name) for ladder in _LADDERS
    )


def _is_no_shorter(new: tuple[int, ...], old: tuple[int, ...]) -> bool:
    if not new:
        return True
    if not old:
        return False
    if len(new) == len(old) == 2:  # as many digits before the point, and behind it
        return new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]
    return new[0] >= old[0]
