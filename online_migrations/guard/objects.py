"""Effects between two snapshots: on triggers, rules and policies, on what belongs to no table, and on all together."""

from collections.abc import Callable, Collection, Iterator

from online_migrations.guard.effect import Change, Effect
from online_migrations.guard.snapshot import Key, Snapshot, Thing
from online_migrations.guard.tables import column_effects, constraint_effects, index_effects, relation_effects

FIRST_OID = 16384  # of what PostgreSQL does not bring itself (FirstNormalObjectId)

# A subscriber, such as a copy of the database or a search index, misses what a publication no longer sends.
HAS_LESS = {"publication": "publishes-less"}
ASKS_MORE = {"type": "requires-more", "role": "refuses-sessions", "database": "refuses-sessions"}


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


def setting_effects(change: Change) -> Iterator[Effect]:
    """A setting of the database or of a role, which every new session begins with."""
    yield change.effect("changes-setting", subject=change.there.name)


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
    if new is None or old.name != new.name:
        new = change.namesake()
    if new is None:
        yield from _on_its_columns(change, effect)
    elif new.facts.get("body") != old.facts.get("body"):
        yield effect._replace(code="changes-function")
    elif lost := _listed(old, new, "has"):
        lacks = effect._replace(code=HAS_LESS.get(kind, effect.code), subject=f"{lost} of {effect.subject}")
        yield from _on_its_columns(change, lacks)
    elif asked := _listed(new, old, "asks"):
        yield effect._replace(code=ASKS_MORE[kind], subject=f"{asked} of {effect.subject}")


def _overloads(change: Change) -> Iterator[Effect]:
    """Refuse a new one that may be chosen in the place of what live code means, or make its call ambiguous."""
    kind, _, sub = change.key
    facts = change.there.facts
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
    "setting": setting_effects,
}
_KINDS = list(EFFECTS)


def difference(before: Snapshot, after: Snapshot, keys: Collection[Key]) -> Iterator[Effect]:
    """Yield the effects on all that these keys name. What comes or goes with its table is told by the table alone."""
    for key in sorted(keys, key=lambda key: (_KINDS.index(key[0]), key)):
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
