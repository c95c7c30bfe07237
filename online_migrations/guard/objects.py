"""Effects between two snapshots: on triggers, rules and policies, on what belongs to no table, and on all together."""

from collections.abc import Callable, Collection, Iterator

from online_migrations.guard.effect import Change, Effect
from online_migrations.guard.snapshot import Key, Snapshot, Thing
from online_migrations.guard.tables import column_effects, constraint_effects, index_effects, relation_effects

NO_LIMIT = -1  # pg_database.datconnlimit, pg_roles.rolconnlimit
FIRST_OID = 16384  # of what PostgreSQL does not bring itself (FirstNormalObjectId)


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
    """A function, a type, a schema, an operator, a cast, a collation or a configuration of the text search.

    Nobody can tell what a function's body does, so one that is there stays as it is. An overload may be chosen in the
    place of the one that live code means, or make its call ambiguous.
    """
    old, new = change.old, change.new
    if old is None:
        facts, sub = change.there.facts, change.key[2]
        between = facts.get("between")  # the types of a cast, which may convert what live code compares or stores
        if any(_was_there(change, (change.key[0], oid, sub)) for oid in facts.get("namesakes") or ()) or (
            between and all(_was_there(change, ("type", oid, 0)) for oid in between)
        ):
            yield change.effect("overloads")
        return
    if new is None or old.name != new.name:
        new = change.namesake()
    if new is None:
        yield from _on_its_columns(change, change.effect("drops-object"))
    elif new.facts.get("body") != old.facts.get("body"):
        yield change.effect("changes-function")
    # Values of an enum, and columns of a composite type.
    elif lost := sorted(part for fact in ("labels", "attributes") for part in _gone(old, new, fact)):
        effect = change.effect("drops-object")
        yield from _on_its_columns(change, effect._replace(subject=f"{', '.join(lost)} of {effect.subject}"))
    elif _gone(new, old, "checks") or (new.facts.get("not_null") and not old.facts["not_null"]):  # of a domain
        yield change.effect("requires-more")


def _was_there(change: Change, key: Key) -> bool:
    """Tell whether another object was there before. PostgreSQL's own count too."""
    return key[1] < FIRST_OID or key in change.before


def _on_its_columns(change: Change, effect: Effect) -> Iterator[Effect]:
    """Yield the effect on each column of a type, so that it is judged by who uses that; else the effect."""
    columns = change.old.facts.get("columns", ()) if change.old else ()
    tables = ((change.before.get(("relation", oid, 0)), name) for oid, name in columns)
    used = [(table, name) for table, name in tables if table]
    yield from [effect._replace(table=table.name, columns=(name,)) for table, name in used] or [effect]


def _gone(one: Thing, other: Thing, fact: str) -> set[str]:
    return set(one.facts.get(fact) or ()) - set(other.facts.get(fact) or ())


def publication_effects(change: Change) -> Iterator[Effect]:
    """A subscriber, such as a copy of the database or a search index, misses what is no longer sent."""
    old, new = change.old, change.new
    if old is None:
        return
    if new is None or new.name != old.name:
        yield change.effect("drops-object")
        return
    was, now = old.facts, new.facts
    there = {table: rows for table, rows in was["tables"].items() if ("relation", int(table), 0) in change.after}
    is_sent = there.items() <= now["tables"].items() and set(was["schemas"]) <= set(now["schemas"])
    if was["everything"] or now["everything"]:
        is_sent = now["everything"]
    if not is_sent or (was["sends"], was["root"]) != (now["sends"], now["root"]):
        yield change.effect("publishes-less")


def session_effects(change: Change) -> Iterator[Effect]:
    """A role or the database, which may take fewer sessions. A role that is gone owned nothing here."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    of = f"of the {change.key[0]} {old.name}"
    was, now = old.facts["limit"], new.facts["limit"]
    if new.facts.get("locked") and not old.facts["locked"]:
        yield change.effect("refuses-sessions", subject=f"NOLOGIN or VALID UNTIL {of}")
    if now != NO_LIMIT and (was == NO_LIMIT or now < was):
        yield change.effect("refuses-sessions", subject=f"CONNECTION LIMIT {now} {of}")


# In this order the effects are told, those on tables first.
EFFECTS: dict[str, Callable[[Change], Iterator[Effect]]] = {
    "relation": relation_effects,
    "column": column_effects,
    "constraint": constraint_effects,
    "index": index_effects,
    "trigger": behaviour_effects,
    "rule": behaviour_effects,
    "policy": behaviour_effects,
    "function": object_effects,
    "type": object_effects,
    "schema": object_effects,
    "database": session_effects,
    "role": session_effects,
    "publication": publication_effects,
    "event trigger": behaviour_effects,
    "object": object_effects,
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
