"""Effects on columns."""

import re
from collections.abc import Iterator

from online_migrations.guard.effect import Change, Effect
from online_migrations.guard.objects import is_revoked
from online_migrations.guard.snapshot import Thing

ALWAYS = "a"  # GENERATED ALWAYS AS IDENTITY


def column_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    if new is None:
        yield change.effect("drops-column", change.there.name)._replace(is_copied=bool(change.there.facts["generated"]))
    elif old is None:
        if new.facts["required"] and not _has_value(new):
            yield change.effect("requires-new-column", new.name)
        elif new.facts["required"] and new.facts["generated"]:
            yield change.effect("requires-value")._replace(column=new.name)
        elif new.facts["default"]:
            yield _changes_default(change, new)
    else:
        yield from _column_facts(change, old, new)


def _column_facts(change: Change, old: Thing, new: Thing) -> Iterator[Effect]:
    if old.name != new.name:
        yield change.effect("renames-column", old.name)
    if not _same_or_wider(old, new):
        yield change.effect("changes-type", old.name)
    if is_revoked(old, new):
        yield change.effect("revokes", old.name)
    yield from _required_facts(change, old, new)
    had_value = _has_value(old) or old.facts["filled"]
    if (new.facts["required"] or old.facts["generated"]) and had_value and not (_has_value(new) or new.facts["filled"]):
        yield change.effect("drops-default", old.name)._replace(column=old.name)
    elif new.facts["default"] != old.facts["default"]:
        yield _changes_default(change, new)
    if old.facts["expression"] and new.facts["expression"] not in (None, old.facts["expression"]):
        yield change.effect("adds-behaviour", old.name)
    if new.facts["identity"] == ALWAYS and old.facts["identity"] != ALWAYS:
        yield change.effect("requires-more", old.name)


def _changes_default(change: Change, new: Thing) -> Effect:
    return change.effect("changes-default", new.name)._replace(default=new.facts["default"] or "", column=new.name)


def _required_facts(change: Change, old: Thing, new: Thing) -> Iterator[Effect]:
    """NOT NULL; or NOT NULL NOT VALID, since PostgreSQL 18, which holds for new rows until it is validated."""
    if new.facts["required"] and not old.facts["required"]:
        effect = change.effect("requires-value", *([old.name] if _has_value(new) else []))
        yield effect._replace(column=old.name)
    if new.facts["not_null"] and not old.facts["not_null"]:
        if old.facts["required"]:
            yield change.effect("validates", old.name)
        elif not _proven_by_check(change, old.name):
            yield change.effect("scans-for-null", old.name)


def _has_value(column: Thing) -> bool:
    """Tell whether an INSERT that leaves the column out gets a value."""
    facts = column.facts
    return bool(facts["has_default"] or facts["identity"] or facts["generated"])


def _same_or_wider(old: Thing, new: Thing) -> bool:
    """Tell whether all code of the old type runs on the new one: the same type without a limit, or with a wider one.

    Where values had to change, the table was rewritten, which is an effect of its own.
    """
    if (old.facts["type"], old.facts["collation"]) == (new.facts["type"], new.facts["collation"]):
        return True
    was, is_now = (_base_type(thing.facts["type"]) for thing in (old, new))
    return old.facts["collation"] == new.facts["collation"] and (
        was == is_now or (was, is_now) == ("character varying", "text")
    )


def _base_type(name: str) -> str:
    """A type as format_type() prints it, without what stands in parentheses."""
    return re.sub(r"\(.*?\)", "", name)


def _proven_by_check(change: Change, column: str) -> bool:
    """Tell whether a validated CHECK says that the column is not NULL; then SET NOT NULL reads no row.

    Source: PostgreSQL manual, ALTER TABLE, SET NOT NULL.
    """
    proof = f"CHECK (({column} IS NOT NULL))"
    return any(
        thing.facts["validated"] and thing.facts["definition"].replace('"', "") == proof
        for _, thing in change.before.of(change.there.table, "constraint")
    )
