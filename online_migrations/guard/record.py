"""Record: what a transaction did to rows, tables and other objects, and which of its statements did it.

Only effects that some phase forbids are told. What adds or loosens hurts nobody and is none.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from online_migrations.guard.snapshot import Change, Effect, Key, Snapshot, Thing, shown
from online_migrations.guard.tables import column_effects, constraint_effects, index_effects, no_null, relation_effects
from online_migrations.sql import read_sql
from online_migrations.state.tables import TOOL_TABLES

SOME_ROWS = 100  # that may be written while the table is locked
FIRST_OID = 16384  # of what PostgreSQL does not bring itself (FirstNormalObjectId)

# A subscriber, such as a copy of the database or a search index, misses what a publication no longer sends.
HAS_LESS = {"publication": "publishes-less"}
ASKS_MORE = {"type": "requires-more", "role": "refuses-sessions", "database": "refuses-sessions"}

# Effects that hold up requests only while the table is locked, or without a proof; and as which they are told.
READS_ROWS = {"validates": "validates-under-lock", "scans-for-null": "scans-for-null"}

_HELD = read_sql(__file__, "held.sql")

Rows = Counter[str]  # of a table: how many a transaction has inserted, updated and deleted


class Held(NamedTuple):
    locked: Collection[int]  # oids of tables that a transaction holds in a mode that makes others wait
    exclusive: Collection[int]  # those of them that others cannot even read
    rows: Mapping[int, Rows]  # that it has written, also those that a savepoint took back
    lock_timeout: str
    began: datetime  # the transaction; another one has another time


def read_held(connection: Connection, is_first: bool = False) -> Held:
    """Return what is held now; before the first statement, with the rows of transactions before that still count."""
    row = connection.execute(_HELD, {"is_first": is_first}).one()
    return Held(row.locked, row.exclusive, {oid: Counter(rows) for oid, rows in row.rows}, row.lock_timeout, row.began)


class Record(NamedTuple):
    line: int | None  # of the revision's file; None when no line of it was running
    is_judged: bool  # False if it was excused, or a savepoint has taken it back, or of how the transaction began
    after: Snapshot | None  # None when it could only write rows, or while nobody has looked
    held: Held


@dataclass
class Transaction:
    """Follow a transaction, from its first statement until it commits."""

    before: Snapshot | None  # None: nobody has looked, since no line of the revision has run in it
    records: list[Record] = field(default_factory=list)  # of its statements, behind one of how it began
    savepoints: dict[str, int] = field(default_factory=dict)  # name: how many records there were
    # Place of the record whose catalog is to be read before the next statement, or once for both at COMMIT.
    unseen: int | None = None

    def see_last(self, after: Snapshot) -> None:
        if self.unseen is not None:
            self.records[self.unseen] = self.records[self.unseen]._replace(after=after)
            self.unseen = None

    def take_back(self, first: int) -> None:
        """Judge nothing from this record on: a savepoint was rolled back. What comes later is not taken for it."""
        self.records[first:] = [record._replace(is_judged=False, after=None) for record in self.records[first:]]
        if self.unseen is not None and self.unseen >= first:
            self.unseen = None


def effects_of_transaction(transaction: Transaction, end: Snapshot) -> Iterator[tuple[Effect, Record | None]]:
    """Yield the effects, each with the statement that had it; None when that cannot be told."""
    assert transaction.before is not None  # noqa: S101 - a line of the revision has run
    # By an effect, or its code, the last statement that had it, and by a key the last one that had any on the object.
    last: dict[Effect | Key | tuple[Key | None, str] | None, Record] = {}
    before, records = transaction.before, transaction.records
    for record in records:
        if record.after is not None:
            for effect in difference(before, record.after):
                if effect.code not in READS_ROWS or _holds_up(effect, before, record):
                    last[effect] = last[effect.key, effect.code] = last[effect.key] = record
            before = record.after
    before = transaction.before
    for effect in difference(before, end):
        if effect.code not in READS_ROWS or (effect.key, effect.code) in last:
            by = last.get(effect) or last.get(effect.key)
            yield effect._replace(code=READS_ROWS.get(effect.code, effect.code)), by
    yield from _rows_written(before, records)
    yield from _tables_locked(before, records, end)


def _holds_up(effect: Effect, before: Snapshot, record: Record) -> bool:
    """Tell whether VALIDATE read rows under a lock, or SET NOT NULL did, which a validated CHECK spares it (manual)."""
    assert effect.key is not None  # noqa: S101 - a constraint's, or a column's
    if effect.code == "validates":
        (_, table, _) = before[effect.key].table or effect.key
        return table in record.held.locked
    return not any(check.facts["validated"] for check in no_null(before, effect.key))


def _table(before: Snapshot, oid: int) -> str | None:
    """Return a table that was there, of a partition the whole; None for a new one, an index or a view."""
    thing = before.get(("relation", oid, 0))
    if thing and thing.facts["partition"]:
        return _table(before, thing.facts["parents"][0])
    return thing.name if thing and thing.facts["kind"] in ("r", "p") else None


def _rows_written(before: Snapshot, records: list[Record]) -> Iterator[tuple[Effect, Record]]:
    """Yield the rows that each statement wrote in tables that were there."""
    seen: dict[int, Rows] = {}
    under_lock = Counter[str]()
    for record in records:
        tables: defaultdict[str, Rows] = defaultdict(Counter)
        for oid, rows in record.held.rows.items():
            written, seen[oid] = rows - seen.get(oid, Counter()), rows
            if written and (name := _table(before, oid)):
                tables[name] += written
        locked = {_table(before, oid) for oid in record.held.exclusive}
        for name, written in tables.items() if record.is_judged else ():
            yield from ((effect, record) for effect in _of_rows(name, written, record))
            if name in locked:
                under_lock[name] += written.total()
                if under_lock[name] > SOME_ROWS:
                    yield Effect("writes-under-lock", f"{under_lock[name]} rows of {shown(name)}", name), record


def _of_rows(table: str, written: Rows, record: Record) -> Iterator[Effect]:
    name = shown(table)
    if name in TOOL_TABLES:
        if record.line is not None:
            yield Effect("writes-tool-table", name, table)
        return
    # A row that an UPDATE moves to another partition is inserted there and deleted here.
    deleted = written["deleted"] - written["inserted"]
    if deleted > 0:
        yield Effect("deletes-rows", f"{'1 row' if deleted == 1 else f'{deleted:,} rows'} of {name}", table)
    if rows := written["inserted"] + written["updated"]:
        yield Effect("writes-rows", name, table, rows=rows)


def _tables_locked(before: Snapshot, records: list[Record], end: Snapshot) -> Iterator[tuple[Effect, Record]]:
    """Yield each table beyond the first one under ACCESS EXCLUSIVE, but partitions, and what a drop locks besides."""
    dropped = (before[key] for key in end.touched if key[0] == "constraint" and key in before and key not in end)
    gone = {thing.facts["referred"] for thing in dropped}
    held: set[str] = set()
    for record in records:
        there = (oid for oid in record.held.exclusive if oid not in gone and ("relation", oid, 0) in end)
        names = {name for oid in there if (name := _table(before, oid))}
        if record.is_judged and len(held | names) > 1 and names - held:
            together = " and ".join(sorted(map(shown, held | names)))
            yield Effect("locks-two-tables", together, min(names)), record
        held |= names


def behaviour_effects(change: Change) -> Iterator[Effect]:
    """A trigger, rule or policy: what the server does when a row is read or written. Or an event trigger, which
    may refuse any statement that changes the schema.
    """
    old, new = change.old, change.new
    if old is None:
        if change.there not in [thing for _, thing in change.before.of(change.there.table, change.key[0])]:
            yield change.effect("adds-behaviour")
    elif new is not None:
        yield change.effect("drops-behaviour" if new.facts.get("off") else "adds-behaviour")
    elif change.namesake() is None:
        yield change.effect("hides-rows" if change.key[0] == "policy" else "drops-behaviour")


def object_effects(change: Change) -> Iterator[Effect]:
    """Yield those of a function, a type, a schema, a role, a publication, and what else belongs to no table.

    Nobody can tell what a function's body does, so one that is there stays as it is. Of all others, what one has only
    becomes more, and what it asks only less.
    """
    kind, old, new = change.key[0], change.old, change.new
    if old is None:
        yield from _overloads(change)
        return
    if new is None and kind == "role":  # it owned nothing here
        return
    effect = change.effect("drops-object")
    is_renamed = new is not None and old.name != new.name
    if new is None or is_renamed:
        new = change.namesake()
    if new is None:
        subject = f"the name of {effect.subject}" if is_renamed else effect.subject
        yield from _on_its_columns(change, effect._replace(subject=subject))
    elif new.facts.get("body") != old.facts.get("body"):
        yield effect._replace(code="changes-function")
    elif lost := _listed(old, new, "has"):
        lacks = effect._replace(code=HAS_LESS.get(kind, effect.code), subject=f"{lost} of {effect.subject}")
        yield from _on_its_columns(change, lacks)
    elif asked := _listed(new, old, "asks"):
        yield effect._replace(code=ASKS_MORE[kind], subject=f"{asked} of {effect.subject}")


def _overloads(change: Change) -> Iterator[Effect]:
    """Refuse a new one that may be chosen in the place of what live code means, or make its call ambiguous.

    One that takes a value of a type that is new itself is none: live code has no such value.
    """
    kind, _, sub = change.key
    facts = change.there.facts
    types = (("type", oid, 0) for oid in facts.get("takes") or ())
    if any(key in change.after and key not in change.before for key in types):
        return
    between = facts.get("between")  # the types of a cast, which may convert what live code compares or stores
    if any(_was_there(change, (kind, oid, sub)) for oid in facts.get("namesakes") or ()) or (
        between and all(_was_there(change, ("type", oid, 0)) for oid in between)
    ):
        yield change.effect("overloads")


def _was_there(change: Change, key: Key) -> bool:
    """Tell whether another object was there before. PostgreSQL's own count too."""
    return key[1] < FIRST_OID or key in change.before


def _on_its_columns(change: Change, effect: Effect) -> Iterator[Effect]:
    """Yield the effect on each column of a type, so that it is judged by who uses that; else the effect."""
    columns = change.old.facts.get("columns", ()) if change.old else ()
    tables = ((change.before.get(("relation", oid, 0)), name) for oid, name in columns)
    used = [(table, name) for table, name in tables if table]
    yield from [effect._replace(table=table.name, columns=(name,)) for table, name in used] or [effect]


def _listed(one: Thing, other: Thing, fact: str) -> str:
    return ", ".join(sorted(set(one.facts.get(fact, ())) - set(other.facts.get(fact, ()))))


# In this order the effects are told, those on tables first.
EFFECTS: dict[str, Callable[[Change], Iterator[Effect]]] = {
    "relation": relation_effects,
    "column": column_effects,
    "constraint": constraint_effects,
    "index": index_effects,
    **dict.fromkeys(("trigger", "rule", "policy", "event trigger"), behaviour_effects),
    **dict.fromkeys(("function", "type", "schema", "database", "role", "publication", "object"), object_effects),
    "setting": lambda change: iter([change.effect("changes-setting", subject=change.there.name)]),
}
_KINDS = list(EFFECTS)


def difference(before: Snapshot, after: Snapshot) -> Iterator[Effect]:
    """Yield the effects on all that was touched. What comes or goes with its table is told by the table alone."""
    for key in sorted(after.touched, key=lambda key: (_KINDS.index(key[0]), key)):
        for snapshot in (before, after):
            snapshot.keys_of(key)  # of a table; reads what belongs to it, which comes next
        change = Change(key, before.get(key), after.get(key), before, after)
        if change.old == change.new:
            continue
        table = (change.old or change.there).table
        if table is None or (table in before and table in after):
            yield from EFFECTS[key[0]](change)
            if change.is_revoked:
                yield change.effect("revokes", *([change.old.name] if change.old and key[0] == "column" else []))
