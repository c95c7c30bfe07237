"""Record: what a transaction did, which of its statements did it, and what a revision cost.

Only effects that some phase forbids are told. What adds or loosens hurts nobody and is none.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from online_migrations.guard import columns, constraints, objects, tables
from online_migrations.guard.effect import Change, Effect, shown
from online_migrations.guard.snapshot import Key, Snapshot, Thing, Touched
from online_migrations.state.tables import TOOL_TABLES, VERSION_TABLE

ACCESS_EXCLUSIVE = "AccessExclusiveLock"
SOME_ROWS = 100  # that may be written while the table is locked

# Modes that block writes, or reads too. Source: PostgreSQL manual, "Explicit Locking".
_LOCKS = (
    "SELECT jsonb_object_agg(relation, mode) FROM (SELECT DISTINCT ON (relation) relation, mode FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND mode IN"
    " ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
    " ORDER BY relation, mode) strong"
)
# Whoever writes rows of a table holds this lock on it. To ask for every table takes long in a large schema.
_ROWS = (
    "SELECT jsonb_object_agg(relation, rows) FROM (SELECT relation, ARRAY[pg_stat_get_xact_tuples_inserted(relation),"
    " pg_stat_get_xact_tuples_updated(relation), pg_stat_get_xact_tuples_deleted(relation)] AS rows FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND mode = 'RowExclusiveLock'"
    "  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) written"
)
_ALL_ROWS = text(
    "SELECT relid, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables"
    " WHERE n_tup_ins + n_tup_upd + n_tup_del > 0"
)
_HELD = text(f"SELECT ({_LOCKS}) AS locks, ({_ROWS}) AS rows, current_setting('lock_timeout') AS lock_timeout")


class Rows(NamedTuple):
    """Count the rows of a table that a transaction has inserted, updated and deleted."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def since(self, before: "Rows") -> "Rows":
        return Rows(*(now - was for now, was in zip(self, before, strict=True)))


NO_ROWS = Rows()


class Held(NamedTuple):
    """Hold what a transaction has so far.

    Args:
        locks: oid of a table: the mode in which this transaction holds it; only modes that make others wait.
        rows: oid of a table: the rows that this transaction has written, also those that a savepoint took back.
    """

    locks: Mapping[int, str]
    rows: Mapping[int, Rows]
    lock_timeout: str


def read_written(connection: Connection) -> dict[int, Rows]:
    """Return the rows of all tables that the server still counts for this session, also of transactions before."""
    return {row.relid: Rows(*row[1:]) for row in connection.execute(_ALL_ROWS)}


def read_held(connection: Connection) -> Held:
    row = connection.execute(_HELD).one()
    locks = {int(oid): mode for oid, mode in (row.locks or {}).items()}
    return Held(locks, {int(oid): Rows(*counted) for oid, counted in (row.rows or {}).items()}, row.lock_timeout)


class Record(NamedTuple):
    """Hold what was seen after one statement.

    Args:
        line: of the revision's file; None when no line of it was running.
        is_judged: False if it was excused, or a savepoint has taken it back.
        touched: the catalog after it; None when it could only write rows, or while nobody has looked.
        sent_at: on the monotonic clock.
    """

    line: int | None
    is_judged: bool
    touched: Touched | None
    held: Held
    sent_at: float


@dataclass
class Transaction:
    """Follow a transaction, from its first statement until it commits.

    Args:
        before: the catalog when it began; None: nobody has looked, since no line of the revision has run in it.
        written_before: rows that the session had written when it began, by oid of the table; the server's counters may
            still hold those of the transaction before. None: no statement was sent yet.
        unseen: place of the record whose catalog is still to be read. It is read before the next statement, or once
            for both at COMMIT.
    """

    before: Snapshot | None
    records: list[Record] = field(default_factory=list)
    written_before: Mapping[int, Rows] | None = None
    unseen: int | None = None

    def see_last(self, touched: Touched) -> None:
        if self.unseen is not None:
            self.records[self.unseen] = self.records[self.unseen]._replace(touched=touched)
            self.unseen = None

    def take_back(self, first: int) -> None:
        """Judge nothing that was written from this record on: a savepoint was rolled back.

        What a later statement does to the catalog is not to be taken for theirs, so nobody has looked after them.
        """
        self.records[first:] = [record._replace(is_judged=False, touched=None) for record in self.records[first:]]
        if self.unseen is not None and self.unseen >= first:
            self.unseen = None

    def whole(self, oid: int) -> int:
        """Return the table of which another one is a partition, or that table itself."""
        thing = self.before.get(("relation", oid, 0)) if self.before else None
        return self.whole(thing.facts["parents"][0]) if thing and thing.facts["partition"] else oid

    def table(self, oid: int) -> str | None:
        """Return the name of a table that was there; None for a new one, an index or a view."""
        thing = self.before.get(("relation", oid, 0)) if self.before else None
        return thing.name if thing and thing.facts["kind"] in ("r", "p") else None


EFFECTS: dict[str, Callable[[Change], Iterator[Effect]]] = {
    "relation": tables.relation_effects,
    "column": columns.column_effects,
    "constraint": constraints.constraint_effects,
    "index": constraints.index_effects,
    "trigger": objects.behaviour_effects,
    "rule": objects.behaviour_effects,
    "policy": objects.behaviour_effects,
    "function": objects.function_effects,
    "type": objects.object_effects,
    "schema": objects.object_effects,
    "database": objects.database_effects,
    "role": objects.role_effects,
    "publication": objects.publication_effects,
    "event trigger": objects.event_trigger_effects,
    "object": objects.object_effects,
    "setting": objects.setting_effects,
}


_KINDS = list(EFFECTS)


def difference(before: Snapshot, after: Snapshot, keys: Collection[Key]) -> Iterator[Effect]:
    """Yield the effects between two snapshots, those on tables first. What comes or goes with its table is told by the
    table alone.
    """
    for key in sorted(keys, key=lambda key: (_KINDS.index(key[0]), key)):
        change = Change(key, before.get(key), after.get(key), before, after)
        if change.old == change.new:
            continue
        table = (change.old or change.there).table
        if table is None or (table in before and table in after):
            yield from EFFECTS[key[0]](change)


def effects_of_transaction(transaction: Transaction, end: Touched) -> Iterator[tuple[Effect, Record | None]]:
    """Yield the effects, each with the statement that had it; None when that cannot be told."""
    assert transaction.before is not None  # noqa: S101 - a line of the revision has run
    by_statement = list(_effects_of_statements(transaction.before, transaction.records))
    held = transaction.records[-1].held.locks if transaction.records else {}
    for effect in difference(transaction.before, end.after, end.keys):
        record = _last_with(effect, by_statement)
        if effect.code != "validates":
            yield effect, record
        elif any(transaction.table(oid) == effect.table for oid in held):
            yield effect._replace(code="validates-under-lock"), record
    yield from _rows_written(transaction)
    yield from _tables_locked(transaction, end)


def _effects_of_statements(before: Snapshot, records: list[Record]) -> Iterator[tuple[Record, set[Effect]]]:
    for record in records:
        if record.touched is not None:
            yield record, set(difference(before, record.touched.after, record.touched.keys))
            before = record.touched.after


def _last_with(effect: Effect, by_statement: list[tuple[Record, set[Effect]]]) -> Record | None:
    """Return the last statement with the effect, or else with any effect on the same object."""
    same = [record for record, effects in by_statement if effect in effects]
    similar = [record for record, effects in by_statement if effect.key in {found.key for found in effects}]
    return same[-1] if same else similar[-1] if similar else None


def _rows_written(transaction: Transaction) -> Iterator[tuple[Effect, Record]]:
    """Yield the rows that each statement wrote in tables that were there, those of partitions as their table's."""
    seen = dict(transaction.written_before or {})
    under_lock: dict[int, int] = {}
    for record in transaction.records:
        wholes: dict[int, Rows] = {}
        for oid, rows in record.held.rows.items():
            written, seen[oid] = rows.since(seen.get(oid, NO_ROWS)), rows
            if transaction.table(oid) is not None and any(written):
                of_whole = wholes.get(transaction.whole(oid), NO_ROWS)
                wholes[transaction.whole(oid)] = Rows(*map(sum, zip(of_whole, written, strict=True)))
        for oid, written in wholes.items() if record.is_judged else ():
            for effect in _of_rows(str(transaction.table(oid)), written, record):
                yield effect, record
            if record.held.locks.get(oid) == ACCESS_EXCLUSIVE:
                under_lock[oid] = under_lock.get(oid, 0) + sum(written)
                if under_lock[oid] > SOME_ROWS:
                    name = str(transaction.table(oid))
                    yield Effect("writes-under-lock", f"{under_lock[oid]} rows of {shown(name)}", name), record


def _of_rows(table: str, written: Rows, record: Record) -> Iterator[Effect]:
    name = shown(table)
    if name in (*TOOL_TABLES, VERSION_TABLE):
        if record.line is not None and any(written):
            yield Effect("writes-tool-table", name, table)
        return
    # A row that an UPDATE moves to another partition is inserted there and deleted here.
    deleted = written.deleted - written.inserted
    if deleted > 0:
        rows = "1 row" if deleted == 1 else f"{deleted:,} rows"
        yield Effect("deletes-rows", f"{rows} of {name}", table)
    if written.inserted or written.updated:
        yield Effect("writes-rows", name, table, rows=written.inserted + written.updated)


def _tables_locked(transaction: Transaction, end: Touched) -> Iterator[tuple[Effect, Record]]:
    """Yield each table beyond the first one under ACCESS EXCLUSIVE.

    A table that was dropped, and one that a dropped foreign key referred to, is locked by that alone; and the
    partitions with their table.
    """
    before: Mapping[Key, Thing] = transaction.before or {}
    dropped = (before[key] for key in end.keys if key[0] == "constraint" and key in before and key not in end.after)
    gone = {thing.facts["referred"] for thing in dropped}
    held: set[str] = set()
    for record in transaction.records:
        exclusive = (oid for oid, mode in record.held.locks.items() if mode == ACCESS_EXCLUSIVE and oid not in gone)
        there = (oid for oid in exclusive if ("relation", oid, 0) in end.after)
        names = {name for oid in there if (name := transaction.table(transaction.whole(oid)))}
        if record.is_judged and len(held | names) > 1 and names - held:
            together = " and ".join(sorted(map(shown, held | names)))
            yield Effect("locks-two-tables", together, min(names)), record
        held |= names


@dataclass
class Cost:
    """Add up what a revision cost.

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
        """Add the locks and rows of a transaction that is about to commit."""
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
        before = transaction.written_before or {}
        for oid, rows in records[-1].held.rows.items():
            written = rows.since(before.get(oid, NO_ROWS))
            self.rows += written.updated + written.deleted

    def as_json(self, attempts: int) -> dict[str, Any]:
        """Return it for the ledger; times in milliseconds."""
        return {
            "locks": {table: [mode, round(seconds * 1000)] for table, (mode, seconds) in self.locks.items()},
            "rows": self.rows,
            "attempts": attempts,
            "milliseconds": round((time.monotonic() - self.began) * 1000),
        }
