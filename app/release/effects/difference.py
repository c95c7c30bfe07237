"""Difference of two catalog snapshots, as effects: what was taken, required, rewritten or locked.

Only effects that some phase forbids are listed. What adds or loosens hurts nobody and is none.
"""

from collections.abc import Callable, Iterator

from app.release.effects import columns, constraints, objects, tables
from app.release.effects.effect import Change, Effect
from app.release.effects.snapshot import Snapshot

EFFECTS: dict[str, Callable[[Change], Iterator[Effect]]] = {
    "relation": tables.relation_effects,
    "column": columns.column_effects,
    "constraint": constraints.constraint_effects,
    "index": constraints.index_effects,
    "trigger": objects.behaviour_effects,
    "rule": objects.behaviour_effects,
    "policy": objects.behaviour_effects,
    "function": objects.object_effects,
    "type": objects.object_effects,
    "schema": objects.object_effects,
    "database": objects.database_effects,
    "role": objects.role_effects,
    "object": objects.object_effects,
    "setting": objects.setting_effects,
}


def difference(before: Snapshot, after: Snapshot) -> Iterator[Effect]:
    """The effects between two snapshots. What goes or comes together with its table is told by the table alone."""
    for key in {**before, **after}:
        change = Change(key, before.get(key), after.get(key), before, after)
        table = (change.old or change.there).table
        came_or_went_with_it = table is not None and (table not in before or table not in after)
        if change.old != change.new and not came_or_went_with_it:
            yield from EFFECTS[key[0]](change)
