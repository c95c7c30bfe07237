"""Effects on tables, views and sequences."""

from collections.abc import Iterator

from online_migrations.guard.effect import Change, Effect, on_table, shown
from online_migrations.guard.objects import is_revoked
from online_migrations.guard.snapshot import Key, Thing

SEQUENCE = "S"
PARTITIONED = "p"
VIEWS = ("v", "m")
FEW_NUMBERS = 1000  # that a sequence has left


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
    """A query of a table shows the rows of tables that inherit from it, and of its partitions.

    One that becomes a partition is told as that, and a new one has no rows yet.
    """
    was, now = set(old.facts["parents"] if old else ()), set(new.facts["parents"])
    for parent in was ^ now:
        table = change.before.get(("relation", parent, 0))
        if table is not None and (parent in was or table.facts["kind"] != PARTITIONED):
            yield on_table("shows-other-rows", table.name)._replace(key=change.key)


def _hidden(change: Change, old: Thing | None, new: Thing) -> Iterator[Effect]:
    """Tables that code finds by their names alone, until a role has one of that name in a schema of its own.

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
    """A table or view was dropped or renamed. A view of the same name may stand in for it, but for no dropped table:
    its rows are gone.
    """
    is_view = old.facts["kind"] in VIEWS
    key = _stand_in(change, old) if is_view or change.new else None
    if key is None:
        yield change.effect("renames-table" if change.new else "drops-table")
    elif missing := change.before.column_names(change.key) - change.after.column_names(key):
        yield change.effect("drops-column", *sorted(missing))
    elif not _shows_as_many(old, change.after[key]):
        yield change.effect("adds-behaviour")


def _stand_in(change: Change, old: Thing) -> Key | None:
    """The view that has the old name now, and reads and takes rows as the old one did."""
    for key, thing in change.after.of(None, "relation"):
        if thing.name == old.name and thing.facts["kind"] in VIEWS:
            reads_it = change.new is None or change.key[1] in thing.facts["reads"]
            takes_rows = old.facts["takes"] & ~thing.facts["takes"] == 0  # one bit for each of INSERT, UPDATE, DELETE
            takes_values = set(thing.facts["computed"]) <= _computed(change, old)
            return key if reads_it and takes_rows and takes_values else None
    return None


def _computed(change: Change, old: Thing) -> set[str]:
    """Columns to which no value can be given, of a table or view as it was."""
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
        yield Effect("drops-object", f"the sequence {shown(old.name)}", "", (), change.key)
    elif new is not None and is_revoked(old, new):
        yield Effect("revokes", f"the sequence {shown(old.name)}", "", (), change.key)
    elif new is not None and _counts_otherwise(old, new):
        yield Effect("restarts-sequence", shown(old.name), "", (), change.key)
    elif new is not None and (new.facts["last"] or 0) < (old.facts["last"] or 0):
        yield Effect("sets-sequence-back", shown(old.name), "", (), change.key)
    elif new is not None and _left(new) < FEW_NUMBERS <= _left(old):
        yield Effect("ends-sequence", shown(old.name), "", (), change.key)


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
        columns = _new_or_other_columns(change)
        subject = shown(old.name) + (f" (for {', '.join(columns)})" if columns else "")
        yield change.effect("rewrites-table")._replace(subject=subject)
    if was["kind"] in VIEWS:
        yield from _view_facts(change, old, new)
    if is_revoked(old, new):
        yield change.effect("revokes")
    if now["off"] > was["off"]:
        yield change.effect("drops-behaviour")
    if now["row_security"] > was["row_security"]:
        yield change.effect("hides-rows")
    if now["refuses_changes"] and not was["refuses_changes"]:
        yield change.effect("refuses-changes")
    if now["partition"] and not was["partition"]:
        yield change.effect("requires-more")


def _view_facts(change: Change, old: Thing, new: Thing) -> Iterator[Effect]:
    if missing := sorted(set(old.facts["columns"]) - set(new.facts["columns"])):
        yield change.effect("drops-column", *missing)
    elif not _shows_as_many(old, new):
        yield change.effect("adds-behaviour")
    if old.facts["takes"] & ~new.facts["takes"]:
        yield change.effect("drops-behaviour")


def _new_or_other_columns(change: Change) -> list[str]:
    """Columns of the table that came or have another type, so that its rows had to be rewritten."""
    return sorted(
        thing.name
        for key, thing in change.after.of(change.key, "column")
        if not _has_type(change.before.get(key), thing)
    )


def _has_type(old: Thing | None, new: Thing) -> bool:
    return old is not None and old.facts["type"] == new.facts["type"]
