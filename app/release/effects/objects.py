"""Effects on triggers, rules, policies, functions, types and schemas."""

from collections.abc import Iterator

from app.release.effects.effect import Change, Effect, shown
from app.release.effects.snapshot import Thing


def behaviour_effects(change: Change) -> Iterator[Effect]:
    """A trigger, rule or policy: what the server does by itself when a row is read or written."""
    old, new = change.old, change.new
    if old is None:
        if change.there not in _same_table(change):
            yield change.effect("adds-behaviour")
    elif new is None:
        if old.name not in {thing.name for thing in change.siblings()}:
            yield change.effect("drops-behaviour")
    else:
        yield change.effect("drops-behaviour" if new.facts.get("off") else "adds-behaviour")


def _same_table(change: Change) -> Iterator[Thing]:
    table = change.there.table
    return (thing for key, thing in change.before.items() if key[0] == change.key[0] and thing.table == table)


def setting_effects(change: Change) -> Iterator[Effect]:
    """A setting of the database or of a role, which every new session begins with."""
    yield Effect("changes-setting", change.there.name, "", (), change.key)


def object_effects(change: Change) -> Iterator[Effect]:
    """A function, type or schema."""
    old, new = change.old, change.new
    if old is None:
        return
    subject = f"the {change.key[0]} {shown(old.name)}"
    if new is None or old.name != new.name:
        replacement = next((thing for thing in change.siblings() if thing.name == old.name), None)
    else:
        replacement = new
    if replacement is None or old.facts.get("result") != replacement.facts.get("result"):
        yield Effect("drops-object", subject, "", (), change.key)
    elif lost := sorted(set(old.facts.get("labels") or ()) - set(replacement.facts.get("labels") or ())):
        yield Effect("drops-object", f"{', '.join(lost)} of {subject}", "", (), change.key)
    elif any(old.facts.get(fact) != replacement.facts.get(fact) for fact in ("checks", "not_null")):
        yield Effect("requires-more", subject, "", (), change.key)
