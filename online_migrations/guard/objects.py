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
    yield change.effect("changes-setting")._replace(subject=change.there.name)


def object_effects(change: Change) -> Iterator[Effect]:
    """A function, a type, a schema, an operator, a cast, a collation or a configuration of the text search.

    Nobody can tell what a function's body does, so one that is there stays as it is. An overload may be chosen in the
    place of the one that live code means, or make its call ambiguous.
    """
    old, new = change.old, change.new
    if old is None:
        if _has_namesake(change) or _is_between_old_types(change):
            yield change.effect("overloads")
        return
    if new is None or old.name != new.name:
        new = change.namesake()
    if new is None:
        yield from _on_its_columns(change, change.effect("drops-object"))
    elif new.facts.get("body") != old.facts.get("body"):
        yield change.effect("changes-function")
    elif lost := _lost_parts(old, new):
        effect = change.effect("drops-object")
        yield from _on_its_columns(change, effect._replace(subject=f"{', '.join(lost)} of {effect.subject}"))
    elif _requires_more(old, new):
        yield change.effect("requires-more")


def _has_namesake(change: Change) -> bool:
    """Tell whether another one had the name before. PostgreSQL's own count too."""
    kind, _, sub = change.key
    return any(
        oid < FIRST_OID or (kind, oid, sub) in change.before for oid in change.there.facts.get("namesakes") or ()
    )


def _is_between_old_types(change: Change) -> bool:
    """Tell whether it is a cast of types that were there, which may convert what live code compares or stores."""
    between = change.there.facts.get("between")
    return between is not None and all(oid < FIRST_OID or ("type", oid, 0) in change.before for oid in between)


def _on_its_columns(change: Change, effect: Effect) -> Iterator[Effect]:
    """Yield the effect on each column of a type, so that it is judged by who uses that; else the effect."""
    columns = change.old.facts.get("columns", ()) if change.old else ()
    tables = ((change.before.get(("relation", oid, 0)), name) for oid, name in columns)
    used = [(table, name) for table, name in tables if table]
    yield from [effect._replace(table=table.name, columns=(name,)) for table, name in used] or [effect]


def _lost_parts(old: Thing, new: Thing) -> list[str]:
    """Return values of an enum, and columns of a composite type."""
    return sorted(
        part
        for fact in ("labels", "attributes")
        for part in set(old.facts.get(fact) or ()) - set(new.facts.get(fact) or ())
    )


def _requires_more(old: Thing, new: Thing) -> bool:
    """Tell whether a domain refuses what it took."""
    checks = set(new.facts.get("checks") or ()) - set(old.facts.get("checks") or ())
    return bool(checks or (new.facts.get("not_null") and not old.facts["not_null"]))


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
        yield change.effect("refuses-sessions")._replace(subject=f"NOLOGIN or VALID UNTIL {of}")
    if now != NO_LIMIT and (was == NO_LIMIT or now < was):
        yield change.effect("refuses-sessions")._replace(subject=f"CONNECTION LIMIT {now} {of}")


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
