"""Effects on views, sequences and tables, and on their columns, constraints and indexes."""

import re
from collections.abc import Collection, Iterable, Iterator

from online_migrations.guard.snapshot import SEQUENCE, Change, Effect, Key, Snapshot, Thing, on_table, shown

PARTITIONED = "p"
VIEWS = ("v", "m")
ALWAYS = "a"  # GENERATED ALWAYS AS IDENTITY
FEW_NUMBERS = 1000  # that a sequence has left
CHECK, FOREIGN_KEY = "c", "f"
RESTRICT = "r"
NO_ACTION = {"a", RESTRICT, " "}  # of a foreign key: NO ACTION, RESTRICT; of another constraint: none
MATCH_FULL = "f"
NOT_ENFORCED = "NOT ENFORCED"  # since PostgreSQL 18

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
    """Tell of a table whose rows a query of another shows from now on, or no more. New partitions have none yet."""
    was, now = set(old.facts["parents"] if old else ()), set(new.facts["parents"])
    for parent in was ^ now:
        table = change.before.get(("relation", parent, 0))
        if table is not None and (parent in was or table.facts["kind"] != PARTITIONED):
            yield on_table("shows-other-rows", table.name, key=change.key)


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
            yield on_table("hides-table", thing.name, key=change.key)


def _name_is_gone(change: Change, old: Thing) -> Iterator[Effect]:
    """Tell of a table or view that was dropped or renamed. A view of the old name may stand in."""
    is_view = old.facts["kind"] in VIEWS
    key = _stand_in(change, old) if is_view or change.new else None  # the rows of a table that was dropped are gone
    if key is None:
        yield change.effect("renames-table" if change.new else "drops-table")
    else:
        yield from _shown_effects(change, old, key)


def _shown_effects(change: Change, old: Thing, view: Key) -> Iterator[Effect]:
    """Tell of columns and rows that a view does not show as they were."""
    if missing := change.before.column_names(change.key) - change.after.column_names(view):
        yield change.effect("drops-column", *sorted(missing))
    elif not _shows_as_many(old, change.after[view]):
        yield change.effect("shows-other-rows")


def _stand_in(change: Change, old: Thing) -> Key | None:
    """Return the view that has the old name now, if it reads and takes rows as the old one did."""
    for key, thing in change.after.of(None, "relation"):
        if thing.name == old.name and thing.facts["kind"] in VIEWS:
            reads_it = change.new is None or change.key[1] in thing.facts["reads"]
            takes_rows = old.facts["takes"] & ~thing.facts["takes"] == 0  # one bit for each of INSERT, UPDATE, DELETE
            takes_values = set(thing.facts["computed"]) <= set(old.facts["computed"])
            return key if reads_it and takes_rows and takes_values else None
    return None


def _shows_as_many(old: Thing, new: Thing) -> bool:
    """Tell whether a view shows the rows that the old one showed, or all of the table that it stands in for."""
    if old.facts["kind"] not in VIEWS:
        return new.facts["options"] is None and "\n  WHERE " not in new.facts["view"]
    was, now = (thing.facts["view"].partition("\n   FROM ") for thing in (old, new))
    # The columns of before begin the list of now; it may go on with others.
    begins_alike: bool = now[0].startswith(was[0].rstrip(";"))
    is_filled = new.facts["populated"] or not old.facts["populated"]  # else queries of a materialized view fail
    return begins_alike and is_filled and (was[2], old.facts["options"]) == (now[2], new.facts["options"])


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
        types = {key: thing.facts["type"] for key, thing in change.before.of(change.key, "column")}
        columns = change.after.of(change.key, "column")
        of = ", ".join(sorted(thing.name for key, thing in columns if types.get(key) != thing.facts["type"]))
        subject = shown(old.name) + (f" (for {of})" if of else "")
        yield change.effect("rewrites-table" if of else "empties-table", subject=subject)
    if was["kind"] in VIEWS:
        yield from _shown_effects(change, old, change.key)
        if was["takes"] & ~now["takes"]:
            yield change.effect("drops-behaviour")
    for fact, code in RISES.items():
        if now[fact] > was[fact]:
            yield change.effect(code)


def column_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    if new is None:
        yield change.effect("drops-column", change.there.name, is_copied=bool(change.there.facts["generated"]))
    elif old is not None:
        yield from _column_facts(change, old, new)
    elif new.facts["required"] and not _has_value(new):
        yield change.effect("requires-new-column", new.name)
    elif new.facts["required"] and new.facts["generated"]:
        yield change.effect("requires-value", column=new.name)
    elif new.facts["default"]:
        yield _changes_default(change, new)


def _column_facts(change: Change, old: Thing, new: Thing) -> Iterator[Effect]:
    was, now = old.facts, new.facts
    if old.name != new.name:
        yield change.effect("renames-column", old.name)
    if not _same_or_wider(old, new):
        yield change.effect("changes-type", old.name)
    yield from _required_facts(change, old, new)
    # A trigger may fill it, but nothing proves that it does what a default or a number did.
    had_value, is_filled = _has_value(old) or was["filled"], now["filled"] and not _has_value(old)
    if (now["required"] or was["generated"]) and had_value and not (_has_value(new) or is_filled):
        yield change.effect("drops-default", old.name, column=old.name)
    elif now["default"] != was["default"]:
        yield _changes_default(change, new)
    if was["expression"] and now["expression"] not in (None, was["expression"]):
        yield change.effect("adds-behaviour", old.name)
    if now["identity"] == ALWAYS != was["identity"]:
        yield change.effect("requires-more", old.name)


def _changes_default(change: Change, new: Thing) -> Effect:
    return change.effect("changes-default", new.name, default=new.facts["default"] or "", column=new.name)


def _required_facts(change: Change, old: Thing, new: Thing) -> Iterator[Effect]:
    """NOT NULL; or NOT NULL NOT VALID, since PostgreSQL 18, which holds for new rows until it is validated."""
    if new.facts["required"] and not old.facts["required"] and not any(no_null(change.before, change.key)):
        yield change.effect("requires-value", *([old.name] if _has_value(new) else []), column=old.name)
    if new.facts["not_null"] and not old.facts["not_null"]:
        yield change.effect("validates" if old.facts["required"] else "scans-for-null", old.name)


def _has_value(column: Thing) -> bool:
    """Tell whether an INSERT that leaves the column out gets a value."""
    return any(column.facts[fact] for fact in ("has_default", "identity", "generated"))


def is_left_null(column: Thing) -> bool:
    """Tell whether the column is NULL in a row whose writer does not name it."""
    return not any(column.facts[fact] for fact in ("not_null", "has_default", "identity", "filled"))


def _same_or_wider(old: Thing, new: Thing) -> bool:
    """Tell whether it is the same type with another limit. Where values had to change, the table was rewritten."""
    if old.facts["collation"] != new.facts["collation"]:
        return False
    was, now = (re.sub(r"\(.*?\)", "", thing.facts["type"]) for thing in (old, new))
    return was == now or (was, now) == ("character varying", "text")


def no_null(catalog: Snapshot, column: Key) -> Iterator[Thing]:
    """Yield the CHECKs that take no NULL in a column, also those that nobody has validated."""
    wanted = f"CHECK (({catalog[column].name} IS NOT NULL))"
    constraints = (thing for _, thing in catalog.of(catalog[column].table, "constraint"))
    return (thing for thing in constraints if thing.facts["definition"].replace('"', "") == wanted)


def constraint_effects(change: Change) -> Iterator[Effect]:
    """Yield those of a CHECK or a foreign key. Others are told by their indexes, which have their names."""
    old, new, facts = change.old, change.new, change.there.facts
    if facts["type"] not in (CHECK, FOREIGN_KEY):
        return
    if new is None:
        # One that deletes and updates nothing only refuses; no code counts on it.
        is_needed = not NO_ACTION.issuperset(facts["actions"])
        if is_needed and not any(_stands_in(one, change.there) for one in change.siblings()):
            yield change.effect("drops-constraint", *facts["columns"])
    elif old is None:
        yield from _added_constraint(change, new)
    else:
        if old.facts["definition"] != new.facts["definition"]:
            yield _required_by(change, new)
        if new.facts["validated"] and not old.facts["validated"]:
            yield change.effect("validates", *new.facts["columns"])


def _added_constraint(change: Change, new: Thing) -> Iterator[Effect]:
    others = [thing for _, thing in change.before.of(new.table, "constraint")]
    was_there = any(_same(thing, new) for thing in others)  # a type change recreates it, for example
    if new.facts["definition"].endswith(NOT_ENFORCED) or (was_there and new.facts["type"] != CHECK):
        return
    if not was_there and not any(_stands_in(new, thing) for thing in others):
        checks = [thing.facts["definition"] for thing in others if CHECK == thing.facts["type"] == new.facts["type"]]
        yield _required_by(change, new)._replace(beside=tuple(checks))
    if new.facts["validated"]:
        yield change.effect("validates-under-lock", *new.facts["columns"])


def _required_by(change: Change, new: Thing) -> Effect:
    """A foreign key takes NULL in one of its columns; one of MATCH FULL takes NULL in all of them, not in one."""
    facts = new.facts
    columns = facts["columns"] if facts["type"] == CHECK else _left_null(change, facts["columns"])
    is_full = facts["match"] == MATCH_FULL
    if is_full and columns != facts["columns"]:
        columns = []
    return change.effect("requires-more", *columns, leaves_all_out=is_full, check=facts["check"] or "")


def _stands_in(new: Thing, old: Thing) -> bool:
    """Tell whether a foreign key refers to what another one does, acts as that does or where it refuses, and refuses
    nothing more. What acts does so at once, also where the check waits until COMMIT.
    """
    now, was = new.facts, old.facts
    acts = all(before in (after, *NO_ACTION) for before, after in zip(was["actions"], now["actions"], strict=True))
    may_act = now["actions"] == was["actions"] or not (was["late"] or RESTRICT in now["actions"])
    is_one = now["type"] == FOREIGN_KEY and now["reference"] == was["reference"]
    return is_one and acts and may_act and now["late"] >= was["late"]


def _same(one: Thing, other: Thing) -> bool:
    """Tell whether two constraints, or two indexes, differ in nothing but their names."""
    was, now = (re.sub(r"^(CREATE .*?INDEX) \S+ ", r"\1 ", thing.facts["definition"]) for thing in (one, other))
    return was == now


def index_effects(change: Change) -> Iterator[Effect]:
    """Yield those of an index, and of the PRIMARY KEY, UNIQUE or EXCLUDE that it keeps."""
    old, new = change.old, change.new
    facts, table = change.there.facts, change.there.table
    with_table = table is not None and change.before[table].facts["file"] != change.after[table].facts["file"]
    is_told = old is not None and with_table  # by the table, which is rewritten
    files = [thing.facts["file"] for _, thing in change.before.of(table, "index")]  # a longer text takes over the file
    if new is not None and new.facts["file"] not in files and not is_told:
        yield change.effect("builds-index-under-lock", *facts["columns"])
    if facts["unique"]:
        yield from _uniqueness(change)
    if new is not None and not facts["valid"]:
        yield change.effect("leaves-invalid-index", *facts["columns"])


def _uniqueness(change: Change) -> Iterator[Effect]:
    old, new, facts = change.old, change.new, change.there.facts
    if old is None:
        others = [thing for _, thing in change.before.of(change.there.table, "index") if thing.facts["valid"]]
        is_plain = facts["finds_one"] and "NULLS NOT DISTINCT" not in facts["definition"]
        is_implied = is_plain and has_narrower_key(others, facts["columns"])
        if not is_implied and not any(_same(thing, change.there) for thing in others):
            yield change.effect("requires-more", *_left_null(change, facts["columns"]))
        return
    if new is None:
        is_dropped = facts["valid"] and not _is_replaced(change, old)
    else:
        is_renamed = old.name != new.name and change.namesake() is None
        is_deferred = old.facts["finds_one"] and not new.facts["finds_one"]
        # ON CONFLICT ON CONSTRAINT has the name.
        is_dropped = is_deferred or (old.facts["of_constraint"] and is_renamed)
    if is_dropped:
        yield change.effect("drops-unique", *facts["columns"], unique=old.name)


def has_narrower_key(indexes: Iterable[Thing], columns: Collection[str]) -> bool:
    """Tell if some of the columns alone are never the same in two rows, by a key that is there."""
    keys = (one.facts for one in indexes if one.facts["finds_one"] and one.facts["valid"] and not one.facts["partial"])
    return any(set(key["columns"]) <= set(columns) for key in keys)


def _is_replaced(change: Change, old: Thing) -> bool:
    """Tell whether another index says the same, or finds one row for the same values in all rows."""
    valid = [index for index in change.siblings() if index.facts["valid"]]
    wider = [index for index in valid if index.facts["finds_one"] and not index.facts["partial"]]
    is_found = old.facts["finds_one"] and any(set(one.facts["columns"]) == set(old.facts["columns"]) for one in wider)
    return is_found or any(_same(index, old) for index in valid)


def _left_null(change: Change, columns: list[str]) -> list[str]:
    """Return the columns that are NULL in a row whose writer does not name them: two such rows are not the same, unless
    the definition says so.
    """
    if "NULLS NOT DISTINCT" in change.there.facts["definition"]:
        return []
    of_table = {thing.name: thing for _, thing in change.after.of(change.there.table, "column")}
    return [name for name in columns if is_left_null(of_table[name])]
