"""What a transaction did, and which of its statements did it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from app.release.effects.difference import difference
from app.release.effects.effect import Effect, shown
from app.release.effects.held import ACCESS_EXCLUSIVE, Held
from app.release.effects.snapshot import Key, Snapshot, Thing
from app.release.ledger import TOOL_TABLES, VERSION_TABLE

# Rows that one transaction may update or delete in a table: about what backfill() writes at a time. Their locks are
# held until it commits.
MANY_ROWS = 1000
SOME_ROWS = 100  # that may be written while the table is locked


class Record(NamedTuple):
    """One statement that ran.

    Args:
        line: of the revision's file; None when no line of it was running.
        excuse: the reason of excused(); None when it was not excused.
        catalog: the snapshot after it; None when it could only write rows, or while nobody has looked.
        sent_at: on the monotonic clock.
    """

    line: int | None
    excuse: str | None
    catalog: Snapshot | None
    held: Held
    sent_at: float


@dataclass
class Transaction:
    """A transaction, from its first statement until it commits.

    Args:
        written_before: rows that the session had written when it began, by oid of the table; the server's counters may
            still hold those of the transaction before. None: no statement was sent yet.
        unseen: place of the record whose catalog is still to be read. It is read before the next statement, or once
            for both at COMMIT.
    """

    before: Snapshot
    records: list[Record] = field(default_factory=list)
    written_before: Mapping[int, int] | None = None
    unseen: int | None = None

    def see_last(self, catalog: Snapshot) -> None:
        """The catalog after the last statement is known."""
        if self.unseen is not None:
            self.records[self.unseen] = self.records[self.unseen]._replace(catalog=catalog)
            self.unseen = None

    def whole(self, oid: int) -> int:
        """The table of which another one was a partition, or that table itself."""
        thing = self.before.get(("relation", oid, 0))
        return self.whole(thing.facts["parents"][0]) if thing and thing.facts["partition"] else oid

    def table(self, oid: int) -> str | None:
        """The name of a table that was there; None for a new one, an index or a view."""
        thing = self.before.get(("relation", oid, 0))
        return thing.name if thing and thing.facts["kind"] in ("r", "p") else None


def effects_of_transaction(transaction: Transaction, after: Snapshot) -> Iterator[tuple[Effect, Record | None]]:
    """The effects, each with the statement that had it; None when that cannot be told."""
    by_statement = list(_effects_of_statements(transaction.before, transaction.records))
    held = transaction.records[-1].held.locks if transaction.records else {}
    for effect in difference(transaction.before, after):
        record = _last_with(effect, by_statement)
        if effect.code != "validates":
            yield effect, record
        elif any(transaction.table(oid) == effect.table for oid in held):
            yield effect._replace(code="validates-under-lock"), record
    yield from _rows_written(transaction)
    yield from _tables_locked(transaction, after)


def _effects_of_statements(before: Snapshot, records: list[Record]) -> Iterator[tuple[Record, set[Effect]]]:
    for record in records:
        if record.catalog is not None:
            yield record, set(difference(before, record.catalog))
            before = record.catalog


def _last_with(effect: Effect, by_statement: list[tuple[Record, set[Effect]]]) -> Record | None:
    """The last statement with the effect, or else with any effect on the same object."""
    same = [record for record, effects in by_statement if effect in effects]
    similar = [record for record, effects in by_statement if effect.key in {found.key for found in effects}]
    return same[-1] if same else similar[-1] if similar else None


def _rows_written(transaction: Transaction) -> Iterator[tuple[Effect, Record]]:
    """Tables of which too many rows were written, or some under a lock that keeps readers out."""
    seen = dict(transaction.written_before or {})
    total: dict[int, int] = {}
    for record in transaction.records:
        for oid, rows in record.held.rows.items():
            written, seen[oid] = rows - seen.get(oid, 0), rows
            name = transaction.table(oid)
            if name is None or record.excuse is not None or not written:
                continue
            if record.line is not None and shown(name) in (*TOOL_TABLES, VERSION_TABLE):
                yield Effect("writes-tool-table", shown(name), name), record
            total[oid] = total.get(oid, 0) + written
            subject = f"{total[oid]} rows of {shown(name)}"
            if total[oid] > MANY_ROWS:
                yield Effect("writes-many-rows", subject, name), record
            elif total[oid] > SOME_ROWS and record.held.locks.get(oid) == ACCESS_EXCLUSIVE:
                yield Effect("writes-under-lock", subject, name), record


def _tables_locked(transaction: Transaction, after: Snapshot) -> Iterator[tuple[Effect, Record]]:
    """More than one table under ACCESS EXCLUSIVE. A table that was dropped, and one that a dropped foreign key referred
    to, is locked by that alone; and the partitions with their table."""
    gone = {
        thing.facts["referred"] for key, thing in transaction.before.items() if _is_key(key, thing) and key not in after
    }
    held: set[str] = set()
    for record in transaction.records:
        exclusive = (oid for oid, mode in record.held.locks.items() if mode == ACCESS_EXCLUSIVE and oid not in gone)
        there = (oid for oid in exclusive if ("relation", oid, 0) in after)
        names = {name for oid in there if (name := transaction.table(transaction.whole(oid)))}
        if record.excuse is None and len(held | names) > 1 and names - held:
            together = " and ".join(sorted(map(shown, held | names)))
            yield Effect("locks-two-tables", together, min(names)), record
        held |= names


def _is_key(key: Key, thing: Thing) -> bool:
    return key[0] == "constraint" and bool(thing.facts["referred"])
