"""Rules: which effects a revision's phase allows, what each would do to the live release, and what to write instead.

`expand` promises that the previous release runs on the result, so it takes nothing and requires nothing. `contract` may
take what the live release does not map any more, and require what that release always writes. What makes requests wait
is allowed in neither. A downgrade is judged as a contract. The sentences stand in rules.toml.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from online_migrations.guard.snapshot import Effect, Snapshot
from online_migrations.state.ledger import EXPAND
from online_migrations.state.live import Usage
from online_migrations.state.tables import is_of_a_tool


class Rule(NamedTuple):
    what: str  # would happen; {subject} stands for the table, column or index
    instead: str  # what to write


_RULES = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
TAKES, CONTRACTS, REFUSES_LIVE, NEVER = (
    {code: Rule(**rule) for code, rule in _RULES[name].items()}
    for name in ("takes", "contracts", "refuses_live", "never")
)


def in_database(release: Mapping[str, Usage], catalog: Snapshot, schema: str) -> dict[str, Usage]:
    """Return the same by all tables through which the release reads and writes, with their schemas.

    Besides its own, without a schema in `schema`, those are the parts of a table, which hold its rows; the table behind
    a view that stands in for it; and the tables of tools, such as the job queue's, which it uses without a model.
    """
    live = {table if "." in table else f"{schema}.{table}": usage for table, usage in release.items()}
    found = {}
    for table, columns in catalog.tables().items():
        if is_of_a_tool(table.removeprefix(f"{schema}.")):
            found[table] = Usage(columns, nullable=columns, left_to_default=columns)
    found |= live
    for _, view in catalog.relations():
        for oid in view.facts["reads"] or () if view.name in live else ():
            if behind := catalog.get(("relation", oid, 0)):
                found.setdefault(behind.name, live[view.name])
    for key, part in catalog.relations():
        if whole := next((name for name in catalog.wholes(key) if name in found), None):
            found.setdefault(part.name, found[whole])
    return found


class Violation(NamedTuple):
    """Of a rule, or what `flask release lint` finds besides."""

    rule: str  # its name: the code of an effect, or one of lint.py
    what: str
    instead: str
    revision: str = ""
    place: str = ""  # file and line, "0025_x.py:14"


class Judge(NamedTuple):
    phase: str
    live: Mapping[str, Usage] | None  # what the live release does with tables; None: no release has said so
    there: Mapping[str, frozenset[str]]  # columns of the tables that were there before the run
    in_use: Mapping[str, frozenset[str]]  # of these the columns that it uses, or all that were not retired


def judge(effect: Effect, by: Judge) -> Violation | None:
    """Return why the effect is not allowed; None when it is."""
    if effect.table and effect.table not in by.there:
        return None  # the run has made the table, so no release uses it
    if effect.code in NEVER:
        return _violation(effect, NEVER[effect.code])
    rule = TAKES.get(effect.code) or CONTRACTS[effect.code]
    if by.phase == EXPAND:
        # Rows are accepted when the live release leaves out one of the columns, or all of them.
        unwritten = set(effect.columns) - written(effect, by)
        is_left_out = bool(unwritten) and (unwritten == set(effect.columns) or not effect.leaves_all_out)
        is_accepted = effect.code in ("requires-more", "requires-value") and is_left_out
        because = "An expand step must not, since the previous release serves while it runs."
        return None if is_accepted else _violation(effect, rule, because)
    is_nobodys = not effect.table and effect.code == "adds-behaviour"  # a function that triggers call, on any table
    takes = effect.code in TAKES or (effect.table and effect.code == "drops-object")  # the type of a column
    if takes and (is_nobodys or is_in_use(effect, by)):
        return _violation(effect, rule, "The live release still uses it.")
    usage = (by.live or {}).get(effect.table)
    if effect.code in REFUSES_LIVE and usage is not None and _refuses(effect, usage):
        return _violation(effect, REFUSES_LIVE[effect.code])
    return None


def _refuses(effect: Effect, usage: Usage) -> bool:
    """Tell whether what the live release may write would be refused."""
    if effect.code == "requires-value":
        has_default = bool(effect.columns)
        is_left_out = effect.column not in usage.columns
        return effect.column in usage.nullable or (is_left_out and not has_default)
    if effect.code == "drops-unique":
        return usage.declares(effect.unique, effect.columns)
    return effect.column in usage.left_to_default or effect.column not in usage.columns


def written(effect: Effect, by: Judge) -> frozenset[str]:
    """The columns that the live release may write. Of a table that it does not map all: others may write it."""
    usage = (by.live or {}).get(effect.table)
    return by.there.get(effect.table, frozenset()) if usage is None else usage.columns


def is_in_use(effect: Effect, by: Judge) -> bool:
    """Tell whether the live release uses what is taken. Without its word: unless it was retired before the run."""
    in_use = by.in_use.get(effect.table)
    return in_use is not None and (not effect.columns or not in_use.isdisjoint(effect.columns))


def _violation(effect: Effect, rule: Rule, because: str = "") -> Violation:
    what = rule.what.replace("{subject}", effect.subject)
    return Violation(effect.code, f"{what} {because}".rstrip(), rule.instead)
