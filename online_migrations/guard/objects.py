"""Effects on triggers, rules, policies, and on what belongs to no table: functions, types, schemas, publications, …."""

import re
from collections.abc import Iterator

from online_migrations.guard.effect import Change, Effect, shown
from online_migrations.guard.snapshot import Thing

NO_LIMIT = -1  # pg_database.datconnlimit, pg_roles.rolconnlimit
FIRST_OID = 16384  # of what PostgreSQL does not bring itself (FirstNormalObjectId)
PRIVILEGES = re.compile(r"(?P<role>.*)=(?P<letters>[A-Za-z*]*)/.*", re.DOTALL)  # of an item of an access control list


def behaviour_effects(change: Change) -> Iterator[Effect]:
    """A trigger, rule or policy: what the server does by itself when a row is read or written."""
    old, new = change.old, change.new
    if old is None:
        if change.there not in [thing for _, thing in change.before.of(change.there.table, change.key[0])]:
            yield change.effect("adds-behaviour")
    elif new is None:
        if old.name not in {thing.name for thing in change.siblings()}:
            yield change.effect("hides-rows" if change.key[0] == "policy" else "drops-behaviour")
    else:
        yield change.effect("drops-behaviour" if new.facts.get("off") else "adds-behaviour")


def event_trigger_effects(change: Change) -> Iterator[Effect]:
    """It may refuse any statement that changes the schema, of this release or of the next one."""
    yield _effect(change, "adds-behaviour" if change.new else "drops-behaviour", change.there.name)


def setting_effects(change: Change) -> Iterator[Effect]:
    """A setting of the database or of a role, which every new session begins with."""
    yield _effect(change, "changes-setting", change.there.name)


def function_effects(change: Change) -> Iterator[Effect]:
    """Nobody can tell what a body does: one that is there stays as it is, and a new one has a name of its own.

    An overload may be chosen in the place of the one that live code means, or make its call ambiguous.
    """
    old, new = change.old, change.new
    subject = f"the function {shown((old or change.there).name)}"
    if old is None:
        if _has_namesake(change, "function"):
            yield _effect(change, "overloads", subject)
        return
    if new is not None and is_revoked(old, new):
        yield _effect(change, "revokes", subject)
    if new is not None and new.name == old.name:
        if new.facts["body"] != old.facts["body"]:
            yield _effect(change, "changes-function", subject)
        return
    replacement = next((thing for thing in change.siblings() if thing.name == old.name), None)
    if replacement is None:
        yield _effect(change, "drops-object", subject)
    elif replacement.facts["body"] != old.facts["body"]:
        yield _effect(change, "changes-function", subject)


def object_effects(change: Change) -> Iterator[Effect]:
    """A type, a schema, an operator, a cast, a collation or a configuration of the text search."""
    old, new = change.old, change.new
    kind = "" if change.key[0] == "object" else f"{change.key[0]} "  # else it is part of the name
    subject = f"the {kind}{shown((old or change.there).name)}"
    if old is None:
        if _has_namesake(change, "object") or _is_between_old_types(change):
            yield _effect(change, "overloads", subject)
        return
    if new is not None and is_revoked(old, new):
        yield _effect(change, "revokes", subject)
    if new is None or old.name != new.name:
        new = next((thing for thing in change.siblings() if thing.name == old.name), None)
    if new is None:
        yield _effect(change, "drops-object", subject)
    elif lost := _lost_parts(old, new):
        yield _effect(change, "drops-object", f"{', '.join(lost)} of {subject}")
    elif _requires_more(old, new):
        yield _effect(change, "requires-more", subject)


def publication_effects(change: Change) -> Iterator[Effect]:
    """A subscriber, such as a copy of the database or a search index, misses what is no longer sent."""
    old, new = change.old, change.new
    if old is None:
        return
    subject = f"the publication {old.name}"
    if new is None or new.name != old.name:
        yield _effect(change, "drops-object", subject)
        return
    was, now = old.facts, new.facts
    is_all = now["everything"] and not was["everything"]
    sent = {table: rows for table, rows in was["tables"].items() if ("relation", int(table), 0) in change.after}
    others = any(now["tables"].get(table) != rows for table, rows in sent.items()) or {*was["schemas"]} - {
        *now["schemas"]
    }
    is_less = was["everything"] and not now["everything"]
    if is_less or was["sends"] != now["sends"] or was["root"] != now["root"] or (others and not is_all):
        yield _effect(change, "publishes-less", subject)


def role_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    if old is None or new is None:  # it owns nothing here any more
        return
    if new.facts["locked"] and not old.facts["locked"]:
        yield _effect(change, "refuses-sessions", f"NOLOGIN or VALID UNTIL of the role {old.name}")
    yield from _limit(change)


def database_effects(change: Change) -> Iterator[Effect]:
    yield from object_effects(change)
    yield from _limit(change)


def is_revoked(old: Thing, new: Thing) -> bool:
    """Tell whether a role may do less with it, or another one owns it."""
    was, now = old.facts, new.facts
    if was.get("role") != now.get("role"):
        return True
    return was.get("grants") != now.get("grants") and not _privileges(old) <= _privileges(new)


def _effect(change: Change, code: str, subject: str) -> Effect:
    return Effect(code, subject, "", (), change.key)


def _limit(change: Change) -> Iterator[Effect]:
    if change.old is None or change.new is None:
        return
    was, now = change.old.facts["limit"], change.new.facts["limit"]
    if now != NO_LIMIT and (was == NO_LIMIT or now < was):
        subject = f"CONNECTION LIMIT {now} of the {change.key[0]} {change.old.name}"
        yield _effect(change, "refuses-sessions", subject)


def _has_namesake(change: Change, kind: str) -> bool:
    """Tell whether another one had the name before. PostgreSQL's own count too."""
    sub = change.key[2]
    return any(
        oid < FIRST_OID or (kind, oid, sub) in change.before for oid in change.there.facts.get("namesakes") or ()
    )


def _is_between_old_types(change: Change) -> bool:
    """Tell whether it is a cast of types that were there, which may convert what live code compares or stores."""
    between = change.there.facts["between"] if change.key[0] == "object" else None
    return between is not None and all(oid < FIRST_OID or ("type", oid, 0) in change.before for oid in between)


def _privileges(thing: Thing) -> set[str]:
    """Return single privileges: "reader r", and "reader r*" besides when the role may pass it on."""
    found = set()
    for item in thing.facts["grants"] or ():
        if match := PRIVILEGES.fullmatch(item):
            for letter, star in re.findall(r"([A-Za-z])(\*?)", match["letters"]):
                found |= {f"{match['role']} {letter}", f"{match['role']} {letter}{star}"}
    return found


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
