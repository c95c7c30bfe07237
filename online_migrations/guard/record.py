"""Record: what a transaction did, and which of its statements did it.

Only effects that some phase forbids are told. What adds or loosens hurts nobody and is none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from online_migrations.guard.effect import Effect, shown
from online_migrations.guard.objects import difference
from online_migrations.guard.snapshot import Snapshot, Touched
from online_migrations.sql import read_sql
from online_migrations.state.tables import TOOL_TABLES, VERSION_TABLE

ACCESS_EXCLUSIVE = "AccessExclusiveLock"
SOME_ROWS = 100  # that may be written while the table is locked

_HELD = read_sql(__file__, "held.sql")
_WRITTEN = read_sql(__file__, "written.sql")


class Rows(NamedTuple):
    inserted: int = 0  # of a table, by a transaction
    updated: int = 0
    deleted: int = 0

    def since(self, before: "Rows") -> "Rows":
        return Rows(*(now - was for now, was in zip(self, before, strict=True)))


NO_ROWS = Rows()


class Held(NamedTuple):
    locks: Mapping[int, str]  # oids of tables that a transaction holds in a mode that makes others wait
    rows: Mapping[int, Rows]  # that it has written, also those that a savepoint took back
    lock_timeout: str


def read_written(connection: Connection) -> dict[int, Rows]:
    return {row.relid: Rows(*row[1:]) for row in connection.execute(_WRITTEN)}


def read_held(connection: Connection) -> Held:
    row = connection.execute(_HELD).one()
    locks = {int(oid): mode for oid, mode in (row.locks or {}).items()}
    return Held(locks, {int(oid): Rows(*counted) for oid, counted in (row.rows or {}).items()}, row.lock_timeout)


class Record(NamedTuple):
    line: int | None  # of the revision's file; None when no line of it was running
    is_judged: bool  # False if it was excused, or a savepoint has taken it back
    touched: Touched | None  # None when it could only write rows, or while nobody has looked
    held: Held


@dataclass
class Transaction:
    """Follow a transaction, from its first statement until it commits."""

    before: Snapshot | None  # None: nobody has looked, since no line of the revision has run in it
    records: list[Record] = field(default_factory=list)
    # Of the transaction before, which the server's counters may still hold. None: no statement was sent yet.
    written_before: Mapping[int, Rows] | None = None
    savepoints: dict[str, int] = field(default_factory=dict)  # name: how many records there were
    # Place of the record whose catalog is to be read before the next statement, or once for both at COMMIT.
    unseen: int | None = None

    def see_last(self, touched: Touched) -> None:
        if self.unseen is not None:
            self.records[self.unseen] = self.records[self.unseen]._replace(touched=touched)
            self.unseen = None

    def take_back(self, first: int) -> None:
        """Judge nothing from this record on: a savepoint was rolled back. What comes later is not taken for it."""
        self.records[first:] = [record._replace(is_judged=False, touched=None) for record in self.records[first:]]
        if self.unseen is not None and self.unseen >= first:
            self.unseen = None


def effects_of_transaction(transaction: Transaction, end: Touched) -> Iterator[tuple[Effect, Record | None]]:
    """Yield the effects, each with the statement that had it; None when that cannot be told."""
    assert transaction.before is not None  # noqa: S101 - a line of the revision has run
    by_statement, before, records = [], transaction.before, transaction.records
    for record in records:
        if record.touched is not None:
            by_statement.append((record, set(difference(before, record.touched.after, record.touched.keys))))
            before = record.touched.after
    before, locks = transaction.before, records[-1].held.locks if records else ()
    held = {before[key].name for oid in locks if (key := ("relation", oid, 0)) in before}
    for effect in difference(before, end.after, end.keys):
        same = [record for record, effects in by_statement if effect in effects]
        similar = [record for record, effects in by_statement if effect.key in {found.key for found in effects}]
        by = next(reversed(same or similar), None)  # the last one, or else any on the same object
        if effect.code != "validates":
            yield effect, by
        elif effect.table in held:
            yield effect._replace(code="validates-under-lock"), by
    yield from _rows_written(before, records, transaction.written_before or {})
    yield from _tables_locked(before, records, end)


def _table(before: Snapshot, oid: int) -> str | None:
    """Return a table that was there, of a partition the whole; None for a new one, an index or a view."""
    thing = before.get(("relation", oid, 0))
    if thing and thing.facts["partition"]:
        return _table(before, thing.facts["parents"][0])
    return thing.name if thing and thing.facts["kind"] in ("r", "p") else None


def _rows_written(
    before: Snapshot, records: list[Record], written_before: Mapping[int, Rows]
) -> Iterator[tuple[Effect, Record]]:
    """Yield the rows that each statement wrote in tables that were there."""
    seen = dict(written_before)
    under_lock: dict[str, int] = {}
    for record in records:
        tables: dict[str, Rows] = {}
        for oid, rows in record.held.rows.items():
            written, seen[oid] = rows.since(seen.get(oid, NO_ROWS)), rows
            if any(written) and (name := _table(before, oid)):
                tables[name] = Rows(*map(sum, zip(tables.get(name, NO_ROWS), written, strict=True)))
        locked = {_table(before, oid) for oid, mode in record.held.locks.items() if mode == ACCESS_EXCLUSIVE}
        for name, written in tables.items() if record.is_judged else ():
            yield from ((effect, record) for effect in _of_rows(name, written, record))
            if name in locked:
                under_lock[name] = under_lock.get(name, 0) + sum(written)
                if under_lock[name] > SOME_ROWS:
                    yield Effect("writes-under-lock", f"{under_lock[name]} rows of {shown(name)}", name), record


def _of_rows(table: str, written: Rows, record: Record) -> Iterator[Effect]:
    name = shown(table)
    if name in (*TOOL_TABLES, VERSION_TABLE):
        if record.line is not None:
            yield Effect("writes-tool-table", name, table)
        return
    # A row that an UPDATE moves to another partition is inserted there and deleted here.
    deleted = written.deleted - written.inserted
    if deleted > 0:
        yield Effect("deletes-rows", f"{'1 row' if deleted == 1 else f'{deleted:,} rows'} of {name}", table)
    if written.inserted or written.updated:
        yield Effect("writes-rows", name, table, rows=written.inserted + written.updated)


def _tables_locked(before: Snapshot, records: list[Record], end: Touched) -> Iterator[tuple[Effect, Record]]:
    """Yield each table beyond the first one under ACCESS EXCLUSIVE, but partitions, and what a drop locks besides."""
    dropped = (before[key] for key in end.keys if key[0] == "constraint" and key in before and key not in end.after)
    gone = {thing.facts["referred"] for thing in dropped}
    held: set[str] = set()
    for record in records:
        exclusive = (oid for oid, mode in record.held.locks.items() if mode == ACCESS_EXCLUSIVE and oid not in gone)
        there = (oid for oid in exclusive if ("relation", oid, 0) in end.after)
        names = {name for oid in there if (name := _table(before, oid))}
        if record.is_judged and len(held | names) > 1 and names - held:
            together = " and ".join(sorted(map(shown, held | names)))
            yield Effect("locks-two-tables", together, min(names)), record
        held |= names
