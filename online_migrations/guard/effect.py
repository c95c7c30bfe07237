"""One effect of a migration, and what it is found from: one object before and after."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from online_migrations.guard.snapshot import Key, Snapshot, Thing

DEFAULT_SCHEMA = "public."
SEQUENCE = "S"  # pg_class.relkind


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


def is_left_null(column: Thing) -> bool:
    """Tell whether the column is NULL in a row whose writer does not name it."""
    return not any(column.facts[fact] for fact in ("not_null", "has_default", "identity", "filled"))
