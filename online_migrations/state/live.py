"""Live release: the table `schema_releases`, in which each release notes what it uses when it goes live.

So a migration that takes what old code still reads is refused, and a rollback is foretold. A release is known by its
mapping and its head revision. Its newest start counts, so after a rollback the older release is the live one again.
"""

import logging
import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, MetaData, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from online_migrations.errors import server_message
from online_migrations.state.mapping import (
    MappedTables,
    UniqueColumns,
    mapped_tables,
    mapping_hash,
    read_relations,
    unique_columns,
)
from online_migrations.state.tables import RELEASES, exists, newer

_LATER = func.greatest(RELEASES.c.live_at, literal_column("excluded.live_at"))
_NEWEST_FIRST = select(
    RELEASES.c.code_head, RELEASES.c.live_at, RELEASES.c.mapping, RELEASES.c.rules, newer(RELEASES.c.unique_columns)
).order_by(RELEASES.c.live_at.desc())

_UNIQUE_RULE = re.compile(r"UNIQUE \((?P<columns>[^()]+)\)")

log = logging.getLogger(__name__)


class Usage(NamedTuple):
    """Hold what a release does with one table."""

    columns: frozenset[str]  # that it reads and may write
    nullable: frozenset[str]  # into which it may write NULL
    left_to_default: frozenset[str]  # that its inserts may leave out
    unique: tuple[UniqueColumns, ...] = ()  # that its models declare, by which ON CONFLICT finds a row

    def declares(self, name: str, columns: Collection[str]) -> bool:
        """Tell whether the models declare it unique: by just these columns, or of expressions, under this name."""
        wanted = set(columns)
        return any(set(one["columns"]) == wanted if one["columns"] else one["name"] == name for one in self.unique)


class LiveRelease(NamedTuple):
    code_head: str  # several, with commas, when branches of the code were not merged
    live_at: datetime  # when its newest process began
    mapping: MappedTables
    rules: dict[str, list[str]]  # table: what its rows were held to, as definitions of mapping.Rule
    noted_unique: dict[str, list[UniqueColumns]] | None  # table: what its models declare; None: it did not note that

    @property
    def unique(self) -> dict[str, list[UniqueColumns]]:
        """Return what it may name in ON CONFLICT. Not noted: all that was unique when it went live."""
        if self.noted_unique is not None:
            return self.noted_unique
        return {table: list(_unique_in(rules)) for table, rules in self.rules.items()}


def record_live(connection: Connection, metadata: MetaData, code_head: str, age: float = 0) -> None:
    """Note that code with these models serves: one upsert, in a transaction of its own.

    Where the database takes no changes, or has no such table yet, this is logged, and the release that was noted last
    counts as the live one.

    Args:
        age: seconds for which it could have served; its first request may come late.
    """
    tables = mapped_tables(metadata)
    try:
        relations = read_relations(connection, tables)
        rules = {table: [rule.definition for rule in relation.rules] for table, relation in relations.items()}
        connection.execute(
            insert(RELEASES)
            .values(
                mapping_hash=mapping_hash(tables),
                code_head=code_head,
                mapping=tables,
                rules=rules,
                unique_columns=unique_columns(metadata),
                live_at=func.now() - timedelta(seconds=age),  # the database's clock
            )
            .on_conflict_do_update(
                index_elements=["mapping_hash", "code_head"],
                set_={"live_at": _LATER, "unique_columns": literal_column("excluded.unique_columns")},
            )
        )
        connection.commit()
    except DBAPIError as error:
        connection.rollback()
        log.warning("it is not noted that this release is live: %s", server_message(error))


def live_release(connection: Connection) -> LiveRelease | None:
    """Return the release whose processes began last; None: none has noted that it serves."""
    return _first(connection)


def in_use(connection: Connection) -> dict[str, Usage] | None:
    """Return what the live release uses, by tables as its models name them; None: none has noted that it serves."""
    release = live_release(connection)
    connection.rollback()
    if release is None:
        return None
    unique = release.unique
    return {
        table: Usage(
            frozenset(columns),
            frozenset(name for name, column in columns.items() if not column["not_null"]),
            frozenset(name for name, column in columns.items() if column["has_default"] or column["generated"]),
            tuple(unique.get(table, ())),
        )
        for table, columns in release.mapping.items()
    }


def mapped_by_live(connection: Connection) -> list[str]:
    """Return the tables that the live release maps; none when none has noted that it serves."""
    release = live_release(connection)
    return [] if release is None else list(release.mapping)


def release_before(connection: Connection) -> LiveRelease | None:
    """Return the release that was live before the live one."""
    return _first(connection, place=1)


def release_at(connection: Connection, code_head: str) -> LiveRelease | None:
    """Return the newest release whose code ended with this revision."""
    return _first(connection, RELEASES.c.code_head == code_head)


def own_release(connection: Connection, metadata: MetaData, code_head: str) -> LiveRelease | None:
    """Return what code with these models noted when it was live; None: it never was, in this database."""
    is_same = RELEASES.c.mapping_hash == mapping_hash(mapped_tables(metadata))
    return _first(connection, is_same, RELEASES.c.code_head == code_head)


def _first(connection: Connection, *which: ColumnElement[bool], place: int = 0) -> LiveRelease | None:
    if not exists(connection, RELEASES):
        return None
    row = connection.execute(_NEWEST_FIRST.where(*which).offset(place).limit(1)).one_or_none()
    return LiveRelease(*row) if row else None


def _unique_in(rules: list[str]) -> Iterator[UniqueColumns]:
    """Yield what is unique by plain columns, of definitions such as "UNIQUE (user_id, title) WHERE …"."""
    for rule in rules:
        if found := _UNIQUE_RULE.match(rule):
            yield {"name": "", "columns": [name.strip('"') for name in found["columns"].split(", ")]}
