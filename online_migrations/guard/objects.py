"""Effects on triggers, rules, policies, functions, types, schemas and other objects that belong to no table."""

from collections.abc import Iterator

from online_migrations.guard.effect import Change, Effect, shown
from online_migrations.guard.snapshot import Thing

NO_LIMIT = -1  # pg_database.datconnlimit, pg_roles.rolconnlimit


def behaviour_effects(change: Change) -> Iterator[Effect]:
    """A trigger, rule or policy: what the server does by itself when a row is read or written."""
    old, new = change.old, change.new
    if old is None:
        if change.there not in _same_table(change):
            yield change.effect("adds-behaviour")
    elif new is None:
        if old.name not in {thing.name for thing in change.siblings()}:
            yield change.effect("hides-rows" if change.key[0] == "policy" else "drops-behaviour")
    else:
        yield change.effect("drops-behaviour" if new.facts.get("off") else "adds-behaviour")


def _same_table(change: Change) -> Iterator[Thing]:
    table = change.there.table
    return (thing for key, thing in change.before.items() if key[0] == change.key[0] and thing.table == table)


def setting_effects(change: Change) -> Iterator[Effect]:
    """A setting of the database or of a role, which every new session begins with."""
    yield Effect("changes-setting", change.there.name, "", (), change.key)


def object_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    if old is None:
        return
    kind = "" if change.key[0] == "object" else f"{change.key[0]} "  # else it is part of the name
    subject = f"the {kind}{shown(old.name)}"
    if new is not None and is_revoked(old, new):
        yield Effect("revokes", subject, "", (), change.key)
    if new is None or old.name != new.name:
        replacement = next((thing for thing in change.siblings() if thing.name == old.name), None)
    else:
        replacement = new
    if replacement is None or old.facts.get("result") != replacement.facts.get("result"):
        yield Effect("drops-object", subject, "", (), change.key)
    elif lost := _lost_parts(old, replacement):
        yield Effect("drops-object", f"{', '.join(lost)} of {subject}", "", (), change.key)
    elif old.facts.get("runs_by_itself") and old.facts["body"] != replacement.facts["body"]:
        yield Effect("adds-behaviour", subject, "", (), change.key)
    elif any(old.facts.get(fact) != replacement.facts.get(fact) for fact in ("checks", "not_null")):
        yield Effect("requires-more", subject, "", (), change.key)


def role_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    if old is None or new is None:  # it owns nothing here any more
        return
    if new.facts["locked"] and not old.facts["locked"]:
        yield Effect("refuses-sessions", f"NOLOGIN or VALID UNTIL of the role {old.name}", "", (), change.key)
    yield from _limit(change)


def database_effects(change: Change) -> Iterator[Effect]:
    yield from object_effects(change)
    yield from _limit(change)


def _limit(change: Change) -> Iterator[Effect]:
    if change.old is None or change.new is None:
        return
    was, now = change.old.facts["limit"], change.new.facts["limit"]
    if now != NO_LIMIT and (was == NO_LIMIT or now < was):
        subject = f"CONNECTION LIMIT {now} of the {change.key[0]} {change.old.name}"
        yield Effect("refuses-sessions", subject, "", (), change.key)


def is_revoked(old: Thing, new: Thing) -> bool:
    """Whether a role may do less with it, or another one owns it."""
    was, now = old.facts, new.facts
    return was.get("role") != now.get("role") or not set(was.get("grants") or ()) <= set(now.get("grants") or ())


def _lost_parts(old: Thing, new: Thing) -> list[str]:
    """Values of an enum, columns of a composite type."""
    return sorted(
        part
        for fact in ("labels", "attributes")
        for part in set(old.facts.get(fact) or ()) - set(new.facts.get(fact) or ())
    )
