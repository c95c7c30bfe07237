"""Catalog snapshot: what stands in PostgreSQL's system catalogs about the objects of all user schemas; and its changes.

A whole one is taken before a revision locks anything. Afterwards only what the transaction has touched is read again,
so the time under its locks does not grow with the schema.
"""

import json
from collections import UserDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from online_migrations.definitions import RETIRED_COMMENT, SHADOW_OF_FORMER
from online_migrations.sql import read_sql

FILLED_BY_TRIGGER = read_sql(__file__, "filled_by_trigger.sql").text  # a condition on a column `a` of pg_attribute
_SNAPSHOT = text(read_sql(__file__, "snapshot.sql").text.replace("{FILLED_BY_TRIGGER}", FILLED_BY_TRIGGER))
_TOUCHED = read_sql(__file__, "touched.sql")

# Kinds of which a database has a handful, or of which only some may be seen by their rows: they are read each time.
FEW = ("schema", "database", "role", "publication", "event trigger", "object", "setting")

DEFAULT_SCHEMA = "public."
SEQUENCE = "S"  # pg_class.relkind

Key = tuple[str, int, int]  # kind, oid, number of the column; an object keeps it when it is renamed


class Thing(NamedTuple):
    table: Key | None  # or view that a column, constraint, index, trigger, rule or policy belongs to
    name: str  # of a relation or type with its schema, "public.notes"; of a function with its arguments
    facts: Mapping[str, Any]  # what can change about it


class Snapshot(UserDict[Key, Thing]):
    """Find things by their keys, and by the table that they belong to. What belongs to a table is read when asked for.

    Reading the JSON of all columns, constraints and indexes takes ten times as long as all else here.
    """

    def __init__(self, things: dict[Key, Thing], parts: dict[Key, str]) -> None:
        self.data = things  # those of a table once it was asked for
        self._parts = parts  # what belongs to each table, in JSON
        self._of_table: dict[Key, list[Key]] = {}  # of the tables that were asked for
        self.few = {key for key in things if key[0] in FEW}  # of which all are read each time
        self.touched: Collection[Key] = ()  # what the transaction may have changed, if it was read after a statement

    def __iter__(self) -> Iterator[Key]:
        for table in self._parts:
            self.keys_of(table)
        return iter(self.data)

    def of(self, table: Key | None, kind: str) -> Iterator[tuple[Key, Thing]]:
        """Yield what belongs to a table, of one kind; with None what belongs to none."""
        keys: Iterable[Key] = self.keys_of(table) if table else self.few if kind in FEW else self.data
        return ((key, self.data[key]) for key in keys if key[0] == kind)

    def keys_of(self, table: Key) -> Collection[Key]:
        if table in self._parts and table not in self._of_table:
            parts = dict(_things_of(self._parts[table], table))
            self.data |= parts
            self._of_table[table] = [*parts]
        return self._of_table.get(table, ())

    def relations(self) -> Iterator[tuple[Key, Thing]]:
        """Yield tables and views."""
        return ((key, thing) for key, thing in self.of(None, "relation") if thing.facts["kind"] != "S")

    def column_names(self, relation: Key) -> frozenset[str]:
        return frozenset(self[relation].facts["columns"])

    def tables(self) -> dict[str, frozenset[str]]:
        """Return table or view, with its schema: its columns."""
        return {thing.name: self.column_names(key) for key, thing in self.relations()}

    def unretired(self) -> dict[str, frozenset[str]]:
        """Return likewise what is not retired. A part goes with the whole, so a mark of its own says nothing."""
        marks = {thing.name: thing.facts["retired"] for _, thing in self.relations()}
        found = {}
        for key, thing in self.relations():
            of_wholes = [marks[name] for name in [*self.wholes(key)] or [thing.name]]
            marked = next((mark for mark in of_wholes if mark is not None), None)
            if marked != []:
                found[thing.name] = self.column_names(key).difference(marked or ())
        return found

    def wholes(self, key: Key) -> Iterator[str]:
        """Yield the tables of which a relation is a part, by PARTITION OF or INHERITS; the nearest first."""
        above = [*self[key].facts["parents"]]
        for oid in above:  # which grows meanwhile
            if whole := self.get(("relation", oid, 0)):
                yield whole.name
                above += whole.facts["parents"]

    def replaced(self, keys: set[Key], things: dict[Key, Thing], parts: dict[Key, str]) -> "Snapshot":
        others = {key: thing for key, thing in self.data.items() if key not in keys}
        other_parts = {table: part for table, part in self._parts.items() if table not in keys}
        new = Snapshot(others | things, other_parts | parts)
        new._of_table = {table: own for table, own in self._of_table.items() if table not in keys}
        return new


def read_snapshot(connection: Connection) -> Snapshot:
    """Return the catalog as this transaction sees it, with what it has changed itself."""
    return Snapshot(*_read(connection))


def read_touched(connection: Connection, before: Snapshot) -> Snapshot:
    """Return the catalog as this transaction sees it, where `before` is how it was when the transaction began.

    A schema that has another name or other privileges, and a publication, concern tables that nobody has touched: then
    all is read.
    """
    touched = connection.execute(_TOUCHED).one()
    if touched.publications or any(("schema", oid, 0) in before for oid in touched.schemas):
        after = read_snapshot(connection)
        after.touched = before.keys() | after.keys()
        return after
    relations = {("relation", oid, 0) for oid in touched.relations}
    relations |= {key for key, thing in before.of(None, "relation") if thing.facts["has_grants"]}
    keys = before.few | relations | {(kind, oid, 0) for kind in ("function", "type") for oid in touched.objects}
    keys |= {key for relation in relations for key in before.keys_of(relation)}
    found = _read(connection, [oid for _, oid, _ in relations], touched.objects)
    after = before.replaced(keys, *found)
    after.touched = keys | after.few | {key for relation in relations for key in after.keys_of(relation)}
    return after


def _read(connection: Connection, *of: list[int]) -> tuple[dict[Key, Thing], dict[Key, str]]:
    """Return what belongs to no table, and the rest by tables: of some relations and objects alone, or of all."""
    relations, objects = of or ([], [])
    asked = {"everything": not of, "relations": relations, "objects": objects}
    rows = connection.execute(_SNAPSHOT, {**asked, "retired": [RETIRED_COMMENT, SHADOW_OF_FORMER]}).all()
    things = {key: thing for owner, found in rows if owner is None for key, thing in _things_of(found, None)}
    return things, {("relation", owner, 0): found for owner, found in rows if owner is not None}


def _things_of(things: str, table: Key | None) -> Iterator[tuple[Key, Thing]]:
    for kind, oid, number, name, facts in json.loads(things):
        yield (kind, oid, number), Thing(table, name, facts)


class Effect(NamedTuple):
    code: str  # one of rules.py
    subject: str  # what it happens to, as a person writes it: "notes.pinned"
    table: str = ""  # with its schema, "public.notes"; "" for what belongs to no table
    columns: tuple[str, ...] = ()  # that are taken, or of which a row must leave one out to be accepted
    key: Key | None = None  # of the object, by which the statement that did it is found
    leaves_all_out: bool = False  # a row must leave out all of the columns, not one of them
    check: str = ""  # the condition of a CHECK, "(size < 10)", which such a row has to meet besides
    beside: tuple[str, ...] = ()  # the definitions of the CHECKs that were there before it
    default: str = ""  # that a column has now, as SQL; "" for none
    column: str = ""  # that must not be NULL any more, or has lost its default
    unique: str = ""  # the name of a unique index or constraint that goes
    is_copied: bool = False  # what is taken can be made again of other columns, since the database computes it
    rows: int = 0  # that were inserted or updated


def shown(name: str) -> str:
    """Return a name without its schema when that is the usual one."""
    return name.removeprefix(DEFAULT_SCHEMA)


def on_table(code: str, table: str, *columns: str, **more: Any) -> Effect:
    """Return an effect on a table, or on columns of it. A name without a schema is one of the usual schema."""
    subject = ".".join([shown(table), ", ".join(columns)]) if columns else shown(table)
    effect = Effect(code, subject, table if "." in table else f"{DEFAULT_SCHEMA}{table}", columns)
    return effect._replace(**more)


def with_parts(effects: Iterable[Effect], catalog: Snapshot) -> Iterator[Effect]:
    """Yield effects on tables, and the same on the parts of each: what an operation does to a whole it does to them."""
    wholes = {thing.name: set(catalog.wholes(key)) for key, thing in catalog.relations() if thing.facts["parents"]}
    for effect in effects:
        yield effect
        for part in (name for name, above in wholes.items() if effect.table in above):
            yield effect._replace(table=part, subject=f"{shown(part)}, a part of {effect.subject},")


class Change(NamedTuple):
    """One object of the catalog, in the snapshot before and the one after; None: it is not there."""

    key: Key
    old: Thing | None
    new: Thing | None
    before: Snapshot
    after: Snapshot

    @property
    def there(self) -> Thing:
        found = self.new or self.old
        assert found is not None  # noqa: S101 - a key stands in one of the snapshots
        return found

    def effect(self, code: str, *columns: str, **more: Any) -> Effect:
        """Return an effect on the object. It and its table have the names that they had before."""
        thing, kind = self.old or self.there, self.key[0]
        owner = self.before.get(thing.table) if thing.table else None
        if owner is not None:
            effect = Effect(code, f"{shown(owner.name)}.{thing.name}", owner.name, columns)
        elif kind == "relation" and thing.facts["kind"] != SEQUENCE:
            effect = on_table(code, thing.name, *columns)
        else:
            kinds = {"relation": "the sequence ", **dict.fromkeys(("object", "event trigger", "setting"), "")}
            effect = Effect(code, f"{kinds.get(kind, f'the {kind} ')}{shown(thing.name)}")
        return effect._replace(key=self.key, **more)

    def siblings(self) -> list[Thing]:
        """Return the other objects of this kind that are there afterwards, on the same table."""
        return [thing for key, thing in self.after.of(self.there.table, self.key[0]) if key != self.key]

    def namesake(self) -> Thing | None:
        """Return the other one that has the former name now."""
        return next((thing for thing in self.siblings() if self.old and thing.name == self.old.name), None)

    @property
    def is_revoked(self) -> bool:
        """Tell whether a role may do less with it, or another one owns it."""
        if self.old is None or self.new is None:
            return False
        lost = _privileges(self.old) - _privileges(self.new)
        return bool(lost) or self.old.facts.get("role") != self.new.facts.get("role")


def _privileges(thing: Thing) -> set[str]:
    """Return such as "(16384,SELECT,f)"; a role that may pass one on, "(16384,SELECT,t)", has it without that too."""
    return {one for grant in thing.facts.get("grants", ()) for one in (grant, grant.replace(",t)", ",f)"))}
