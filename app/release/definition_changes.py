"""Changed definitions: what has one name in the models and in the database, and another definition.

The one comparison of definitions: of `flask db migrate` and `check`, of an upgrade's last act, of operations, and of
the doctor.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sqlalchemy import CheckConstraint, Connection, Index, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import AddConstraint, CreateIndex, ExecutableDDLElement

from app.release.connection import execute_verbatim
from app.release.definitions import (
    CHECK,
    INDEX,
    PRIMARY_KEY,
    Definition,
    all_there,
    all_wanted,
    empty_copies,
    on_search_path,
)
from app.release.sql.dialect import DIALECT, quote, sql_name

COPY = "pg_temp"  # PostgreSQL's name for the schema of a session's temporary tables
COMPARED = (CheckConstraint, ExcludeConstraint, UniqueConstraint)
PRINTS = 3  # what the server prints of a condition that it has printed is settled then
# A literal of a column that was VARCHAR and became TEXT keeps the detour.
_TEXT = re.compile(r"\(('(?:[^']|'')*')::character varying\)::text")


class Changed(NamedTuple):
    """
    Args:
        there, wanted: of database and models; None of a primary key, which only the other has.
    """

    there: Definition | None
    wanted: Definition | None


def changed_definitions(connection: Connection, model: Table, known: Collection[str]) -> list[Changed]:
    """Of a table's indexes and of its constraints but foreign keys. Of the primary key the name does not matter.

    Args:
        known: names to leave out.

    In a transaction that may write; all of it is rolled back.
    """
    with on_search_path(connection, model.schema):
        there = all_there(connection, model.name)
        statements = {name: sql for name, sql in _statements(model) if name in there and name not in known}
        key = _create(model.primary_key, model) if model.primary_key.columns else None
        wanted = all_wanted(connection, model.name, [*statements.values(), *filter(None, [key])])
        changed = []
        for name, sql in statements.items():
            if name not in wanted:  # the server refuses it, since it names a column that is to come
                changed.append(Changed(there[name], there[name]._replace(text=sql)))
            elif not is_same(connection, model.name, there[name], wanted[name]):
                changed.append(Changed(there[name], wanted[name]))
    old, new = _primary_key(there), _primary_key(wanted)
    if key and new is None:
        new = Definition("", PRIMARY_KEY, key)
    is_same_key = (old and old.text) == (new and new.text)
    return changed if is_same_key else [*changed, Changed(old, new)]


def is_same(connection: Connection, table: str, there: Definition, wanted: Definition) -> bool:
    """Whether the server means the same by two definitions that it has printed.

    Of a condition it prints another text once it has read what it printed, as after a restore.
    """
    if there[1:] == wanted[1:]:
        return True
    if there.kind != wanted.kind or there.kind not in (CHECK, INDEX):  # the others are printed in one way
        return False
    with empty_copies(connection, table):
        one, other = (_settled(connection, table, definition) for definition in (there, wanted))
    return one == other


def _statements(model: Table) -> Iterator[tuple[str, str]]:
    """Name and statement of what the model has, by name: SQLAlchemy keeps constraints and indexes in sets."""
    items = [item for item in (*model.constraints, *model.indexes) if isinstance(item, (*COMPARED, Index))]
    named = {sql_name(item.name): item for item in items if isinstance(item.name, str)}
    for name in sorted(named):
        yield name, _create(named[name], model)


def _create(item: Any, model: Table) -> str:
    """The statement that makes an index or a constraint on the temporary copy of its table."""
    isolated = {"isolate_from_table": False}  # else the model's own CREATE TABLE would leave it out from now on
    ddl: ExecutableDDLElement = CreateIndex(item) if isinstance(item, Index) else AddConstraint(item, **isolated)
    return str(ddl.compile(dialect=DIALECT, schema_translate_map={model.schema: COPY}, render_schema_translate=True))


def _primary_key(found: dict[str, Definition]) -> Definition | None:
    return next((one for one in found.values() if one.kind == PRIMARY_KEY), None)


def _settled(connection: Connection, table: str, definition: Definition) -> str:
    """The text, printed again until it stays the same."""
    for _ in range(PRINTS):
        before, definition = definition, _printed(connection, table, definition)
        if definition == before:
            break
    return _TEXT.sub(r"\1::text", definition.text)


def _printed(connection: Connection, table: str, definition: Definition) -> Definition:
    """What the server prints when it reads a definition."""
    name = quote(definition.name)
    make = f"ALTER TABLE {quote(table)} ADD CONSTRAINT {name} {definition.text}"
    if definition.kind == INDEX:
        unique, _, using = definition.text.partition("USING ")
        make = f"CREATE {unique}INDEX {name} ON {quote(table)} USING {using}"
    execute_verbatim(connection, f"SAVEPOINT printed; {make}")
    printed = all_there(connection, table)[definition.name]
    execute_verbatim(connection, "ROLLBACK TO SAVEPOINT printed")
    return printed
