"""Effects on constraints and indexes."""

import re
from collections.abc import Iterator

from online_migrations.guard.effect import Change, Effect, is_left_null
from online_migrations.guard.snapshot import Thing

CHECK, FOREIGN_KEY = "c", "f"
NO_ACTION = {"a", "r", " "}  # of a foreign key: NO ACTION, RESTRICT; of another constraint: none
MATCH_FULL = "f"
NOT_ENFORCED = "NOT ENFORCED"  # since PostgreSQL 18


def constraint_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    if new is None:
        if _is_relied_on(change.there) and not _is_replaced(change, change.there):
            code = "drops-constraint" if change.there.facts["type"] == FOREIGN_KEY else "drops-unique"
            yield _drops(change, code)
    elif old is None:
        yield from _added_constraint(change, new)
    else:
        if old.facts["definition"] != new.facts["definition"]:
            yield _required_by(change, new)
        if new.facts["validated"] and not old.facts["validated"]:
            yield change.effect("validates", *new.facts["columns"])


def _added_constraint(change: Change, new: Thing) -> Iterator[Effect]:
    # A type change recreates it, for example.
    was_there = any(_same(thing, new) for _, thing in change.before.of(new.table, "constraint"))
    if new.facts["definition"].endswith(NOT_ENFORCED) or (was_there and new.facts["type"] != CHECK):
        return
    if not was_there:
        yield _required_by(change, new)
    if new.facts["type"] in (CHECK, FOREIGN_KEY):
        if new.facts["validated"]:
            yield change.effect("validates-under-lock", *new.facts["columns"])
    elif ("index", new.facts["index"], 0) not in change.before:
        yield change.effect("builds-index-under-lock", *new.facts["columns"])


def _required_by(change: Change, new: Thing) -> Effect:
    """A foreign key takes NULL in one of its columns; one of MATCH FULL takes NULL in all of them, not in one."""
    facts = new.facts
    columns = facts["columns"] if facts["type"] == CHECK else _left_null(change, facts["columns"])
    is_full = facts["match"] == MATCH_FULL
    if is_full and columns != facts["columns"]:
        columns = []
    return change.effect("requires-more", *columns)._replace(leaves_all_out=is_full, check=facts["check"] or "")


def _is_relied_on(constraint: Thing) -> bool:
    """Tell whether code may count on it. A CHECK, or a foreign key that deletes and updates nothing, only refuses."""
    facts = constraint.facts
    return facts["type"] not in (CHECK, FOREIGN_KEY) or not NO_ACTION.issuperset(facts["actions"])


def _is_replaced(change: Change, old: Thing) -> bool:
    """Tell whether another one on the table says the same, or an index finds one row for the same values."""
    columns = set(old.facts["columns"])
    is_unique = (old.facts.get("unique") and not old.facts["expressions"]) or old.facts.get("type") in ("p", "u")
    is_unique_still = bool(columns and is_unique) and any(
        thing.facts["unique"]
        and thing.facts["valid"]
        and set(thing.facts["columns"]) == columns
        and not (thing.facts["partial"] or thing.facts["expressions"])
        for _, thing in change.after.of(old.table, "index")
    )
    return is_unique_still or any(
        _same(thing, old) and (thing.facts.get("validated") or thing.facts.get("valid")) for thing in change.siblings()
    )


def _same(one: Thing, other: Thing) -> bool:
    """Tell whether two constraints, or two indexes, differ in nothing but their names."""
    was, now = (re.sub(r"^(CREATE .*?INDEX) \S+ ", r"\1 ", thing.facts["definition"]) for thing in (one, other))
    return was == now


def _drops(change: Change, code: str) -> Effect:
    return change.effect(code, *change.there.facts["columns"])._replace(unique=change.there.name)


def index_effects(change: Change) -> Iterator[Effect]:
    old, new = change.old, change.new
    facts = change.there.facts
    columns = facts["columns"]
    if facts["of_constraint"] or (old and old.facts["of_constraint"]):
        return  # told by the constraint
    if new is None:
        if facts["unique"] and facts["valid"] and not _is_replaced(change, change.there):
            yield _drops(change, "drops-unique")
        return
    if old is None or (old.facts["file"] != facts["file"] and not _is_table_rewritten(change)):
        yield change.effect("builds-index-under-lock", *columns)
    if old is None and facts["unique"]:
        yield change.effect("requires-more", *_left_null(change, columns))
    if not facts["valid"]:
        yield change.effect("leaves-invalid-index", *columns)


def _is_table_rewritten(change: Change) -> bool:
    """Tell whether the table was rewritten, and its indexes with it; the table tells it then."""
    table = change.there.table
    return table is not None and change.before[table].facts["file"] != change.after[table].facts["file"]


def _left_null(change: Change, columns: list[str]) -> list[str]:
    """Return the columns that are NULL in a row whose writer does not name them: two such rows are not the same, unless
    the definition says so.
    """
    if "NULLS NOT DISTINCT" in change.there.facts["definition"]:
        return []
    of_table = {thing.name: thing for _, thing in change.after.of(change.there.table, "column")}
    return [name for name in columns if is_left_null(of_table[name])]
