"""Catalog snapshot: what stands in PostgreSQL's system catalogs about the objects of all user schemas.

A whole one is taken before a revision locks anything. Afterwards only what the transaction has touched is read again,
so the time under its locks does not grow with the schema. Neither waits for a lock on a table.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, text

from online_migrations.definitions import RETIRED_COMMENT

# A column `a` that a trigger fills when a row leaves it out. One that fires BEFORE INSERT or UPDATE for each row may
# set any column of NEW (PostgreSQL manual, "Overview of Trigger Behavior"). One in PL/pgSQL does not set a column if
# its source does not name the column, and NEW as a whole is only returned. The bits of tgtype: 1 is FOR EACH ROW,
# 2 BEFORE, 4 INSERT, 16 UPDATE (src/include/catalog/pg_trigger.h).
FILLED_BY_TRIGGER = r"""EXISTS (SELECT FROM pg_trigger f JOIN pg_proc p ON p.oid = f.tgfoid
  JOIN pg_language l ON l.oid = p.prolang
  WHERE f.tgrelid = a.attrelid AND NOT f.tgisinternal AND f.tgenabled IN ('O', 'A')
    AND f.tgtype & 3 = 3 AND f.tgtype & 20 <> 0
    AND (l.lanname <> 'plpgsql' OR strpos(lower(p.prosrc), lower(a.attname)) > 0
      OR regexp_replace(p.prosrc, '\mRETURN\s+(NEW|OLD|NULL)\s*;|\mNEW\s*\.', '', 'gi') ~* '\m(NEW|RETURN)\M'))"""

# Kinds of which a database has a handful, or of which only some may be seen by their rows: they are read each time.
FEW = ("schema", "database", "role", "publication", "event trigger", "object", "setting")

Key = tuple[str, int, int]  # kind, oid, number of the column; an object keeps it when it is renamed


class Thing(NamedTuple):
    """Hold one object of the catalog.

    Args:
        table: key of the table or view that a column, constraint, index, trigger, rule or policy belongs to.
        name: of a relation or type with its schema, "public.notes"; of a function with its arguments.
        facts: what can change about it.
    """

    table: Key | None
    name: str
    facts: Mapping[str, Any]


class Snapshot(Mapping[Key, Thing]):
    """Find things by their keys, and by the table that they belong to."""

    def __init__(
        self, things: dict[Key, Thing], of_table: dict[Key, list[Key]], few: set[Key], granted: set[Key]
    ) -> None:
        self._things = things
        self._of_table = of_table
        self.few = few  # keys of the kinds of FEW
        self.granted = granted  # relations with privileges on single columns

    def __getitem__(self, key: Key) -> Thing:
        return self._things[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def of(self, table: Key | None, kind: str) -> Iterator[tuple[Key, Thing]]:
        """Yield what belongs to a table, of one kind; with None what belongs to none."""
        keys: Iterable[Key] = self._of_table.get(table, ()) if table else self.few if kind in FEW else self._things
        return ((key, self._things[key]) for key in keys if key[0] == kind)

    def keys_of(self, table: Key) -> Collection[Key]:
        return self._of_table.get(table, ())

    def relations(self) -> Iterator[tuple[Key, Thing]]:
        """Yield tables and views."""
        return ((key, thing) for key, thing in self.of(None, "relation") if thing.facts["kind"] != "S")

    def column_names(self, relation: Key) -> frozenset[str]:
        of_view = self[relation].facts["columns"]
        if of_view is not None:
            return frozenset(of_view)
        return frozenset(thing.name for _, thing in self.of(relation, "column"))

    def tables(self) -> dict[str, frozenset[str]]:
        """Return table or view, with its schema: its columns."""
        return {thing.name: self.column_names(key) for key, thing in self.relations()}

    def retired(self) -> dict[str, frozenset[str]]:
        """Return the marked columns of each table; none of them when the table itself is marked.

        A part of a table goes with the whole, so a mark of its own says nothing.
        """
        found: dict[str, frozenset[str]] = {}
        for key, thing in self.relations():
            marked = frozenset(column.name for _, column in self.of(key, "column") if column.facts["retired"])
            if marked or thing.facts["retired"]:
                found[thing.name] = frozenset() if thing.facts["retired"] else marked
        of_whole: dict[str, frozenset[str] | None] = {}
        for key, thing in self.relations():
            if thing.facts["parents"]:
                of_whole[thing.name] = next((found[whole] for whole in self.wholes(key) if whole in found), None)
        return {name: columns for name, columns in {**found, **of_whole}.items() if columns is not None}

    def wholes(self, key: Key) -> Iterator[str]:
        """Yield the tables of which a relation is a part, by PARTITION OF or INHERITS; the nearest first."""
        to_visit = list(self[key].facts["parents"])
        while to_visit:
            above = ("relation", to_visit.pop(0), 0)
            if above in self:
                yield self[above].name
                to_visit += self[above].facts["parents"]

    def replaced(self, keys: Collection[Key], found: dict[Key, Thing]) -> "Snapshot":
        """Return another one, in which `found` stands in the place of what had the keys."""
        things, of_table = {**self._things}, {**self._of_table}
        for key in keys:
            things.pop(key, None)
            of_table.pop(key, None)
        part = _indexed(found)
        return Snapshot(things | found, of_table | part._of_table, part.few, (self.granted - {*keys}) | part.granted)


class Touched(NamedTuple):
    """Hold the snapshot after some statements, and the keys of all that they may have changed."""

    after: Snapshot
    keys: Collection[Key]


def read_snapshot(connection: Connection) -> Snapshot:
    """Return the catalog as this transaction sees it, with what it has changed itself."""
    return _indexed(_read(connection, everything=True))


def read_touched(connection: Connection, before: Snapshot) -> Touched:
    """Return the catalog as this transaction sees it, where `before` is how it was when the transaction began.

    A schema that has another name or other privileges, and a publication, concern tables that nobody has touched: then
    all is read.
    """
    touched = connection.execute(_TOUCHED).one()
    if touched.publications or any(("schema", oid, 0) in before for oid in touched.schemas):
        after = read_snapshot(connection)
        return Touched(after, before.keys() | after.keys())
    relations = before.granted | {("relation", oid, 0) for oid in touched.relations}
    keys = before.few | relations | {key for relation in relations for key in before.keys_of(relation)}
    keys |= {(kind, oid, 0) for kind in ("function", "type") for oid in touched.objects}
    found = _read(connection, relations=[oid for _, oid, _ in relations], objects=touched.objects)
    return Touched(before.replaced(keys, found), keys | found.keys())


def _read(
    connection: Connection, *, everything: bool = False, relations: Collection[int] = (), objects: Collection[int] = ()
) -> dict[Key, Thing]:
    asked = {"everything": everything, "relations": list(relations), "objects": list(objects)}
    return {
        (row.kind, row.id, row.sub): Thing(("relation", row.owner, 0) if row.owner else None, row.name, row.facts)
        for row in connection.execute(_SNAPSHOT, {**asked, "retired": RETIRED_COMMENT})
    }


def _indexed(things: Mapping[Key, Thing]) -> Snapshot:
    of_table: dict[Key, list[Key]] = {}
    few, granted = set(), set()
    for key, thing in things.items():
        if thing.table is not None:
            of_table.setdefault(thing.table, []).append(key)
        if key[0] in FEW:
            few.add(key)
        if key[0] == "column" and thing.table is not None and thing.facts["grants"]:
            granted.add(thing.table)
    return Snapshot(dict(things), of_table, few, granted)


def _sql(name: str) -> TextClause:
    source = (files(__package__) / name).read_text(encoding="utf-8")
    return text(source.replace("{FILLED_BY_TRIGGER}", FILLED_BY_TRIGGER).replace("::", r"\:\:"))


_SNAPSHOT, _TOUCHED = _sql("snapshot.sql"), _sql("touched.sql")
