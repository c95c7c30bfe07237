"""What a revision cost: the longest lock on each table, rows written, attempts, time.

What a transaction holds and has written so far: locks, rows, and the lock_timeout that it waits with.

Difference of two catalog snapshots, as effects: what was taken, required, rewritten or locked.

Only effects that some phase forbids are listed. What adds or loosens hurts nobody and is none.

What a transaction did, and which of its statements did it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from online_migrations.guard import columns, constraints, objects, tables
from online_migrations.guard.effect import Change, Effect, shown
from online_migrations.guard.snapshot import Key, Snapshot, Thing
from online_migrations.state.tables import TOOL_TABLES, VERSION_TABLE

ACCESS_EXCLUSIVE = "AccessExclusiveLock"

# Modes that block writes, or reads too. Source: PostgreSQL manual, "Explicit Locking".
_LOCKS = (
    "SELECT jsonb_object_agg(relation, mode) FROM (SELECT DISTINCT ON (relation) relation, mode FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND mode IN"
    " ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
    " ORDER BY relation, mode) strong"
)
_ROWS = (
    "SELECT jsonb_object_agg(relid, n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables"
    " WHERE n_tup_upd + n_tup_del > 0"
)
_HELD = text(f"SELECT ({_LOCKS}) AS locks, ({_ROWS}) AS rows, current_setting('lock_timeout') AS lock_timeout")


class Held(NamedTuple):
    """
    Args:
        locks: oid of a table: the mode in which this transaction holds it; only modes that make others wait.
        rows: oid of a table: rows that this transaction has updated or deleted.
    """

    locks: Mapping[int, str]
    rows: Mapping[int, int]
    lock_timeout: str


def read_held(connection: Connection) -> Held:
    row = connection.execute(_HELD).one()
    locks, rows = ({int(oid): value for oid, value in (found or {}).items()} for found in (row.locks, row.rows))
    return Held(locks, rows, row.lock_timeout)


EFFECTS: dict[str, Callable[[Change], Iterator[Effect]]] = {
    "relation": tables.relation_effects,
    "column": columns.column_effects,
    "constraint": constraints.constraint_effects,
    "index": constraints.index_effects,
    "trigger": objects.behaviour_effects,
    "rule": objects.behaviour_effects,
    "policy": objects.behaviour_effects,
    "function": objects.object_effects,
    "type": objects.object_effects,
    "schema": objects.object_effects,
    "database": objects.database_effects,
    "role": objects.role_effects,
    "object": objects.object_effects,
    "setting": objects.setting_effects,
}


def difference(before: Snapshot, after: Snapshot) -> Iterator[Effect]:
    """The effects between two snapshots. What goes or comes together with its table is told by the table alone."""
    for key in {**before, **after}:
        change = Change(key, before.get(key), after.get(key), before, after)
        table = (change.old or change.there).table
        came_or_went_with_it = table is not None and (table not in before or table not in after)
        if change.old != change.new and not came_or_went_with_it:
            yield from EFFECTS[key[0]](change)


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


@dataclass
class Cost:
    """
    Args:
        locks: table: mode and seconds of the longest lock that made others wait. Upper bounds: they begin when the
            statement was sent, so they hold the time that it waited too.
        rows: updated, deleted or backfilled.
    """

    locks: dict[str, tuple[str, float]] = field(default_factory=dict)
    rows: int = 0
    began: float = field(default_factory=time.monotonic)

    def add_lock(self, table: str, mode: str, seconds: float) -> None:
        if seconds >= self.locks.get(table, ("", 0.0))[1]:
            self.locks[table] = (mode, seconds)

    def add_transaction(self, transaction: Transaction) -> None:
        """The locks and rows of a transaction that is about to commit."""
        records = transaction.records
        if not records:
            return
        now = time.monotonic()
        since: dict[int, float] = {}
        for record in records:
            for oid in record.held.locks:
                since.setdefault(oid, record.sent_at)
        for oid, mode in records[-1].held.locks.items():
            if name := transaction.table(oid):
                self.add_lock(shown(name), mode, now - since[oid])
        self.rows += sum(records[-1].held.rows.values()) - sum((transaction.written_before or {}).values())

    def as_json(self, attempts: int) -> dict[str, Any]:
        """For the ledger; times in milliseconds."""
        return {
            "locks": {table: [mode, round(seconds * 1000)] for table, (mode, seconds) in self.locks.items()},
            "rows": self.rows,
            "attempts": attempts,
            "milliseconds": round((time.monotonic() - self.began) * 1000),
        }
