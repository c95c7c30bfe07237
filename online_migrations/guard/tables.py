"""Effects on tables and their columns, on views and sequences."""

import re
from collections.abc import Iterator

from online_migrations.guard.effect import SEQUENCE, Change, Effect, on_table, shown
from online_migrations.guard.snapshot import Key, Thing

PARTITIONED = "p"
VIEWS = ("v", "m")
ALWAYS = "a"  # GENERATED ALWAYS AS IDENTITY
FEW_NUMBERS = 1000  # that a sequence has left

# Facts of a table that must not rise, and the effect when one does.
RISES = {
    "off": "drops-behaviour",  # how many triggers are disabled
    "row_security": "hides-rows",
    "refuses_changes": "refuses-changes",
    "partition": "requires-more",
}


def relation_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    if new is not None:
        yield from _inherited(change, old, new)
        yield from _hidden(change, old, new)
    if old is None:
        return
    if old.facts["kind"] == SEQUENCE:
        yield from _sequence_effects(change, old)
        return
    if new is None or old.name != new.name:
        yield from _name_is_gone(change, old)
    if new is not None:
        yield from _table_facts(change, old, new)


def _inherited(change: Change, old: Thing | None, new: Thing) -> Iterator[Effect]:
    """Tell of a table that begins or ceases to be a part: a query of the whole shows its rows.

    One that becomes a partition is told as that, and a new one has no rows yet.
    """
    was, now = set(old.facts["parents"] if old else ()), set(new.facts["parents"])
    for parent in was ^ now:
        table = change.before.get(("relation", parent, 0))
        if table is not None and (parent in was or table.facts["kind"] != PARTITIONED):
            yield on_table("shows-other-rows", table.name)._replace(key=change.key)


def _hidden(change: Change, old: Thing | None, new: Thing) -> Iterator[Effect]:
    """Tell of tables that code finds by their names alone, until a role has one of that name in a schema of its own.

    Source: PostgreSQL manual, search_path, whose default is "$user", public.
    """
    schema, _, name = new.name.partition(".")
    roles = {thing.name for _, thing in change.after.of(None, "role")}
    if schema not in roles or (old is not None and old.name == new.name):
        return
    for _, thing in change.before.of(None, "relation"):
        if thing.name.partition(".")[2] == name and thing.name != new.name:
            yield on_table("hides-table", thing.name)._replace(key=change.key)


def _name_is_gone(change: Change, old: Thing) -> Iterator[Effect]:
    """Tell of a table or view that was dropped or renamed, unless a view of the old name stands in for it.

    None can for a table that was dropped: its rows are gone.
    """
    is_view = old.facts["kind"] in VIEWS
    key = _stand_in(change, old) if is_view or change.new else None
    if key is None:
        yield change.effect("renames-table" if change.new else "drops-table")
    else:
        yield from _shown_effects(change, old, key)


def _shown_effects(change: Change, old: Thing, view: Key) -> Iterator[Effect]:
    """Tell of columns and rows that a view does not show as they were."""
    if missing := change.before.column_names(change.key) - change.after.column_names(view):
        yield change.effect("drops-column", *sorted(missing))
    elif not _shows_as_many(old, change.after[view]):
        yield change.effect("adds-behaviour")


def _stand_in(change: Change, old: Thing) -> Key | None:
    """Return the view that has the old name now, if it reads and takes rows as the old one did."""
    for key, thing in change.after.of(None, "relation"):
        if thing.name == old.name and thing.facts["kind"] in VIEWS:
            reads_it = change.new is None or change.key[1] in thing.facts["reads"]
            takes_rows = old.facts["takes"] & ~thing.facts["takes"] == 0  # one bit for each of INSERT, UPDATE, DELETE
            takes_values = set(thing.facts["computed"]) <= _computed(change, old)
            return key if reads_it and takes_rows and takes_values else None
    return None


def _computed(change: Change, old: Thing) -> set[str]:
    """Return the columns to which no value can be given, of a table or view as it was."""
    if old.facts["kind"] in VIEWS:
        return set(old.facts["computed"])
    return {thing.name for _, thing in change.before.of(change.key, "column") if thing.facts["generated"]}


def _shows_as_many(old: Thing, new: Thing) -> bool:
    """Tell whether a view shows the rows that the old one showed, or all of the table that it stands in for."""
    if old.facts["kind"] not in VIEWS:
        return new.facts["options"] is None and "\n  WHERE " not in new.facts["view"]
    was, now = (thing.facts["view"].partition("\n   FROM ") for thing in (old, new))
    # The columns of before begin the list of now; it may go on with others.
    begins_alike: bool = now[0].startswith(was[0].rstrip(";"))
    return begins_alike and (was[2], old.facts["options"]) == (now[2], new.facts["options"])


def _sequence_effects(change: Change, old: Thing) -> Iterator[Effect]:
    """A sequence that a column owns goes and moves with it, and its default is compared with the column."""
    new = change.new
    if not old.facts["owned"] and (new is None or new.name != old.name):
        yield change.effect("drops-object")
    elif new is not None and _counts_otherwise(old, new):
        yield change.effect("restarts-sequence")
    elif new is not None and (new.facts["last"] or 0) < (old.facts["last"] or 0):
        yield change.effect("sets-sequence-back")
    elif new is not None and _left(new) < FEW_NUMBERS <= _left(old):
        yield change.effect("ends-sequence")


def _left(sequence: Thing) -> int:
    """Return how many numbers it still gives."""
    facts = sequence.facts["sequence"]
    end = facts["max"] if facts["increment"] > 0 else facts["min"]
    return abs(int(end) - int(sequence.facts["last"] or 0)) // abs(int(facts["increment"]))


def _counts_otherwise(old: Thing, new: Thing) -> bool:
    """Tell whether ALTER SEQUENCE makes it turn around, begin again at its end, or end sooner."""
    was, now = old.facts["sequence"], new.facts["sequence"]
    turns = was["increment"] * now["increment"] < 0
    return bool(turns or now["max"] < was["max"] or (now["cycle"] and not was["cycle"]))


def _table_facts(change: Change, old: Thing, new: Thing) -> Iterator[Effect]:
    was, now = old.facts, new.facts
    if was["file"] != now["file"] or was["persistence"] != now["persistence"]:
        columns = ", ".join(_new_or_other_columns(change))
        yield change.effect("rewrites-table")._replace(
            subject=shown(old.name) + (f" (for {columns})" if columns else "")
        )
    if was["kind"] in VIEWS:
        yield from _shown_effects(change, old, change.key)
        if was["takes"] & ~now["takes"]:
            yield change.effect("drops-behaviour")
    for fact, code in RISES.items():
        if now[fact] > was[fact]:
            yield change.effect(code)


def _new_or_other_columns(change: Change) -> list[str]:
    """Return the columns that came or have another type, so that the table's rows had to be rewritten."""
    before = {key: thing.facts["type"] for key, thing in change.before.of(change.key, "column")}
    columns = change.after.of(change.key, "column")
    return sorted(thing.name for key, thing in columns if before.get(key) != thing.facts["type"])


def column_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    if new is None:
        yield change.effect("drops-column", change.there.name)._replace(is_copied=bool(change.there.facts["generated"]))
    elif old is not None:
        yield from _column_facts(change, old, new)
    elif new.facts["required"] and not _has_value(new):
        yield change.effect("requires-new-column", new.name)
    elif new.facts["required"] and new.facts["generated"]:
        yield change.effect("requires-value")._replace(column=new.name)
    elif new.facts["default"]:
        yield _changes_default(change, new)


def _column_facts(change: Change, old: Thing, new: Thing) -> Iterator[Effect]:
    was, now = old.facts, new.facts
    if old.name != new.name:
        yield change.effect("renames-column", old.name)
    if not _same_or_wider(old, new):
        yield change.effect("changes-type", old.name)
    yield from _required_facts(change, old, new)
    had_value, has_value = (_has_value(column) or column.facts["filled"] for column in (old, new))
    if (now["required"] or was["generated"]) and had_value and not has_value:
        yield change.effect("drops-default", old.name)._replace(column=old.name)
    elif now["default"] != was["default"]:
        yield _changes_default(change, new)
    if was["expression"] and now["expression"] not in (None, was["expression"]):
        yield change.effect("adds-behaviour", old.name)
    if now["identity"] == ALWAYS != was["identity"]:
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
    return any(column.facts[fact] for fact in ("has_default", "identity", "generated"))


def _same_or_wider(old: Thing, new: Thing) -> bool:
    """Tell whether all code of the old type runs on the new one: the same type without a limit, or with a wider one.

    Where values had to change, the table was rewritten, which is an effect of its own.
    """
    if old.facts["collation"] != new.facts["collation"]:
        return False
    was, now = (re.sub(r"\(.*?\)", "", thing.facts["type"]) for thing in (old, new))
    return was == now or (was, now) == ("character varying", "text")


def _proven_by_check(change: Change, column: str) -> bool:
    """Tell whether a validated CHECK says that the column is not NULL; then SET NOT NULL reads no row.

    Source: PostgreSQL manual, ALTER TABLE, SET NOT NULL.
    """
    proof = f"CHECK (({column} IS NOT NULL))"
    return any(
        thing.facts["validated"] and thing.facts["definition"].replace('"', "") == proof
        for _, thing in change.before.of(change.there.table, "constraint")
    )
